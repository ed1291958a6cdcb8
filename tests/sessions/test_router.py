"""Tests of router.py: what each message does, and that none does harm."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.helpers.loop import settle
from tests.helpers.pictures import PICTURE, data_url, png
from tests.helpers.stage import Client, Json, Stage, staged

from greenroom.protocol.codec import TYPES
from greenroom.sessions import history_requests, service_context
from greenroom.sessions import router as router_module
from greenroom.sessions.router import HANDLERS, Router

START = ["control start", "full-text Thinking..."]
END = ["force-new-message", "control end"]


async def talk(stage: Stage, client: Client, text: str = "Hi?", answer: str = "Yes.") -> None:
    """One exchange; counts as seen."""
    await client.say(text)
    (await stage.stream()).token(answer).end()
    await stage.settle()
    assert client.kinds()[-2:] == END


async def works(stage: Stage, client: Client) -> None:
    """The session is as good as new."""
    client.new()
    await client.send("heartbeat")
    assert client.kinds() == ["heartbeat-ack"]


# -- what the page sends on opening ------------------------------------------------------------------------


@staged
async def test_the_four_messages_of_a_page_that_opens(stage: Stage) -> None:
    """All four are answered, in their order; no empty conversation is stored."""
    client = await stage.open(page=False)
    client.send_soon(
        {"type": "fetch-backgrounds"}, {"type": "fetch-configs"}, {"type": "fetch-history-list"},
        {"type": "create-new-history"},
    )  # fmt: skip
    await stage.settle()
    backgrounds, configs, histories, created = client.new()
    assert backgrounds == {"type": "background-files", "files": ["room.jpeg"]}
    assert configs["type"] == "config-files"
    assert configs["configs"][0] == {
        "filename": "alpha.yaml", "name": "Alpha", "avatar": "alpha.png", "language": "en",
    }  # fmt: skip
    assert [entry["filename"] for entry in configs["configs"]] == [
        "alpha.yaml", "beta.yaml", "delta.yaml", "gamma.yaml",
    ]  # fmt: skip
    assert histories == {"type": "history-list", "histories": []}
    assert created == {"type": "new-history-created", "history_uid": client.context.history_uid}
    assert await stage.histories.count("uid_alpha") == 0


def test_each_message_type_has_a_handler_or_a_reason() -> None:
    """Only what means something in groups is left out."""
    assert set(TYPES.values()) - set(HANDLERS) == {TYPES["audio-play-start"]}


SIMPLE: list[tuple[Json, list[str]]] = [
    ({"type": "heartbeat"}, ["heartbeat-ack"]),
    ({"type": "fetch-configs"}, ["config-files"]),
    ({"type": "fetch-backgrounds"}, ["background-files"]),
    ({"type": "fetch-history-list"}, ["history-list"]),
    ({"type": "create-new-history"}, ["new-history-created"]),
    ({"type": "request-init-config"}, ["model Alpha"]),
    ({"type": "request-init-config", "client_id": "a proxy's"}, ["model Alpha"]),
    ({"type": "fetch-and-set-history", "history_uid": "unknown"}, ["history-data"]),
    ({"type": "delete-history", "history_uid": "unknown"}, ["history-deleted"]),
    ({"type": "request-group-info"}, ["group-update"]),
    ({"type": "add-client-to-group", "invitee_uid": "x"}, ["group-operation-result"]),
    ({"type": "remove-client-from-group", "target_uid": "x"}, ["group-operation-result"]),
    ({"type": "audio-play-start", "display_text": {"text": "x"}, "forwarded": True}, []),
    ({"type": "audio-play-start"}, []),
    ({"type": "frontend-playback-complete"}, []),
    ({"type": "frontend-playback-complete", "request_id": 7}, []),
    ({"type": "interrupt-signal", "text": "heard"}, []),
    ({"type": "interrupt-signal"}, []),
    ({"type": "switch-config"}, []),
    ({"type": "switch-config", "file": None}, []),
    ({"type": "switch-config", "file": "beta.yaml"}, ["model Beta", "config-switched"]),
    ({"type": "no-such-type", "text": "x"}, []),
    ({"type": "conversation-chain-end"}, []),
    ({"type": "set-model-and-conf"}, []),
]


@pytest.mark.parametrize(("message", "answer"), SIMPLE, ids=[json.dumps(sent)[:40] for sent, _ in SIMPLE])
@staged
async def test_messages_and_their_answers(stage: Stage, message: Json, answer: list[str]) -> None:
    """Each as the protocol has it; unknown fields do no harm, and the session goes on."""
    client = await stage.open()
    await client.raw(json.dumps(message | {"request_id": 1, "later": {"a": [1]}}))
    assert client.kinds() == answer
    await works(stage, client)


INVALID: list[tuple[str | bytes, str | None]] = [
    ("", None),
    ("hello", None),
    ("[]", None),
    ("null", None),
    ("1e999", "type"),
    ('{"type": "text-input"', None),
    ('{"type": "text-input"} {"type": "heartbeat"}', "text"),
    ("{}", "type"),
    ('{"type": null}', "type"),
    ('{"type": 7}', "type"),
    ('{"type": ["text-input"]}', "type"),
    ('{"type": "text-input"}', "text"),
    ('{"type": "text-input", "text": null}', "text"),
    ('{"type": "text-input", "text": 7}', "text"),
    ('{"type": "text-input", "text": ""}', "text"),
    ('{"type": "text-input", "text": " \\n\\u3000"}', "text"),
    ('{"type": "text-input", "text": "x", "images": "y"}', "images"),
    ('{"type": "text-input", "text": "x", "images": [{"source": "camera"}]}', "images[0].data"),
    ('{"type": "mic-audio-data"}', "audio"),
    ('{"type": "mic-audio-data", "audio": ["x"]}', "audio[0]"),
    ('{"type": "ai-speak-signal", "idle_time": "soon"}', "idle_time"),
    ('{"type": "fetch-and-set-history"}', "history_uid"),
    ('{"type": "fetch-and-set-history", "history_uid": ""}', "history_uid"),
    ('{"type": "delete-history", "history_uid": "' + "x" * 300 + '"}', "history_uid"),
    ('{"type": "fetch-history-list", "limit": 0}', "limit"),
    ('{"type": "fetch-history-list", "limit": 100000}', "limit"),
    ('{"type": "fetch-history-list", "before": ""}', "before"),
    ('{"type": "switch-config", "file": {}}', "file"),
    ('{"type": "frontend-playback-complete", "request_id": []}', "request_id"),
    ('{"type": "add-client-to-group"}', "invitee_uid"),
    ("[" * 100_000, None),
    ('{"type":' * 50_000, None),
    (b"\xff\xfe\x00", None),
    (b'{"type": "text-input", "text": "\xff"}', None),
    (b"", None),
    (b"\x00" * 1000, None),
]


@pytest.mark.parametrize(("frame", "field"), INVALID, ids=[repr(frame[:50]) for frame, _ in INVALID])
@staged
async def test_invalid_frames_are_answered_with_an_error(
    stage: Stage, frame: str | bytes, field: str | None
) -> None:
    """It names the field; nothing is done, and nothing else is said."""
    client = await stage.open()
    await client.raw(frame)
    (error,) = client.new()
    assert error["type"] == "error"
    assert error["code"] == "invalid-message"
    assert error.get("field") == field
    assert field is None or field.split("[")[0] in error["message"]
    assert len(error["message"]) < 300
    await works(stage, client)


@staged
async def test_a_binary_frame_with_a_message_in_it(stage: Stage) -> None:
    """Is taken like a text frame."""
    client = await stage.open()
    await client.raw(b'{"type": "heartbeat"}')
    assert client.kinds() == ["heartbeat-ack"]


@staged
async def test_an_unreadable_place_in_the_list(stage: Stage) -> None:
    """The error says which field was wrong."""
    client = await stage.open()
    await client.send("fetch-history-list", before="yesterday")
    (error,) = client.new()
    assert (error["code"], error["request"]) == ("history", "fetch-history-list")
    assert "before" in error["message"]
    await works(stage, client)


# -- sizes and pace ----------------------------------------------------------------------------------------


@staged(max_text_bytes=2000, max_image_bytes=3000, max_images=2, max_audio_bytes=4000)
async def test_sizes(stage: Stage) -> None:
    """Text, images and audio have bounds of their own; what is too large is refused, naming the field."""
    client = await stage.open()

    async def refused(field: str, **message: object) -> None:
        await client.send(**message)  # type: ignore[arg-type]
        (error,) = [message for message in client.new() if message["type"] == "error"]
        assert (error["code"], error["field"]) == ("too-large", field)
        assert str(field) in error["message"]

    await refused("text", kind="text-input", text="x" * 2000)
    await refused("text", kind="text-input", text="x" * 2100, images=[PICTURE])
    await refused("text", kind="switch-config", file="x" * 3000)
    await refused("images", kind="text-input", text="x", images=[PICTURE] * 3)
    big = PICTURE | {"data": "data:image/png;base64," + "A" * 4100}
    await refused("images[0].data", kind="text-input", text="x", images=[big])
    await refused("images[1].data", kind="ai-speak-signal", images=[PICTURE, big])
    bomb = PICTURE | {"data": data_url(png(50_000, 50_000))}
    await refused("images[0].data", kind="text-input", text="x", images=[bomb])
    await refused("audio", kind="mic-audio-data", audio=[0.12345] * 1000)
    assert stage.engines == []
    assert stage.meter.refusals.count("too large") == 4
    assert stage.meter.refusals.count("image") == 4
    fits = PICTURE | {"data": data_url(png() + bytes(2900), "image/png")}
    await client.say("look", images=[fits, fits])
    assert len((await stage.stream()).request.messages[-1].images) == 2


@staged
async def test_who_is_refused_over_and_over_does_not_fill_the_log(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some lines and then a count; the metrics know of every one."""
    lines: list[str] = []
    log = SimpleNamespace(
        warning=lambda event, **facts: lines.append(facts["reason"]), debug=lambda *_, **__: None
    )
    monkeypatch.setattr(router_module, "log", log)
    client = await stage.open()
    for _ in range(200):
        await client.router.receive('{"type": "delete-history", "history_uid": "../../secret"}')
    await client.router.receive('{"type": "ai-speak-signal", "images": [{"data": "http://10.0.0.1/"}]}')
    assert lines == ["path"] * 50 + ["image address"]
    assert stage.meter.refusals.count("path") == 200


