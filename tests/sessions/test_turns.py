"""Tests of turns.py: several messages, interruptions in each phase, and being cut off."""

from __future__ import annotations

import asyncio

import pytest
from tests.helpers.stage import Client, ScriptedStream, Stage, staged

from greenroom.conversation.turn import TurnInput

START = ["control start", "full-text Thinking..."]
END = ["force-new-message", "control end"]
MARK = ("user", "[Interrupted by user]")
NOTE = ("system", "[Interrupted by user]")


async def next_turn_works(stage: Stage, client: Client, model: str = "alpha") -> None:
    """Nothing of the old turn is in the way of the next."""
    client.new()
    stage.voice.auto = True
    await client.say("Next?")
    (await stage.stream(model)).token("Fine.").end()
    await stage.settle()
    if model == "delta":
        await client.send("frontend-playback-complete")
    kinds = client.kinds()
    assert kinds[:3] == [*START, "audio Fine."]
    assert kinds[-2:] == END


# -- several messages --------------------------------------------------------------------------------------


@staged
async def test_messages_wait_in_order_while_a_turn_runs(stage: Stage) -> None:
    """One turn at a time, none lost; the fifth is refused at once, and the others notice nothing."""
    client = await stage.open()
    for i in range(5):
        await client.say(f"{i}?")
    assert client.kinds() == [*START, "error busy"]
    assert stage.meter.refusals == ["busy"]
    for i in range(4):
        reply = await stage.stream()
        assert reply.talk[-1] == ("user", f"{i}?")
        reply.token(f"{i}.").end()
        await stage.settle()
        following = START if i < 3 else []
        assert client.kinds() == [f"audio {i}.", *END, *following]
    assert await client.history() == [
        line for i in range(4) for line in (("human", f"{i}?"), ("ai", f"{i}."))
    ]
    assert stage.meter.turns == ["finished"] * 4
    assert stage.meter.visits == [True, False, False, False]
    assert stage.meter.running == 0


@staged(turns_waiting=0)
async def test_without_waiting_places_a_second_message_is_refused(stage: Stage) -> None:
    """Told at once; the running turn goes on."""
    client = await stage.open()
    await client.say("one")
    await client.say("two")
    assert client.kinds() == [*START, "error busy"]
    (await stage.stream()).token("1.").end()
    await stage.settle()
    assert client.kinds() == ["audio 1.", *END]
    await next_turn_works(stage, client)


@staged
async def test_a_burst_in_one_packet(stage: Stage) -> None:
    """Messages that are read without a pause are turns in their order all the same."""
    client = await stage.open()
    client.send_soon(*({"type": "text-input", "text": f"{i}?"} for i in range(3)))
    for i in range(3):
        reply = await stage.stream()
        assert reply.talk[-1] == ("user", f"{i}?")
        reply.end()
    await stage.settle()
    assert client.kinds() == [*START, *END] * 3


# -- interruptions -----------------------------------------------------------------------------------------


@staged
async def test_interrupting_nothing(stage: Stage) -> None:
    """Without a turn it does nothing: no message, no memory, no history."""
    client = await stage.open()
    await client.send("interrupt-signal", text="whatever")
    await client.say("Hi?")
    (await stage.stream()).token("Yes.").end()
    await stage.settle()
    await client.send("interrupt-signal", text="Yes.")
    assert client.kinds() == [*START, "audio Yes.", *END]
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]
    assert await client.history() == [("human", "Hi?"), ("ai", "Yes.")]


@staged
async def test_interrupting_before_the_turn_took_its_first_step(stage: Stage) -> None:
    """Message and interruption in one packet: the turn never begins."""
    client = await stage.open()
    client.send_soon({"type": "text-input", "text": "Hi?"}, {"type": "interrupt-signal", "text": ""})
    await stage.settle()
    assert client.kinds() == []
    assert stage.engines == []
    await next_turn_works(stage, client)


@staged
async def test_interrupting_while_the_agent_loads(stage: Stage) -> None:
    """Nothing was said: memory does not know of it, history notes it; nothing can have been heard."""
    stage.ready = False
    client = await stage.open()
    await client.say("Hi?")
    assert client.kinds() == START
    await client.send("interrupt-signal", text="something of an earlier reply")
    stage.engine().start_ends()
    await stage.settle()
    assert client.kinds() == []
    assert await client.history() == [("human", "Hi?"), NOTE]
    await next_turn_works(stage, client)
    assert client.memory == [("user", "Next?"), ("assistant", "Fine.")]


