"""Tests of service_context.py: opening, and closing from any state (switching has a file of its own)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.helpers.stage import Client, Stage, staged

from greenroom.history import HistoryError
from greenroom.sessions.outbox import OutboxClosed
from greenroom.sessions.service_context import ContextReport

START = ["control start", "full-text Thinking..."]
END = ["force-new-message", "control end"]


async def switch(client: Client, file: str) -> None:
    await client.send("switch-config", file=file)


async def talk(stage: Stage, client: Client, model: str, text: str = "Hi?", answer: str = "Yes.") -> None:
    """One exchange; counts as seen."""
    await client.say(text)
    (await stage.stream(model)).token(answer).end()
    await stage.settle()
    if model == "delta":
        await client.send("frontend-playback-complete")
    assert client.kinds()[-2:] == END


# -- opening -----------------------------------------------------------------------------------------------


@staged
async def test_the_greeting(stage: Stage) -> None:
    """Five messages in the order of the protocol."""
    client = stage.connect()
    await client.context.open()
    await stage.settle()
    assert client.new() == [
        {"type": "group-update", "members": [], "is_owner": False},
        {"type": "full-text", "text": "Connection established"},
        {
            "type": "set-model-and-conf", "model_info": None, "conf_name": "Alpha", "conf_uid": "uid_alpha",
            "client_uid": client.context.client_uid,
            "features": ["history-rename", "history-search", "history-undo", "character-state"],
        },
        {"type": "group-update", "members": [], "is_owner": False},
        {"type": "control", "text": "start-mic"},
    ]  # fmt: skip


@staged
async def test_opening_a_page_starts_nothing_but_a_writer(stage: Stage) -> None:
    """No agent is asked for before somebody speaks, and no empty history is stored."""
    client = await stage.open()
    assert client.context.scope.statistics().running == 1
    assert stage.engines == []
    assert await stage.histories.count("uid_alpha") == 0


@staged
async def test_a_bot_without_a_history_gets_one(stage: Stage) -> None:
    """Clients that never ask for a conversation have one from their first message on, and keep it."""
    client = await stage.open(page=False)
    await talk(stage, client, "alpha")
    uid = client.context.history_uid
    await talk(stage, client, "alpha", "Again?", "Again.")
    assert client.context.history_uid == uid
    assert await client.history() == [("human", "Hi?"), ("ai", "Yes."), ("human", "Again?"), ("ai", "Again.")]


@staged
async def test_two_pages_share_an_engine_and_nothing_else(stage: Stage) -> None:
    """Memory, history and turns of one are invisible to the other."""
    one, two = await stage.open(), await stage.open()
    await talk(stage, one, "alpha", "My name is One.", "Hello One.")
    await two.say("Who am I?")
    reply = await stage.stream("alpha")
    assert reply.talk == [("user", "Who am I?")]
    await one.send("create-new-history")
    await one.send("interrupt-signal", text="")
    reply.token("Two.").end()
    await stage.settle()
    assert two.kinds() == [*START, "audio Two.", *END]
    assert two.memory == [("user", "Who am I?"), ("assistant", "Two.")]
    assert await two.history() == [("human", "Who am I?"), ("ai", "Two.")]
    assert len(stage.engines) == 1


# -- closing -----------------------------------------------------------------------------------------------


async def untouched(stage: Stage, client: Client) -> None:
    """Nothing has happened."""


async def idle(stage: Stage, client: Client) -> None:
    await talk(stage, client, "delta")


async def in_init(stage: Stage, client: Client) -> None:
    stage.ready = False
    await client.say("Hi?")


async def in_switch(stage: Stage, client: Client) -> None:
    await talk(stage, client, "delta")
    stage.ready = False
    await switch(client, "beta.yaml")


async def before_a_token(stage: Stage, client: Client) -> None:
    await client.say("Hi?")
    await client.say("And?")


async def in_speech(stage: Stage, client: Client) -> None:
    await client.say("Hi?")
    stage.voice.auto = False
    (await stage.stream("delta")).token("One. Two. Three. Four. ")
    await stage.settle()
    assert stage.voice.speaking == "One."


async def in_playback(stage: Stage, client: Client) -> None:
    await client.say("Hi?")
    (await stage.stream("delta")).token("One.").end()
    await stage.settle()
    assert len(client.context.message_handler) == 1


async def with_a_full_outbox(stage: Stage, client: Client) -> None:
    await client.say("Hi?")
    client.connection.block()
    (await stage.stream("delta")).token(*(f"Number {i}. " for i in range(400)))
    await stage.settle()


STATES = [
    untouched, idle, in_init, in_switch, before_a_token, in_speech, in_playback, with_a_full_outbox,
]  # fmt: skip


async def once(client: Client) -> None:
    await client.context.close()


async def twice(client: Client) -> None:
    report = await client.context.close()
    assert await client.context.close("again") is report


async def at_once_from_three_sides(client: Client) -> None:
    for _ in range(3):
        client.stage.start(once(client))
    await client.context.close()


async def cancelled_and_again(client: Client) -> None:
    job = client.stage.start(once(client))
    await asyncio.sleep(0)
    job.cancel()
    await asyncio.wait([job])
    await client.stage.settle()
    # The one who closed it was cancelled: the rest must not depend on somebody closing it again.
    assert client.context not in list(client.stage.services.registry)
    assert client.stage.pool.statistics().leased == 0
    await client.context.close()


async def with_the_scope_above(client: Client) -> None:
    await client.context.services.scope.close(reason="the server stops")
    await client.context.close()


@pytest.mark.parametrize(
    "way", [once, twice, at_once_from_three_sides, cancelled_and_again, with_the_scope_above],
    ids=lambda way: way.__name__,
)  # fmt: skip
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@staged
async def test_closing_leaves_nothing(
    stage: Stage,
    state: Callable[[Stage, Client], Awaitable[None]],
    way: Callable[[Client], Awaitable[None]],
) -> None:
    """From any state and in any way: no task, waiter, lease, stream, sentence or entry is left."""
    stage.voice.auto = True
    client = await stage.open("delta.yaml")
    await state(stage, client)
    began = asyncio.get_running_loop().time()
    await way(client)
    await stage.settle()
    assert asyncio.get_running_loop().time() == began, "it needed no time-out"
    stage.assert_nothing_left()
    report = client.context._report
    assert isinstance(report, ContextReport)
    assert report.failures == ()
    assert report.tasks.clean
    assert stage.meter.closed == [True]
    assert client.context.scope.statistics().running == 0


@staged
async def test_closing_before_it_was_opened(stage: Stage) -> None:
    """A client that goes in the handshake."""
    client = stage.connect()
    await client.close()
    stage.assert_nothing_left()
    with pytest.raises(OutboxClosed):
        await client.context.send_error("late")


@staged
async def test_what_closing_reports(stage: Stage) -> None:
    """One line that says what was released, and the same as a value."""
    client = await stage.open("delta.yaml")
    stage.voice.auto = True
    await in_playback(stage, client)
    client.connection.block()
    await client.send("heartbeat")
    await client.send("heartbeat")
    await client.close("connection lost")
    report = await client.context.close()
    assert (report.waiters, report.engines, report.unsent) == (1, 1, 1)
    assert report.tasks.ended >= 2
    (line,) = [entry for entry in stage.log if entry["event"] == "client closed"]
    assert line["reason"] == "connection lost"
    assert line["service_context"] == "released"
    assert line["message_handler"] == "1 waiters"
    assert line["wake_word_manager"] == "none"
    assert line["engines"] == "1 released"
    assert line["tasks"].endswith(" 0 abandoned")
    assert line["close_ms"] >= 0
    assert "Hi?" not in str(stage.log)


@staged
async def test_a_reply_cut_off_by_closing_is_kept(stage: Stage) -> None:
    """What the visitor was shown is in the history when the page comes back."""
    client = await stage.open()
    uid = client.context.history_uid
    await client.say("Hi?")
    reply = await stage.stream()
    reply.token("One. Two. Thr")
    await stage.settle()
    await client.close()
    assert reply.ended == "aborted"
    assert await client.history(uid) == [("human", "Hi?"), ("ai", "One.Two.")]


@staged
async def test_messages_after_closing(stage: Stage) -> None:
    """The read loop may have one in its hands: it ends with `OutboxClosed` and starts nothing."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    await client.close()
    for message in (
        {"kind": "text-input", "text": "Hi?"}, {"kind": "switch-config", "file": "beta.yaml"},
        {"kind": "create-new-history"}, {"kind": "fetch-configs"}, {"kind": "heartbeat"},
        {"kind": "mic-audio-end"}, {"kind": "ai-speak-signal"}, {"kind": "switch-config", "file": "none"},
    ):  # fmt: skip
        with pytest.raises(OutboxClosed):
            await client.send(**message)  # type: ignore[arg-type]
    await client.send("interrupt-signal", text="x")
    await client.send("frontend-playback-complete")
    stage.assert_nothing_left()