@staged(max_text_bytes=2000)
async def test_sizes_are_in_bytes(stage: Stage) -> None:
    """A Chinese character is three of them, as the limit's name says."""
    client = await stage.open()
    for count, refused in ((600, 0), (700, 1)):
        await client.router.receive('{"type": "text-input", "text": "' + "说" * count + '"}')
        await settle()
        assert [message["type"] for message in client.new()].count("error") == refused
    assert stage.meter.refusals.count("too large") == 1


@staged
async def test_only_picture_data_goes_to_the_agent(stage: Stage) -> None:
    """Addresses are never fetched, files never read: they are left out."""
    client = await stage.open()
    others = ["http://169.254.169.254/x.jpg", "file:///etc/passwd", "//localhost/x", ""]
    await client.say("look", images=[PICTURE | {"data": data} for data in others] + [PICTURE])
    reply = await stage.stream()
    assert reply.request.messages[-1].images == (PICTURE["data"],)
    assert stage.meter.refusals.count("image address") == len(others)


@staged
async def test_what_only_claims_to_be_a_picture_is_refused(stage: Stage) -> None:
    """By its content, naming the field; the message is not answered without it, and the session goes on."""
    client = await stage.open()
    for content in (b"<svg onload='alert(1)'/>", b"<html>", b"\x00\x00"):
        client.new()
        await client.send("text-input", text="look", images=[PICTURE, PICTURE | {"data": data_url(content)}])
        (error,) = client.new()
        assert (error["code"], error["field"]) == ("bad-image", "images[1].data")
        assert "PNG, JPEG, GIF or WebP" in error["message"]
    await works(stage, client)


