"""Parsers that read what strangers wrote, each as a function of bytes that raises nothing but what it promises to.

`test_bytes.py` feeds them with hypothesis in every run; `python -m tests.fuzz.guided NAME SECONDS` by coverage, with
atheris, where that is installed (Linux only, so it is none of the project's dependencies).
"""

from __future__ import annotations

from collections.abc import Callable

from greenroom.agents.openai_wire import GarbageError, ProviderError, Reply
from greenroom.config.document import parse_document
from greenroom.config.errors import ConfigError
from greenroom.config.layers import Layers
from greenroom.config.settings import Gathered, settings_from
from greenroom.conversation.sentences import SentenceSplitter
from greenroom.history import HistoryError
from greenroom.history.records import read_place
from greenroom.live.sources.bilibili_packets import PacketError, commands
from greenroom.live.sources.irc_lines import LineBuffer, LineTooLong, parse_line
from greenroom.protocol import InvalidMessage, UnknownType, decode, decode_server, encode
from greenroom.sessions.wake_word_manager import WakeWordManager

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


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        codec, server_codec, settings, provider_stream, whole_answer, bilibili, irc, sentences, wake_words, cursor,
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
}  # fmt: skip
