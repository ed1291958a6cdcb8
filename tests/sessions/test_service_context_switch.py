"""Tests of service_context.py: switching characters."""

from __future__ import annotations

import pytest
from tests.helpers.stage import Client, Stage, staged

from greenroom.agents.base import AgentError

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
            "features": ["history-rename", "history-search", "history-undo", "character-state"],
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
    ["nobody.yaml", "../alpha.yaml", "/etc/passwd", "BETA.yaml", "beta", "beta.yaml\0", "x" * 60_000, " "],
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
    others = {engine.state for engine in stage.engines if engine not in alive}
    assert others <= {"new", "cancelled", "closed"}
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


@staged
async def test_a_page_that_goes_while_its_character_loads(stage: Stage) -> None:
    """Ready, or failed, when nobody is there any more to be told: that is no failure of the server."""
    for name, error in (("beta", None), ("gamma", AgentError("no room"))):
        client = await stage.open()
        await client.send("fetch-configs", watch=True)
        stage.ready = False
        await switch(client, f"{name}.yaml")
        init = client.context._init.current
        assert init is not None
        client.context.outbox.close("connection lost")
        stage.engine(name).start_ends(error)
        await stage.settle()
        assert init.exception() is None
        await client.context.close()