@staged(bytes_per_second=1024, byte_burst=4096)
async def test_who_sends_too_much_is_told_once_and_slowed_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound and nonsense alike, before it is decoded; after a pause the pace is free again."""
    loop_time = [0.0]
    monkeypatch.setattr(router_module, "monotonic", lambda: loop_time[0])
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        loop_time[0] += seconds

    client = await stage.open(page=False)
    client.router = Router(client.context)
    monkeypatch.setattr(router_module, "asyncio", SimpleNamespace(sleep=sleep))
    client.new()
    for data in ("x" * 3000, "[" * 3000, "说" * 1000):  # 3000 bytes, too
        await client.router.receive(data)
    await settle()
    assert sum(pauses) == pytest.approx((9000 - 4096) / 1024, rel=0.01)
    assert [message["code"] for message in client.new()].count("too-fast") == 1
    assert stage.meter.refusals.count("too much") == 1
    loop_time[0] += 100
    pauses.clear()
    await client.router.receive("x" * 3000)
    assert not pauses


@staged(messages_per_second=10, message_burst=5)
async def test_who_sends_too_fast_is_told_once_and_slowed_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost; after a pause the pace is free again. Nonsense counts like sense."""
    loop_time = [0.0]
    monkeypatch.setattr(router_module, "monotonic", lambda: loop_time[0])
    client = await stage.open(page=False)
    client.router = Router(client.context)
    frames = [{"type": "heartbeat"}, {"type": "unknown"}, {"type": "text-input"}, {"type": "heartbeat"}]
    job = client.send_soon(*frames * 3)
    for _ in range(7):
        await settle()
        assert not job.done()
        loop_time[0] += 0.1
        await stage.advance(0.1)
    await settle()
    assert job.done()
    kinds = client.kinds()
    assert kinds.count("error too-fast") == 1
    assert kinds.count("heartbeat-ack") == 6
    assert kinds.count("error invalid-message") == 3
    assert stage.meter.refusals.count("too fast") == 1
    loop_time[0] += 10
    for _ in range(5):
        await client.send("heartbeat")
    assert client.kinds() == ["heartbeat-ack"] * 5