@staged
async def test_interrupting_before_the_first_token(stage: Stage) -> None:
    """The provider's stream is aborted at once; the question is remembered as cut off."""
    client = await stage.open()
    await client.say("Hi?")
    reply = await stage.stream()
    await client.send("interrupt-signal", text="")
    assert reply.ended == "aborted"
    assert client.kinds() == START
    assert client.memory == [("user", "Hi?"), MARK]
    assert await client.history() == [("human", "Hi?"), NOTE]
    assert stage.meter.turns == ["cut off"]
    await next_turn_works(stage, client)


@staged
async def test_interrupting_in_mid_stream(stage: Stage) -> None:
    """Memory and history keep what was heard; nothing more of the turn is sent."""
    client = await stage.open()
    await client.say("Hi?")
    reply = await stage.stream()
    reply.token("One. Two. Thr")
    await stage.settle()
    client.new()
    await client.send("interrupt-signal", text="One.")
    reply.token("ee. Four.").end()
    await stage.advance(60)
    assert client.kinds() == []
    assert client.memory == [("user", "Hi?"), ("assistant", "One."), MARK]
    assert await client.history() == [("human", "Hi?"), ("ai", "One."), NOTE]
    await next_turn_works(stage, client)


@staged
async def test_interrupting_while_sentences_are_spoken(stage: Stage) -> None:
    """The voice is free at once, also of what waited in its line."""
    client = await stage.open("delta.yaml")
    await client.say("Hi?")
    (await stage.stream()).token("One. Two. Three. ")
    await stage.settle()
    assert stage.voice.speaking == "One."
    await client.send("interrupt-signal", text="")
    assert stage.voice.speaking is None
    assert sorted(stage.voice.cancelled) == ["One.", "Two."]
    assert client.kinds() == START
    await next_turn_works(stage, client, "delta")


@staged
async def test_interrupting_the_playback(stage: Stage) -> None:
    """The whole reply was sent, part of it heard: that part is what was said."""
    client = await stage.open("delta.yaml")
    stage.voice.auto = True
    await client.say("Hi?")
    (await stage.stream()).token("One. Two.").end()
    await stage.settle()
    client.new()
    await client.send("interrupt-signal", text="One.")
    await client.send("frontend-playback-complete")
    assert client.kinds() == []
    assert client.memory == [("user", "Hi?"), ("assistant", "One."), MARK]
    assert await client.history() == [("human", "Hi?"), ("ai", "One."), NOTE]
    assert len(client.context.message_handler) == 0
    await next_turn_works(stage, client, "delta")


