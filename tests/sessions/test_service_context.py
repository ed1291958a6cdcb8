"""Tests of service_context.py: opening, switching characters, and closing from any state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.helpers.stage import Client, Stage, staged

from greenroom.agents.base import AgentError
from greenroom.history import HistoryError
from greenroom.sessions.outbox import OutboxClosed
from greenroom.sessions.service_context import ContextReport

START = ["control start", "full-text Thinking..."]
END = ["force-new-message", "control end"]
SWITCHED = {name: [f"model {name}", "config-switched"] for name in ("Alpha", "Beta", "Gamma", "Delta")}


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


# -- switching ---------------------------------------------------------------------------------------------


@staged
async def test_a_switch_is_answered_at_once(stage: Stage) -> None:
    """Before the agent is loaded; the earlier agent is given back when the new one is there."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    stage.ready = False
    await switch(client, "beta.yaml")
    messages = client.new()
    assert messages == [
        {
            "type": "set-model-and-conf", "model_info": None, "conf_name": "Beta", "conf_uid": "uid_beta",
            "client_uid": client.context.client_uid,
        },
        {"type": "config-switched", "message": "Switched to config: beta.yaml"},
    ]  # fmt: skip
    assert stage.engine("beta").state == "starting"
    assert stage.pool.statistics().leased == 1
    stage.engine("beta").start_ends()
    await stage.settle()
    assert stage.pool.statistics().leased == 1
    await talk(stage, client, "beta")
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]


@pytest.mark.parametrize(
    "file",
    ["nobody.yaml", "../alpha.yaml", "/etc/passwd", "BETA.yaml", "beta", "beta.yaml\u0000", "x" * 60_000, " "],
)
@staged
async def test_a_switch_to_what_is_not_listed(stage: Stage, file: str) -> None:
    """An error that names the field, and the page gets back the character it has dropped."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    uid = client.context.history_uid
    await switch(client, file)
    assert client.kinds() == ["error switch-failed", "model Alpha"]
    assert client.errors()[0]["field"] == "file"
    assert len(client.errors()[0]["message"]) < 500
    assert client.context.history_uid == uid
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]
    await switch(client, "")
    await client.send("switch-config")
    assert client.kinds() == []


@staged
async def test_an_init_that_fails_brings_the_earlier_character_back(stage: Stage) -> None:
    """With its memory and conversation; the client is told why, and who is on stage."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    uid = client.context.history_uid
    stage.ready = False
    await switch(client, "beta.yaml")
    await client.send("create-new-history")
    client.new()
    stage.engine("beta").start_ends(AgentError("No such model.", hint="Pull it first."))
    await stage.settle()
    assert client.kinds() == ["error init-failed", "model Alpha"]
    assert client.errors()[0]["message"] == "Beta could not be loaded: No such model. Pull it first."
    assert client.context.history_uid == uid
    await talk(stage, client, "alpha", "Still there?", "Still here.")
    assert client.memory == [
        ("user", "Hi?"), ("assistant", "Yes."), ("user", "Still there?"), ("assistant", "Still here."),
    ]  # fmt: skip
    assert len(await client.history(uid)) == 4


@staged
async def test_an_init_that_fails_before_anybody_had_spoken(stage: Stage) -> None:
    """The earlier character had no agent yet; it comes back all the same."""
    client = await stage.open()
    uid = client.context.history_uid
    stage.ready = False
    await switch(client, "beta.yaml")
    client.new()
    stage.engine("beta").start_ends(AgentError("No."))
    await stage.settle()
    assert client.kinds() == ["error init-failed", "model Alpha"]
    stage.ready = True
    await talk(stage, client, "alpha")
    assert client.context.history_uid == uid


@staged
async def test_an_earlier_talk_that_no_agent_had_taken_yet_comes_back(stage: Stage) -> None:
    """A conversation opened before the first message is still remembered after a failed switch."""
    first = await stage.open()
    await talk(stage, first, "alpha", "I am Ann.", "Hello Ann.")
    client = await stage.open()
    await client.send("fetch-and-set-history", history_uid=first.context.history_uid)
    stage.ready = False
    await switch(client, "beta.yaml")
    stage.engine("beta").start_ends(AgentError("No."))
    await stage.settle()
    client.new()
    await client.say("Who am I?")
    reply = await stage.stream("alpha")
    assert reply.talk == [("user", "I am Ann."), ("assistant", "Hello Ann."), ("user", "Who am I?")]