# -- microphone --------------------------------------------------------------------------------------------


@staged
async def test_sound_without_speech_recognition(stage: Stage) -> None:
    """Told once an utterance, and the microphone is turned off; the page's state goes back to idle."""
    client = await stage.open()
    for _ in range(3):
        for _ in range(20):
            await client.send("mic-audio-data", audio=[0.0] * 512)
        await client.send("mic-audio-end", images=[])
        assert client.kinds() == ["control stop-mic", "error no-speech-recognition", "control end"]
    await client.send("raw-audio-data", audio=[0.5])
    assert client.kinds() == ["control stop-mic", "error no-speech-recognition"]


@staged
async def test_sound_during_a_reply_does_not_end_it(stage: Stage) -> None:
    """The end of an utterance that cannot be understood is not the end of the reply that runs."""
    client = await stage.open()
    await client.say("Hi?")
    reply = await stage.stream()
    client.new()
    await client.send("mic-audio-end")
    assert client.kinds() == ["control stop-mic", "error no-speech-recognition"]
    reply.token("Yes.").end()
    await stage.settle()
    assert client.kinds() == ["audio Yes.", *END]


# -- histories ---------------------------------------------------------------------------------------------


@staged
async def test_opening_a_stored_conversation(stage: Stage) -> None:
    """The page gets its lines without the system's, the agent remembers them, and it goes on there."""
    first = await stage.open()
    await first.say("I am Ann.")
    reply = await stage.stream()
    reply.token("Hello Ann. And")
    await stage.settle()
    await first.send("interrupt-signal", text="Hello Ann.")
    uid = first.context.history_uid
    client = await stage.open()
    await client.send("fetch-and-set-history", history_uid=uid)
    (data,) = client.new()
    assert data["history_uid"] == uid
    assert [(line["role"], line["content"]) for line in data["messages"]] == [
        ("human", "I am Ann."), ("ai", "Hello Ann."),
    ]  # fmt: skip
    assert data["messages"][1] | {"timestamp": ""} == {
        "role": "ai", "timestamp": "", "content": "Hello Ann.", "name": "Alpha", "avatar": "alpha.png",
        "breaks": [],
    }  # fmt: skip
    await client.say("Who am I?")
    reply = await stage.stream()
    assert reply.talk == [("user", "I am Ann."), ("assistant", "Hello Ann."), ("user", "Who am I?")]
    reply.token("Ann.").end()
    await stage.settle()
    assert (await client.history(uid))[-2:] == [("human", "Who am I?"), ("ai", "Ann.")]
    assert first.memory[0] == ("user", "I am Ann.")
    assert len(first.memory) == 3


@staged
async def test_an_unknown_conversation_is_empty(stage: Stage) -> None:
    """It becomes the current one all the same, and the agent forgets what it knew."""
    client = await stage.open()
    await talk(stage, client)
    await client.send("fetch-and-set-history", history_uid="made up")
    assert client.new() == [{"type": "history-data", "messages": [], "history_uid": "made up"}]
    assert client.memory == []
    await talk(stage, client)
    assert len(await client.history("made up")) == 2


