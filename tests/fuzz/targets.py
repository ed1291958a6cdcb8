"""Parsers that read what strangers wrote, each as a function of bytes that raises nothing but what it promises to.

`test_bytes.py` feeds them with hypothesis in every run; `python -m tests.fuzz.guided NAME SECONDS` by coverage, with
atheris, where that is installed (Linux only, so it is none of the project's dependencies).
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
import struct
import wave
from array import array
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from starlette.datastructures import Headers

from greenroom.agents.openai_wire import GarbageError, ProviderError, Reply
from greenroom.config.character_file import build_character
from greenroom.config.document import parse_document
from greenroom.config.errors import ConfigError
from greenroom.config.layers import Layers
from greenroom.config.security import SecuritySettings
from greenroom.config.settings import AgentSettings, Gathered, VoiceSettings, settings_from
from greenroom.config.tokens import Token
from greenroom.conversation.sentences import SentenceSplitter
from greenroom.history import HistoryError
from greenroom.history.records import read_place
from greenroom.live.sources.bilibili_packets import PacketError, commands
from greenroom.live.sources.irc_lines import LineBuffer, LineTooLong, parse_line
from greenroom.protocol import InvalidMessage, UnknownType, decode, decode_server, encode
from greenroom.protocol.address import BadAddress, parse_address
from greenroom.server.security.admission import PUBLIC, Admission, Knock, Refusal, cookie_in, without_token
from greenroom.server.security.login import language_of, login_page, safe_next
from greenroom.server.security.redaction import Secrets
from greenroom.sessions.pictures import BadPicture, checked_picture, measure
from greenroom.sessions.wake_word_manager import WakeWordManager
from greenroom.voice.wav import volumes, wav_file

Target = Callable[[bytes], None]


def codec(data: bytes) -> None:
    """A client's frame: a message, or an error that names what is wrong; what is read can be written again."""
    for given in (data, data.decode("utf-8", "replace")):
        try:
            message = decode(given)
        except (UnknownType, InvalidMessage) as error:
            said = repr(error.type) if isinstance(error, UnknownType) else error.message
        else:
            said = type(decode(encode(message))).__name__
            assert said == type(message).__name__
        assert said
        assert len(said) < 2000


def server_codec(data: bytes) -> None:
    """A server's frame, as bots and the lab read it."""
    try:
        decode_server(data)
    except (InvalidMessage, UnknownType):
        pass


def settings(data: bytes) -> None:
    """A settings file: settings, or problems that name file and field."""
    text = data.decode("utf-8", "replace")
    try:
        document = parse_document(text, "greenroom.yaml", {})
        layers = Layers()
        layers.add_document(document)
        settings_from(Gathered(layers, None, (), ()))
    except ConfigError as error:
        said = [problem.message for problem in error.problems]
    else:
        said = ["nothing to say"]
    assert said
    assert all(said)


def provider_stream(data: bytes) -> None:
    """An event stream of a provider, in pieces of any size."""
    reply = Reply()
    step = 1 + (data[0] if data else 0)
    try:
        for start in range(1, len(data), step):
            assert isinstance(reply.feed(data[start : start + step]), str)
        reply.end()
    except (GarbageError, ProviderError):
        pass


def whole_answer(data: bytes) -> None:
    """An answer of a provider that does not stream."""
    try:
        Reply().whole(data)
    except (GarbageError, ProviderError):
        pass


def bilibili(data: bytes) -> None:
    """Packets of Bilibili's chat, compressed ones included."""
    try:
        for _ in commands(data):
            pass
    except PacketError:
        pass


def irc(data: bytes) -> None:
    """Lines of IRC and Twitch."""
    buffer = LineBuffer()
    try:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            for line in buffer.feed(part):
                parse_line(line)
    except (LineTooLong, ValueError):
        pass


def sentences(data: bytes) -> None:
    """A reply in tokens of any size: nothing is lost, nothing invented."""
    text = data.decode("utf-8", "replace")
    splitter = SentenceSplitter(faster_first=len(text) % 2 == 0)
    pieces = [piece for start in range(0, len(text), 7) for piece in splitter.feed(text[start : start + 7])]
    pieces += splitter.flush()
    shown = "".join("".join(piece.text.split()) for piece in pieces if piece.kind == "text")
    assert len(shown) <= len(text)


def wake_words(data: bytes) -> None:
    """Anything that is said, to a character that listens for its name."""
    manager = WakeWordManager({"en": ["hey white"]}, {"en": ["that is all"]}, idle_seconds=60, clock=float)
    for line in data.decode("utf-8", "replace").split("\n"):
        manager.hear(line)


def cursor(data: bytes) -> None:
    """The place in a list of histories that a client sends back."""
    try:
        read_place(data.decode("utf-8", "replace"))
    except HistoryError:
        pass