@staged
async def test_closing_during_a_switch_that_waits_for_its_turn_to_end(stage: Stage) -> None:
    """The switch ends with the client; nothing is loaded for it."""
    client = await stage.open()
    await client.say("Hi?")
    await stage.stream()
    client.send_soon({"type": "switch-config", "file": "beta.yaml"})
    await asyncio.sleep(0)
    await client.close()
    stage.assert_nothing_left()
    assert [engine.model for engine in stage.engines if engine.state == "starting"] == []


@staged
async def test_a_client_that_does_not_read_is_dropped(stage: Stage) -> None:
    """With code 1013, once; its turn ends, and nobody else notices."""
    client, other = await stage.open(), await stage.open()
    await client.say("Hi?")
    client.connection.block()
    reply = await stage.stream()
    reply.token(*(f"Number {i}. " for i in range(400)))
    await stage.advance(10)
    assert client.connection.dropped == [(1013, "did not read for 10 s")]
    assert reply.ended == "aborted"
    await talk(stage, other, "alpha")
    await client.close()
    assert len(client.connection.dropped) == 1


@staged
async def test_a_socket_that_breaks_in_mid_reply(stage: Stage) -> None:
    """The turn ends quietly: no error is logged for a page that was closed."""
    client = await stage.open()
    await client.say("Hi?")
    client.connection.error = ConnectionResetError()
    reply = await stage.stream()
    for i in range(50):
        reply.token(f"Number {i}. ")
        await stage.settle()
    assert reply.ended == "aborted"
    assert stage.meter.turns == ["client gone"]