@staged
async def test_conversations_of_other_characters_cannot_be_opened(stage: Stage) -> None:
    """They are kept apart by character, whoever asks."""
    client = await stage.open()
    await talk(stage, client)
    uid = client.context.history_uid
    await client.send("switch-config", file="beta.yaml")
    await client.send("fetch-and-set-history", history_uid=uid)
    await client.send("delete-history", history_uid=uid)
    await client.send("fetch-history-list")
    *_, data, deleted, listed = client.new()
    assert data["messages"] == []
    assert deleted["success"] is False
    assert listed["histories"] == []
    assert len(await client.history(uid, "uid_alpha")) == 2


@staged
async def test_opening_a_conversation_in_mid_reply(stage: Stage) -> None:
    """The reply is cut off; the opened talk is not mixed with it."""
    client = await stage.open()
    await talk(stage, client, "Old?", "Old.")
    old = client.context.history_uid
    await client.send("create-new-history")
    new = client.context.history_uid
    await client.say("Hi?")
    reply = await stage.stream()
    reply.token("One. Two")
    await stage.settle()
    client.new()
    await client.send("fetch-and-set-history", history_uid=old)
    assert reply.ended == "aborted"
    assert client.kinds() == [*END, "history-data"]
    assert client.memory == [("user", "Old?"), ("assistant", "Old.")]
    assert await client.history(new) == [("human", "Hi?"), ("ai", "One.")]
    assert len(await client.history(old)) == 2


@staged
async def test_opening_a_conversation_while_a_message_waits(stage: Stage) -> None:
    """The message that waited is answered in one conversation, with that one's memory."""
    client = await stage.open()
    await talk(stage, client, "Old?", "Old.")
    old = client.context.history_uid
    await client.send("create-new-history")
    await client.say("First?")
    await stage.stream()
    await client.say("Second?")
    await client.send("fetch-and-set-history", history_uid=old)
    reply = await stage.stream()
    assert reply.talk == [("user", "Old?"), ("assistant", "Old."), ("user", "Second?")]
    reply.token("Yes.").end()
    await stage.settle()
    assert (await client.history(old))[-2:] == [("human", "Second?"), ("ai", "Yes.")]


@staged
async def test_deleting(stage: Stage) -> None:
    """The current one leaves no current one behind; a second time there is nothing to delete."""
    client = await stage.open()
    await talk(stage, client)
    uid = client.context.history_uid
    await client.send("delete-history", history_uid=uid)
    await client.send("delete-history", history_uid=uid)
    assert client.new() == [
        {"type": "history-deleted", "success": True, "history_uid": uid},
        {"type": "history-deleted", "success": False, "history_uid": uid},
    ]
    assert client.context.history_uid is None
    assert client.memory == []
    await client.send("fetch-history-list")
    assert client.new()[0]["histories"] == []
    await talk(stage, client)
    assert client.context.history_uid not in (None, uid)


@staged
async def test_deleting_another_one(stage: Stage) -> None:
    """The current conversation, its memory and its reply go on."""
    client = await stage.open()
    await talk(stage, client)
    old = client.context.history_uid
    await client.send("create-new-history")
    await client.say("Hi?")
    reply = await stage.stream()
    client.new()
    await client.send("delete-history", history_uid=old)
    assert client.kinds() == ["history-deleted"]
    reply.token("Yes.").end()
    await stage.settle()
    assert client.kinds() == ["audio Yes.", *END]
    assert len(client.memory) == 2


@staged(history_page=10)
async def test_the_list_comes_in_pages(stage: Stage) -> None:
    """Newest first, each once, as many as wanted but never more than a page."""
    client = await stage.open()
    for i in range(25):
        await stage.histories.append("uid_alpha", f"h{i:02}", "human", f"talk {i}")
        await stage.histories.append("uid_alpha", f"h{i:02}", "system", "a note")
    seen: list[str] = []
    before: str | None = None
    sizes: list[int] = []
    while True:
        await client.send("fetch-history-list", **({"before": before} if before else {}))
        (page,) = client.new()
        sizes.append(len(page["histories"]))
        seen += [entry["uid"] for entry in page["histories"]]
        assert all(entry["latest_message"]["role"] == "human" for entry in page["histories"])
        before = page.get("next")
        if before is None:
            break
    assert sizes == [10, 10, 5]
    assert seen == [f"h{i:02}" for i in reversed(range(25))]
    await client.send("fetch-history-list", limit=3)
    assert len(client.new()[0]["histories"]) == 3