def pictures(data: bytes) -> None:
    """A picture by its content, and as a client sends it: what is taken has a type, a size, and its own bytes."""
    try:
        kind, width, height = measure(data)
    except BadPicture as error:
        kind, width, height = "png", len(str(error)), 1
    assert kind in ("png", "jpeg", "gif", "webp")
    assert width > 0
    assert height > 0
    content = base64.b64encode(data).decode()
    for url in (f"data:image/png;base64,{content}", data.decode("utf-8", "replace")):
        try:
            taken = checked_picture(url, 4096, 1_000_000)
        except BadPicture:
            continue
        assert re.match(r"data:image/(png|jpeg|gif|webp);base64,", taken)
        assert taken.partition(",")[2] == url.partition(",")[2]


def sound(data: bytes) -> None:
    """Samples of a voice: the file holds just them, and the loudness of each slice lies between silence and full."""
    rate = 1 + int.from_bytes(data[:2])
    samples = array("h", data[2 : 2 + (len(data) - 2) // 2 * 2] if len(data) > 2 else b"")
    levels = volumes(samples, rate)
    assert len(levels) == -(-len(samples) // max(1, rate * 20 // 1000))
    assert all(0 <= level <= 1 for level in levels)
    assert (max(levels, default=0) == 1) == any(samples)
    with wave.open(io.BytesIO(wav_file(samples, rate))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        assert file.readframes(file.getnframes()) == samples.tobytes()


def microphone(data: bytes) -> None:
    """What a client's microphone sends: samples that are numbers, or an error."""
    numbers = ",".join(str(struct.unpack_from("<f", data, at)[0]) for at in range(0, len(data) - 3, 4))
    for content in (numbers, data.decode("utf-8", "replace")):
        try:
            message = decode(f'{{"type":"mic-audio-data","audio":[{content}]}}')
        except (UnknownType, InvalidMessage):
            continue
        assert all(math.isfinite(sample) for sample in getattr(message, "audio", ()))


TOKEN = "a-token-that-nobody-guesses"
SECURITY = {"trusted_proxies": ["10.0.0.0/8"], "allowed_hosts": ["chat.example.org"]}
DOOR = Admission(SecuritySettings.model_validate(SECURITY), [Token("visitors", TOKEN)])


def door(data: bytes) -> None:
    """A request of anybody: without the token nobody comes in, and no token is passed on or logged."""
    first, _, rest = data.decode("latin-1").partition("\n")
    method, path, query = (*first.split(" ", 2), "", "", "")[:3]
    headers = {
        name.strip().lower(): value for name, _, value in (line.partition(":") for line in rest.split("\n"))
    }
    knock = Knock(
        kind="websocket" if len(data) % 2 else "http",
        method=method or "GET",
        path=f"/{path}",
        query=query,
        headers={name.encode("latin-1"): value.encode("latin-1") for name, value in headers.items()},
        address=("127.0.0.1", "10.1.2.3", "203.0.113.9", "", "::1")[len(query) % 5],
        secure=False,
        port=12393,
        now=float(len(data)),
    )
    peer = DOOR.peer(knock)
    assert not peer.here or not peer.forwarded
    entry = DOOR.judge(knock, peer)
    if isinstance(entry, Refusal):
        assert 400 <= entry.status < 430
    else:
        known = TOKEN in first or TOKEN in rest
        assert known or knock.path in PUBLIC
        assert known or not entry.visitor.may_visit
    assert not any(name == "token" for name, _ in parse_qsl(without_token(query), keep_blank_values=True))
    cookie_in(knock)
    language_of(Headers({"accept-language": rest[:200]}))


def login(data: bytes) -> None:
    """Where to go after logging in: nowhere but to this server."""
    after = safe_next(data.decode("utf-8", "replace"))
    assert urlsplit(urljoin("http://here.example/login", f"./{after}"))[:2] == ("http", "here.example")
    assert not set(after) & set('\r\n\\"<>')
    login_page("zh", after, problem="wrong-token")


def redaction(data: bytes) -> None:
    """Whatever stands around it, a secret is not in what is written."""
    text = data.decode("utf-8", "replace")
    known = Secrets()
    known.add(TOKEN, "pass/word ü")
    half = len(text) // 2
    for secret in (TOKEN, "pass/word ü", quote("pass/word ü", safe=""), json.dumps("pass/word ü")[1:-1]):
        assert secret not in known.scrub(text[:half] + secret + text[half:])
    scrubbed = known.scrub(f"GET /?token=guess-{len(data)} HTTP/1.1 {text}")
    assert f"guess-{len(data)}" not in scrubbed.partition(" HTTP/1.1")[0]


def address(data: bytes) -> None:
    """What somebody types for a server."""
    try:
        found = parse_address(data.decode("utf-8", "replace"), "http://127.0.0.1:12393")[0].hostname
    except BadAddress as error:
        found = str(error)
    assert found


def character(data: bytes) -> None:
    """A character's file: a character, or problems that name file and field."""
    try:
        document = parse_document(data.decode("utf-8", "replace"), "x.yaml", {})
        said = [build_character(document, agent=AgentSettings(), voice=VoiceSettings()).conf_uid]
    except ConfigError as error:
        said = [problem.message for problem in error.problems]
    assert said
    assert all(said)


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        codec, server_codec, settings, provider_stream, whole_answer, bilibili, irc, sentences, wake_words, cursor,
        pictures, sound, microphone, door, login, redaction, address, character,
    )
}  # fmt: skip
SEEDS: dict[str, tuple[bytes, ...]] = {
    "codec": (
        b'{"type":"text-input","text":"Hello","images":[{"source":"camera","data":"data:image/png;base64,AA"}]}',
        b'{"type":"mic-audio-data","audio":[0.5,-1,1e-9]}',
        b'{"type":"fetch-history-list","before":null,"limit":5}',
        b'{"type":"interrupt-signal","text":"\\ud83d"}',
    ),
    "server_codec": (b'{"type":"control","text":"start-mic"}', b'{"type":"audio","audio":null,"volumes":[]}'),
    "settings": (
        b"server:\n  port: 8080\nlimits:\n  turn_seconds: 5\n",
        b"agent: &a {kind: openai}\nvoice: *a\nsources:\n- url: twitch://x\n",
        b"agent:\n  openai:\n    api_key_env: ${HOME}\n",
    ),
    "provider_stream": (b'\x05data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n',),
    "whole_answer": (b'{"choices":[{"message":{"content":"Hi"}}]}',),
    "bilibili": (
        b"\x00\x00\x00\x12\x00\x10\x00\x01\x00\x00\x00\x08\x00\x00\x00\x01{}",
        b"\x00\x00\x00\x18\x00\x10\x00\x02\x00\x00\x00\x05\x00\x00\x00\x01x\x9c\xab\xae\x05\x00\x01u\x00\xf9",
    ),
    "irc": (b"@badges=a/1;id=x :nick!u@h PRIVMSG #room :hello\\s\r\nPING :x\r\n",),
    "sentences": ("Well, Mr. X. <think>no</think> 你好。[joy] (a)\n".encode(),),
    "wake_words": (b"hey, WHITE! what?\nthat is all",),
    "cursor": (b"1700000000000000.17",),
    "pictures": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0",
        b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc0\0\x11\x08\0\x05\0\x06\x03",
        b"GIF89a\x01\0\x02\0",
        b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0\x2f\x01\x40\0\0\0\0\0\0\0",
        b"RIFF\x1a\0\0\0WEBPVP8X\r\0\0\0\x10\0\0\0\x09\0\0\x09\0\0",
        b"RIFF\x1a\0\0\0WEBPVP8 \r\0\0\0\x10\0\0\x9d\x01\x2a\x09\0\x09\0",
        b"data:image/jpeg;charset=utf-8;base64,/9j/",
    ),
    "sound": (b"\x3e\x80" + b"\0\x40\0\xc0" * 40, b"\0\0\0\0\0\0", b"\0\x32\xff\x7f\0\x80"),
    "microphone": (struct.pack("<4f", 0, 0.5, -1, 1e30), struct.pack("<2f", math.inf, math.nan), b"0.5,-1,1e-9"),
    "door": (
        b"GET client-ws token=" + TOKEN.encode() + b"\nhost: chat.example.org\norigin: https://chat.example.org",
        b"POST ops/soak \nhost: localhost\nauthorization: Bearer " + TOKEN.encode(),
        b"GET bg/%2e%2e/x a=1&token=&token=x\nx-forwarded-for: 203.0.113.9, [::1]:80, 10.0.0.1\nforwarded: for=1",
        b"GET login next=ops\ncookie: greenroom_12393=abc; x=y\naccept: text/html\nsec-fetch-site: cross-site",
    ),
    "login": (b"ops?a=1&b=%2F", b"//evil.example", b"\\evil", b"http:evil.example", b"a/../..//x", b"/\t/x"),
    "redaction": (b"x token=abc; Authorization: Basic YTpi", b'{"authorization": "Bearer x"} greenroom_1=abc'),
    "address": (b"12393", b"wss://[::1]:8/x?token=a", b"example.org:80/client-ws", b"http://a@b:c"),
    "character": (
        b"conf_name: A\nconf_uid: a\nlanguage: en\npersona_prompt: P\nwake_words: [hey]\n",
        b"character_config:\n  conf_name: A\n  agent_config:\n    conversation_agent_choice: basic_memory_agent\n",
        b"conf_uid: ${HOME}\navatar: ../x.png\nagent: {kind: openai}\n",
    ),
}  # fmt: skip