@staged(init_seconds=30)
async def test_an_init_that_takes_too_long(stage: Stage) -> None:
    """It is given up at its limit like one that fails."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    stage.ready = False
    await switch(client, "beta.yaml")
    await stage.advance(29.9)
    assert client.kinds() == SWITCHED["Beta"]
    await stage.advance(0.2)
    assert client.kinds() == ["error init-failed", "model Alpha"]
    assert stage.engine("beta").state == "cancelled"


@staged
async def test_an_unforeseen_failure_of_an_init(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, told in general words, and the earlier character comes back; nothing loops."""
    stage.expect_errors("agent init failed unexpectedly")
    client = await stage.open()
    await talk(stage, client, "alpha")

    async def break_down(*_: object) -> None:
        raise ZeroDivisionError("secret")

    with monkeypatch.context() as patch:
        patch.setattr(stage.pool, "acquire", break_down)
        await switch(client, "beta.yaml")
    assert client.kinds() == [*SWITCHED["Beta"], "error init-failed", "model Alpha"]
    assert "secret" not in client.errors()[0]["message"]
    await talk(stage, client, "alpha")


@staged
async def test_a_message_during_init_waits_in_its_turn(stage: Stage) -> None:
    """The turn begins at once, its answer comes from the new character when that is ready."""
    stage.ready = False
    client = await stage.open()
    await switch(client, "beta.yaml")
    client.new()
    await client.say("Hi?")
    assert client.kinds() == START
    stage.engine("beta").start_ends()
    (await stage.stream("beta")).token("Beta here.").end()
    await stage.settle()
    assert client.kinds() == ["audio Beta here.", *END]
    assert await client.history(conf_uid="uid_beta") == [("human", "Hi?"), ("ai", "Beta here.")]


@staged
async def test_a_message_during_an_init_that_fails(stage: Stage) -> None:
    """Its turn ends with the reason, and the earlier character is announced; the next message works."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    stage.ready = False
    await switch(client, "beta.yaml")
    await client.say("Hi?")
    client.new()
    stage.engine("beta").start_ends(AgentError("No such model."))
    await stage.settle()
    assert sorted(client.kinds()) == sorted(["error init-failed", "model Alpha", "error agent", *END])
    await talk(stage, client, "alpha")


@staged
async def test_a_switch_during_a_turn_that_waits_for_its_agent(stage: Stage) -> None:
    """The message goes to the new character, with memory and history there and not half at the old one."""
    stage.ready = False
    client = await stage.open()
    old = client.context.history_uid
    await client.say("Hi?")
    await switch(client, "beta.yaml")
    await client.send("create-new-history")
    stage.engine("beta").start_ends()
    reply = await stage.stream("beta")
    assert reply.talk == [("user", "Hi?")]
    reply.token("Beta.").end()
    await stage.settle()
    assert client.kinds() == [*START, *SWITCHED["Beta"], "new-history-created", "audio Beta.", *END]
    new = client.context.history_uid
    assert await client.history(new, "uid_beta") == [("human", "Hi?"), ("ai", "Beta.")]
    assert await client.history(old, "uid_alpha") == [("human", "Hi?")]
    assert await client.history(old, "uid_beta") == []
    assert stage.engine("alpha").state == "cancelled"


@staged
async def test_a_switch_in_mid_reply(stage: Stage) -> None:
    """The reply is cut off and its end told, what was shown is stored with the old character."""
    client = await stage.open()
    old = client.context.history_uid
    await client.say("Hi?")
    reply = await stage.stream("alpha")
    reply.token("One. Two")
    await stage.settle()
    await switch(client, "beta.yaml")
    assert reply.ended == "aborted"
    assert client.kinds() == [*START, "audio One.", *END, *SWITCHED["Beta"]]
    assert await client.history(old, "uid_alpha") == [("human", "Hi?"), ("ai", "One.")]
    await talk(stage, client, "beta")
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]


@staged
async def test_switching_back_has_a_new_memory(stage: Stage) -> None:
    """The engine is the same (it was kept), the talk is not."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    await switch(client, "beta.yaml")
    await switch(client, "alpha.yaml")
    await talk(stage, client, "alpha", "Again?")
    assert client.memory == [("user", "Again?"), ("assistant", "Yes.")]
    assert [engine.model for engine in stage.engines] == ["alpha", "beta"]


@staged
async def test_switching_twice_to_the_same_file(stage: Stage) -> None:
    """Both are answered, one init is alive."""
    stage.ready = False
    client = await stage.open()
    await switch(client, "beta.yaml")
    await switch(client, "beta.yaml")
    assert client.kinds() == SWITCHED["Beta"] * 2
    starting = [engine for engine in stage.engines if engine.state == "starting"]
    assert len(starting) == 1
    starting[0].start_ends()
    await talk(stage, client, "beta")