@staged
async def test_a_very_long_conversation_is_shown_from_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame has a bound; the newest lines win, in their order."""
    monkeypatch.setattr(history_requests, "HISTORY_CHARACTERS", 100)
    for i in range(30):
        await stage.histories.append("uid_alpha", "long", "human", f"line {i:05}")
    client = await stage.open()
    await client.send("fetch-and-set-history", history_uid="long")
    shown = [line["content"] for line in client.new()[0]["messages"]]
    assert shown == [f"line {i:05}" for i in range(20, 30)]


# -- wake words --------------------------------------------------------------------------------------------


@staged
async def test_wake_words_end_to_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asleep it ignores, called it answers what follows, then everything, until it is sent to sleep."""
    now = [0.0]
    monkeypatch.setattr(service_context, "monotonic", lambda: now[0])
    client = await stage.open("gamma.yaml")

    async def heard(text: str) -> tuple[str | None, str | None, list[str]]:
        """What the machine says, what reached the agent, and the kinds of all messages."""
        await client.say(text)
        asked = None
        if client.context.turns.current is not None:
            reply = await stage.stream("gamma")
            asked = reply.talk[-1][1]
            reply.token("Ok.").end()
            await stage.settle()
        messages = client.new()
        states = [message for message in messages if message["type"] == "wake-word-state"]
        assert all(state["client_uid"] == client.context.client_uid for state in states)
        action = states[0]["action"] if states else None
        return action, asked, [message["type"] for message in messages]

    assert await heard("I said hello to a friend") == ("ignored", None, ["wake-word-state"])
    action, asked, kinds = await heard("Hey, Gamma! What time is it?")
    assert (action, asked) == ("wake_up", "What time is it?")
    assert kinds[:2] == ["wake-word-state", "control"]
    assert (await heard("My friend said so"))[:2] == (None, "My friend said so")
    assert await heard("goodbye") == ("sleep", None, ["wake-word-state"])
    assert (await heard("Still there?"))[0] == "ignored"
    assert await heard("小白") == ("wake_up", None, ["wake-word-state"])
    assert (await heard("在吗"))[1] == "在吗"
    assert (await heard("再见"))[0] == "sleep"
    assert (await heard("ﾎﾜｲﾄ、おはよう"))[:2] == ("wake_up", "おはよう")
    now[0] += 61
    assert (await heard("hello"))[0] == "ignored"
    await client.say("AI")
    (state,) = client.new()
    assert state == {
        "type": "wake-word-state", "client_uid": client.context.client_uid, "action": "wake_up",
        "matched_word": "AI", "language": "en", "current_state": "active",
        "stats": {"wake_count": 4, "end_count": 2, "ignored_count": 3},
    }  # fmt: skip


@staged
async def test_wake_words_are_each_clients_own(stage: Stage) -> None:
    """One page that woke its character does not wake another page's."""
    one, two = await stage.open("gamma.yaml"), await stage.open("gamma.yaml")
    await one.say("hey gamma")
    await two.say("hello")
    assert two.kinds() == ["wake ignored"]
    assert one.kinds() == ["wake wake_up"]


@staged
async def test_without_wake_words_everything_is_answered(stage: Stage) -> None:
    """A character that has none configured says nothing of wake words."""
    client = await stage.open()
    await talk(stage, client, "hey gamma")
    assert not [m for m in client.connection.messages if m["type"] == "wake-word-state"]


# -- anything at all ---------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["text", "images", "audio", "file", "history_uid", "limit", "before", "request_id", "display_text"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.text(max_size=60),
            st.builds(
                lambda kind, fields: json.dumps({"type": kind, **fields}),
                st.sampled_from(sorted(TYPES)),
                st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
            ),
        ),
        max_size=15,
    )
)
def test_nothing_a_client_sends_raises(frames: list[str | bytes]) -> None:
    """Any bytes, any JSON, any fields: each is handled or answered with an error, and the session goes on."""

    @staged
    async def test(stage: Stage) -> None:
        client = await stage.open()
        for frame in frames:
            await client.raw(frame)
        await client.send("heartbeat")
        assert client.kinds()[-1] == "heartbeat-ack"

    test()