@staged
async def test_interrupting_a_turn_that_is_ending_already(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was heard: there is nothing to cut, the reply is kept whole, the chain ends as ever."""
    client = await stage.open()
    await client.say("Hi?")
    reply = await stage.stream()
    append = stage.histories.append_nowait
    held: list[object] = []

    def hold(*args: str, **more: str | None) -> object:
        stored = append(*args, **more)  # type: ignore[arg-type]
        if args[2] != "ai":
            return stored
        held.append(stored)
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr(stage.histories, "append_nowait", hold)
    reply.token("One.").end()
    await stage.settle()
    assert held
    client.new()
    await client.send("interrupt-signal", text="One.")
    await stage.advance(2)
    assert client.kinds() == ["error not-stored", *END]
    assert client.memory == [("user", "Hi?"), ("assistant", "One.")]
    assert await client.history() == [("human", "Hi?"), ("ai", "One.")]


@staged
async def test_an_interruption_drops_what_waits(stage: Stage) -> None:
    """The visitor turned to something else: no earlier message is answered any more."""
    client = await stage.open()
    for i in range(4):
        await client.say(f"{i}?")
    await stage.stream()
    await client.send("interrupt-signal", text="")
    assert client.kinds() == START
    await stage.advance(1)
    assert client.kinds() == []
    assert len(stage.engine().streams) == 1
    await next_turn_works(stage, client)


@staged
async def test_interruption_and_new_message_in_one_packet(stage: Stage) -> None:
    """What the page sends when one types while it speaks: the new turn follows, nothing of the old one."""
    client = await stage.open()
    await client.say("Hi?")
    reply = await stage.stream()
    reply.token("One. Two. T")
    await stage.settle()
    client.new()
    client.send_soon({"type": "interrupt-signal", "text": "One."}, {"type": "text-input", "text": "Stop!"})
    reply.token("hree. ")
    second = await stage.stream()
    assert second.talk == [("user", "Hi?"), ("assistant", "One."), MARK, ("user", "Stop!")]
    second.token("Ok.").end()
    await stage.settle()
    assert client.kinds() == [*START, "audio Ok.", *END]


@pytest.mark.parametrize("voice", [False, True])
@staged(outbox_messages=8)
async def test_interrupting_with_a_full_outbox(stage: Stage, voice: bool) -> None:
    """What waits to be written is taken back, also what waits for room; nothing of the turn follows."""
    client = await stage.open("delta.yaml" if voice else "alpha.yaml")
    stage.voice.auto = True
    await client.say("Hi?")
    reply = await stage.stream()
    await stage.settle()
    client.new()
    client.connection.block()
    for i in range(30):
        reply.token(f"Number {i}. ")
    await stage.settle()
    assert len(client.context.outbox) == 8
    client.send_soon(
        {"type": "heartbeat"}, {"type": "interrupt-signal", "text": "Number 0."}, {"type": "heartbeat"}
    )
    await stage.settle()
    client.connection.unblock()
    await stage.settle()
    kinds = client.kinds()
    # The heartbeat had to wait behind the sentences, so those before it may be out; after it, nothing is.
    first = kinds.index("heartbeat-ack")
    assert kinds[first:] == ["heartbeat-ack", "heartbeat-ack"]
    assert kinds[:first] == [f"audio Number {i}." for i in range(first)]
    await next_turn_works(stage, client, "delta" if voice else "alpha")


@staged(outbox_messages=8)
async def test_interrupting_a_client_that_reads_nothing(stage: Stage) -> None:
    """The interruption needs no room itself: all but the frame in the socket's hands is taken back."""
    client = await stage.open("delta.yaml")
    stage.voice.auto = True
    await client.say("Hi?")
    reply = await stage.stream()
    client.new()
    client.connection.block()
    for i in range(30):
        reply.token(f"Number {i}. ")
    await stage.settle()
    await client.send("interrupt-signal", text="Number 0.")
    assert len(client.context.outbox) == 0
    client.connection.unblock()
    await stage.settle()
    assert client.kinds() == ["audio Number 0."]
    assert client.memory == [("user", "Hi?"), ("assistant", "Number 0."), MARK]
    await next_turn_works(stage, client, "delta")


@staged
async def test_interrupting_again_and_again(stage: Stage) -> None:
    """Fifty exchanges, each cut off: one mark each, nothing left over."""
    client = await stage.open()
    for i in range(50):
        await client.say(f"{i}?")
        reply = await stage.stream()
        reply.token("Well. So")
        await stage.settle()
        await client.send("interrupt-signal", text="Well.")
        await client.send("interrupt-signal", text="Well.")
        assert reply.ended == "aborted"
    assert client.kinds() == [*START, "audio Well."] * 50
    assert len([line for line in await client.history() if line == NOTE]) == 50
    assert client.context.turns.current is None
    await next_turn_works(stage, client)


@staged
async def test_an_interruption_of_the_system_kind(stage: Stage) -> None:
    """The character's `interrupt_method` says whose words the mark is."""
    stage.characters.change("alpha.yaml", interrupt_method="system")
    client = await stage.open()
    await client.say("Hi?")
    await stage.stream()
    await client.send("interrupt-signal", text="")
    assert client.memory == [("user", "Hi?"), ("system", "[Interrupted by user]")]


# -- being cut off -----------------------------------------------------------------------------------------


async def replying(stage: Stage, client: Client) -> ScriptedStream:
    await client.say("Hi?")
    reply = await stage.stream()
    reply.token("One. Two")
    await stage.settle()
    client.new()
    return reply


@staged
async def test_a_new_conversation_cuts_the_turn_off(stage: Stage) -> None:
    """The client is told its end, the old conversation keeps what was shown, the new one begins empty."""
    client = await stage.open()
    old = client.context.history_uid
    reply = await replying(stage, client)
    await client.send("create-new-history")
    assert reply.ended == "aborted"
    assert client.kinds() == [*END, "new-history-created"]
    assert client.context.history_uid != old
    assert client.memory == []
    assert await client.history(old) == [("human", "Hi?"), ("ai", "One.")]
    assert await client.history() == []
    await next_turn_works(stage, client)


@staged
async def test_a_turn_that_waits_for_its_agent_moves_to_the_new_conversation(stage: Stage) -> None:
    """Its question is stored and remembered where its answer will be."""
    stage.ready = False
    client = await stage.open()
    old = client.context.history_uid
    await client.say("Hi?")
    await client.send("create-new-history")
    stage.engine().start_ends()
    (await stage.stream()).token("Yes.").end()
    await stage.settle()
    assert client.kinds() == [*START, "new-history-created", "audio Yes.", *END]
    assert client.memory == [("user", "Hi?"), ("assistant", "Yes.")]
    assert await client.history() == [("human", "Hi?"), ("ai", "Yes.")]
    assert await client.history(old) == [("human", "Hi?")]


@staged
async def test_messages_that_wait_go_on_in_the_new_conversation(stage: Stage) -> None:
    """Memory and history of old and new are never mixed."""
    client = await stage.open()
    old = client.context.history_uid
    await replying(stage, client)
    await client.say("Second?")
    await client.send("create-new-history")
    second = await stage.stream()
    assert second.talk == [("user", "Second?")]
    second.token("Yes.").end()
    await stage.settle()
    assert client.memory == [("user", "Second?"), ("assistant", "Yes.")]
    assert (await client.history())[-2:] == [("human", "Second?"), ("ai", "Yes.")]
    assert ("ai", "Yes.") not in await client.history(old)


@staged(outbox_messages=8)
async def test_cutting_off_while_the_client_reads_nothing(stage: Stage) -> None:
    """A waiting message that begins while the client is told of the end does not answer into two talks."""
    client = await stage.open()
    old = client.context.history_uid
    await client.say("Hi?")
    reply = await stage.stream()
    client.connection.block()
    for i in range(30):
        reply.token(f"Number {i}. ")
    await stage.settle()
    await client.say("Second?")
    client.send_soon({"type": "create-new-history"})
    await stage.settle()
    client.connection.unblock()
    await stage.settle()
    stage.engine().streams[-1].token("Yes.").end()
    await stage.settle()
    new = client.context.history_uid
    assert new != old
    answers = [("human", "Second?"), ("ai", "Yes.")]
    assert (await client.history(new))[-2:] == answers or (await client.history(new)) == []
    if await client.history(new):
        assert client.memory == [("user", "Second?"), ("assistant", "Yes.")]
    else:
        assert client.memory == []


@staged
async def test_deleting_the_current_conversation_in_mid_reply(stage: Stage) -> None:
    """It stays deleted: what comes later belongs to a new one."""
    client = await stage.open()
    old = client.context.history_uid
    await replying(stage, client)
    await client.send("delete-history", history_uid=old)
    assert client.kinds() == [*END, "history-deleted"]
    assert client.context.history_uid is None
    assert await client.history(old) == []
    await next_turn_works(stage, client)
    assert await client.history(old) == []
    assert await client.history() == [("human", "Next?"), ("ai", "Fine.")]


@staged
async def test_deleting_the_current_conversation_while_the_agent_loads(stage: Stage) -> None:
    """The message that waits moves to a new conversation instead of bringing the deleted one back."""
    stage.ready = False
    client = await stage.open()
    old = client.context.history_uid
    await client.say("Hi?")
    await client.send("delete-history", history_uid=old)
    stage.engine().start_ends()
    (await stage.stream()).token("Yes.").end()
    await stage.settle()
    assert await client.history(old) == []
    assert await client.history() == [("human", "Hi?"), ("ai", "Yes.")]


@staged
async def test_holding_the_conversation(stage: Stage) -> None:
    """`hold` returns when its turn has ended, and ends the turn when its caller is cancelled."""
    client = await stage.open()
    job = stage.start(hold(client, TurnInput("Hi?")))
    reply = await stage.stream()
    assert not job.done()
    reply.end()
    await stage.settle()
    assert job.done()
    job = stage.start(hold(client, TurnInput("Hi?")))
    reply = await stage.stream()
    client.new()
    job.cancel()
    await stage.settle()
    assert reply.ended == "aborted"
    assert client.kinds() == [], "whoever held it tells of the end, with the reason"


async def hold(client: Client, given: TurnInput) -> None:
    await client.context.turns.hold(given)