@staged
async def test_a_hundred_switches_in_a_row(stage: Stage) -> None:
    """One init is alive, one result is installed, the superseded never finish or never begin."""
    stage.ready = False
    client = await stage.open()
    files = ["alpha.yaml", "beta.yaml", "gamma.yaml", "delta.yaml"]
    client.send_soon(*({"type": "switch-config", "file": files[i % 4]} for i in range(100)))
    await stage.settle()
    assert client.kinds() == [kind for i in range(100) for kind in SWITCHED[files[i % 4][:-5].title()]]
    alive = [engine for engine in stage.engines if engine.state == "starting"]
    assert [engine.model for engine in alive] == ["delta"]
    assert stage.pool.statistics().starting == 1
    assert all(engine.state in ("new", "cancelled", "closed") for engine in stage.engines if engine not in alive)
    alive[0].start_ends()
    await stage.settle()
    assert stage.pool.statistics().leased == 1
    assert stage.pool.statistics().engines == 1
    assert client.context.agent is not None
    assert client.context.agent.engine is alive[0]
    assert client.context._earlier is None


@staged
async def test_each_of_many_switches_begins_its_init(stage: Stage) -> None:
    """Also when there is time between them: the one before has ended before the next begins."""
    stage.ready = False
    client = await stage.open()
    for i in range(30):
        await switch(client, ["beta.yaml", "delta.yaml"][i % 2])
        assert [engine.state for engine in stage.engines].count("starting") == 1
    assert len(stage.engines) == 30
    stage.engines[-1].start_ends()
    await stage.settle()
    assert client.context.agent is not None
    assert client.context.agent.engine is stage.engines[-1]


@staged
async def test_a_late_failure_of_a_superseded_init_says_nothing(stage: Stage) -> None:
    """The client has already turned to another character."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    stage.ready = False
    await switch(client, "beta.yaml")
    beta = stage.engine("beta")
    client.send_soon({"type": "switch-config", "file": "delta.yaml"})
    beta.start_ends(AgentError("late"))
    await stage.settle()
    assert "error init-failed" not in client.kinds()
    stage.engine("delta").start_ends()
    await stage.settle()
    assert client.context.character.conf_name == "Delta"
    assert client.context._earlier is None


@staged
async def test_a_failing_switch_after_a_superseded_one_restores_who_was_ready(stage: Stage) -> None:
    """Alpha was ready, Beta was superseded, Delta fails: Alpha comes back with its memory."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    stage.ready = False
    await switch(client, "beta.yaml")
    await switch(client, "delta.yaml")
    client.new()
    stage.engine("delta").start_ends(AgentError("no"))
    await stage.settle()
    assert client.kinds() == ["error init-failed", "model Alpha"]
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]


@staged(outbox_messages=8)
async def test_a_switch_while_the_failure_of_the_last_waits_to_be_told(stage: Stage) -> None:
    """The character that had come back is still the one to come back to."""
    client = await stage.open()
    await talk(stage, client, "alpha")
    stage.ready = False
    await switch(client, "beta.yaml")
    client.connection.block()
    for _ in range(9):
        await client.send("heartbeat")
    client.new()
    stage.engine("beta").start_ends(AgentError("no"))
    await stage.settle()
    client.send_soon({"type": "switch-config", "file": "delta.yaml"})
    await stage.settle()
    stage.engine("delta").start_ends(AgentError("neither"))
    await stage.settle()
    client.connection.unblock()
    await stage.settle()
    assert client.kinds()[-1] == "model Alpha"
    assert client.context.character.conf_name == "Alpha"
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]


@staged
async def test_an_agent_that_could_not_start_is_tried_again(stage: Stage) -> None:
    """The first character has no earlier one: each message tries anew."""
    stage.ready = False
    client = await stage.open()
    await client.say("Hi?")
    stage.engine().start_ends(AgentError("Ollama is not running."))
    await stage.settle()
    assert sorted(client.kinds()) == sorted([*START, "error init-failed", "error agent", *END])
    stage.ready = True
    await talk(stage, client, "alpha")


@staged
async def test_wake_words_come_and_go_with_the_character(stage: Stage) -> None:
    """A failed switch brings back the machine in the state it was in."""
    client = await stage.open("gamma.yaml")
    await talk(stage, client, "gamma", "Hey Gamma, hello")
    machine = client.context.wake_word_manager
    assert machine is not None
    assert machine.state == "active"
    stage.ready = False
    await switch(client, "beta.yaml")
    assert client.context.wake_word_manager is None
    stage.engine("beta").start_ends(AgentError("no"))
    await stage.settle()
    assert client.context.wake_word_manager is machine


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
    await client.send("fetch-history-list")
    await client.send("fetch-and-set-history", history_uid="x")
    await client.send("delete-history", history_uid="x")
    await client.send("heartbeat")
    assert client.kinds() == ["error history"] * 3 + ["heartbeat-ack"]