@staged
async def test_a_hundred_visits_leave_nothing(stage: Stage) -> None:
    """Tables and counters are as after the first (a short form of the soak)."""
    for i in range(100):
        client = await stage.open("delta.yaml")
        stage.voice.auto = bool(i % 2)
        await client.say("Hi?")
        reply = await stage.stream("delta")
        reply.token("One. Two. ")
        await client.close()
        assert reply.ended == "aborted"
    stage.assert_nothing_left()
    assert len(stage.services.registry) == 0
    assert len(stage.engines) == 1
    assert len(stage.services.scope.children) == 0
    assert len(client.context.turns._jobs) <= 4


@staged
async def test_a_history_that_cannot_be_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error goes to the client; its session goes on."""
    client = await stage.open()

    async def refuse(*_: object, **__: object) -> None:
        raise HistoryError("the disk is gone", "row")

    monkeypatch.setattr(stage.histories, "messages", refuse)
    monkeypatch.setattr(stage.histories, "list", refuse)
    monkeypatch.setattr(stage.histories, "delete", refuse)
    # The size is one that no page has asked for: the first page of the usual size is still in memory.
    await client.send("fetch-history-list", limit=7)
    await client.send("fetch-and-set-history", history_uid="x")
    await client.send("delete-history", history_uid="x")
    await client.send("heartbeat")
    assert client.kinds() == ["error history"] * 3 + ["heartbeat-ack"]
