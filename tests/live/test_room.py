"""A room: what each viewer sees, in which order, whatever the others do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest
from tests.helpers.stage import Json, Stage, staged
from tests.live.theatre import GREETING, Seat, Theatre

from greenroom.agents.base import AgentError, ChatRequest
from greenroom.live.journal import Entry

START, END = "control conversation-chain-start", "control conversation-chain-end"
REPLY = [START, "full-text", "audio Fine.", "force-new-message", END]


def conversation(said: str, *, own: bool = False) -> list[str]:
    """What a viewer sees of a whole conversation."""
    return REPLY if own else [f"user-input-transcription {said}", *REPLY]


def talks(seat: Seat) -> list[str]:
    """`kinds`, without news of the queue."""
    return [kind for kind in seat.kinds() if not kind.startswith("queue-")]


@staged
async def test_each_viewer_is_greeted_once(stage: Stage) -> None:
    """The five messages come once, to the one who comes in."""
    async with Theatre(stage) as theatre:
        first = theatre.enter()
        await stage.settle()
        second = theatre.enter()
        await stage.settle()
        assert first.kinds() == second.kinds() == GREETING


@staged
async def test_everybody_sees_the_conversation(stage: Stage) -> None:
    """The message (not to its sender, who has written it), the reply and the end, in this order."""
    async with Theatre(stage) as theatre:
        seats = [theatre.enter() for _ in range(3)]
        for seat in seats:
            seat.new()
        await seats[1].say("Hello?")
        await theatre.reply()
        assert [seat.kinds() for seat in seats] == [
            conversation("Hello?"),
            conversation("Hello?", own=True),
            conversation("Hello?"),
        ]


@staged
async def test_the_start_is_seen_before_a_quick_agent_has_answered(stage: Stage) -> None:
    """An agent may compose its whole reply without a pause; nobody waits for it to hear that it begins."""
    async with Theatre(stage) as theatre:
        seat = theatre.enter()
        await seat.say("Anybody there?")
        await theatre.reply()
        seat.new()
        engine = stage.engine()
        stream, seen = engine.stream, list[str]()

        def asked(request: ChatRequest) -> AsyncGenerator[str, None]:
            seen.extend(seat.kinds())
            return stream(request)

        engine.stream = asked  # type: ignore[method-assign]
        await seat.say("Hello?")
        assert seen == [START]
        await theatre.reply()


@staged
async def test_messages_queue_and_senders_learn_their_place(stage: Stage) -> None:
    """While a conversation runs, each sender is told its place, again when it moves, and is then answered."""
    async with Theatre(stage) as theatre:
        a, b, c = (theatre.enter() for _ in range(3))
        await a.say("one")
        for seat in (a, b, c):
            seat.new()
        await b.say("two")
        await c.say("three")
        assert (a.kinds(), b.kinds(), c.kinds()) == ([], ["queue-state 1/1"], ["queue-state 2/2"])
        await theatre.reply()
        assert "queue-state 1/1" in c.kinds()
        await theatre.reply()
        await theatre.reply()
        said = [kind.split()[-1] for kind in talks(a) if kind.startswith("user-input")]
        assert said == ["two", "three"]
        assert [talk for _, talk in stage.engine().streams[-1].talk if talk in ("one", "two", "three")] == [
            "one",
            "two",
            "three",
        ]


@staged
async def test_a_dropped_message_is_told_to_its_sender_alone(stage: Stage) -> None:
    """With the reason, and when to come back."""
    async with Theatre(stage, queue={"per_sender": 1, "max_waiting": 2, "max_age_seconds": 60}) as theatre:
        a, b, c = (theatre.enter() for _ in range(3))
        await a.say("talk")
        for seat in (a, b, c):
            seat.new()
        await a.say("one")
        await a.say("two")
        await b.say("three")
        await c.say("four")
        assert a.kinds() == ["queue-state 1/1", "queue-dropped sender-full"]
        assert b.kinds() == ["queue-state 2/2"]
        (dropped,) = c.new()
        assert (dropped["reason"], dropped["retry_after"] > 0) == ("queue-full", True)
        await stage.advance(61)
        assert "queue-dropped expired" in a.kinds()
        assert "queue-dropped expired" in b.kinds()


@staged
async def test_the_same_words_twice(stage: Stage) -> None:
    """What waits already keeps its place; what is being answered is told as a duplicate."""
    async with Theatre(stage, queue={"merge_seconds": 60}) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.say("Hi")
        await b.say("Ho")
        a.new(), b.new()
        await a.say("Hi")
        await b.say("Ho")
        assert a.kinds() == ["queue-dropped duplicate"]
        assert b.kinds() == ["queue-state 1/1"]
        await theatre.reply()
        await theatre.reply()
        await a.say("Hi")
        assert a.kinds()[-2:] == [START, "full-text"]


# -- coming and going -----------------------------------------------------------------


@staged
async def test_who_comes_in_mid_reply_sees_the_rest(stage: Stage) -> None:
    """It is told that a conversation runs, exactly if its start has been shown and its end has not."""
    async with Theatre(stage) as theatre:
        a = theatre.enter()
        await a.say("Hello?")
        stream = await stage.stream()
        stream.token("One. Two.")
        await stage.settle()
        late = theatre.enter()
        assert late.kinds() == [*GREETING, START]
        stream.token(" Three. ").end()
        await stage.settle()
        assert late.kinds() == ["audio Two.", "audio Three.", "force-new-message", END]
        later = theatre.enter()
        await stage.settle()
        assert later.kinds() == GREETING


@staged
async def test_a_sender_who_leaves_is_still_answered(stage: Stage) -> None:
    """What was said in public stays, while queued and in mid-reply; the others see it."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.say("one")
        await a.say("two")
        b.new()
        a.leave()
        await theatre.reply()
        await theatre.reply()
        assert talks(b) == [*REPLY[2:], *conversation("two")]


@staged
async def test_the_last_one_leaves_and_comes_back(stage: Stage) -> None:
    """The reply goes on, the next message waits for somebody to see it, in the same room."""
    async with Theatre(stage, rooms={"grace_seconds": 30}) as theatre:
        a = theatre.enter()
        await a.say("one")
        await a.say("two")
        a.leave()
        await theatre.reply()
        await stage.advance(29)
        assert len(stage.engine().streams) == 1
        back = theatre.enter()
        assert back.room is a.room
        await stage.settle()
        assert talks(back) == [*GREETING, *conversation("two")[:3]]
        await theatre.reply()
        await stage.advance(60)
        assert len(theatre.rooms) == 1


@staged
async def test_a_room_closes_after_its_grace_time(stage: Stage) -> None:
    """In mid-conversation too: it is cut off, what waits is dropped; whoever comes later finds a new room."""
    async with Theatre(stage, rooms={"grace_seconds": 30}) as theatre:
        a = theatre.enter()
        await a.say("one")
        await a.say("two")
        await stage.stream()
        a.leave()
        await stage.advance(30.1)
        assert len(theatre.rooms) == 0
        assert stage.engine().streams[0].ended == "aborted"
        assert a.room.queue.statistics().dropped == {"room-closed": 1}
        assert len(stage.services.registry) == 0
        fresh = theatre.enter()
        assert fresh.room is not a.room
        await fresh.say("three")
        await theatre.reply()
        assert talks(fresh) == [*GREETING, *REPLY]
        assert ("user", "one") not in stage.engine().streams[-1].talk


@staged
async def test_nobodys_playback_is_waited_for(stage: Stage) -> None:
    """When the last viewer leaves, a spoken turn ends instead of waiting for half a minute."""
    stage.voice.auto = True
    stage.characters.default = "delta.yaml"
    async with Theatre(stage) as theatre:
        a = theatre.enter()
        await a.say("one")
        await theatre.reply()
        assert a.kinds()[-1] == "backend-synth-complete"
        assert a.room.queue.conversation_active
        a.leave()
        await stage.settle()
        assert not a.room.queue.conversation_active
        b = theatre.enter()
        await b.say("two")
        b.leave()
        await theatre.reply()
        assert not a.room.queue.conversation_active


@staged
async def test_any_viewers_playback_ends_the_wait_once(stage: Stage) -> None:
    """The first answer counts; late and repeated ones do nothing to the next conversation."""
    stage.voice.auto = True
    stage.characters.default = "delta.yaml"
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.say("one")
        await a.say("two")
        await theatre.reply()
        await a.send("frontend-playback-complete")
        for _ in range(3):
            await b.send("frontend-playback-complete")
        stream = await stage.stream()
        stream.token("Two. ").end()
        await stage.settle()
        assert b.room.queue.conversation_active
        await b.send("frontend-playback-complete")
        assert not b.room.queue.conversation_active
        assert [kind for kind in b.kinds() if kind in (START, END)] == [START, END, START, END]


# -- cutting in -----------------------------------------------------------------------


@staged
async def test_any_viewer_may_interrupt(stage: Stage) -> None:
    """The conversation ends for all, the others are told so, and the queue goes on."""
    async with Theatre(stage) as theatre:
        a, b, c = (theatre.enter() for _ in range(3))
        await a.say("one")
        await c.say("two")
        (await stage.stream()).token("Once upon. ", "A time. ")
        await stage.settle()
        for seat in (a, b, c):
            seat.new()
        await b.send("interrupt-signal", text="Once")
        cut = ["interrupt-signal", "force-new-message", END]
        after = [START, "full-text"]
        assert a.kinds() == [*cut, "user-input-transcription two", *after]
        assert b.kinds() == ["user-input-transcription two", *after]
        assert [kind for kind in c.kinds() if not kind.startswith("queue")] == [*cut, *after]
        assert stage.engine().streams[0].ended == "aborted"
        await theatre.reply()
        assert a.room.queue.statistics().ended == {"interrupted": 1, "finished": 1}


CUT_IN: Json = {"type": "interrupt-signal", "text": "One."}
SWITCH: Json = {"type": "switch-config", "file": "beta.yaml"}


@staged
async def test_two_interrupt_in_the_same_moment(stage: Stage) -> None:
    """The first is heard, once: one mark in the history, one end for everybody else, and the queue goes on."""
    async with Theatre(stage) as theatre:
        a, b, c = (theatre.enter() for _ in range(3))
        await a.say("one")
        await a.say("two")
        (await stage.stream()).token("One. ", "Two. ")
        await stage.settle()
        for seat in (a, b, c):
            seat.new()
        await theatre.at_once((b, CUT_IN), (c, {**CUT_IN, "text": "One. Two."}))
        uid = a.room.context.history_uid
        assert uid is not None
        assert await stage.history(uid) == [
            ("human", "one"),
            ("ai", "One."),
            ("system", "[Interrupted by user]"),
            ("human", "two"),
        ]
        for seat, ends in ((a, 1), (b, 0), (c, 1)):
            assert seat.kinds().count(END) == ends
        await theatre.reply()
        assert a.room.queue.statistics().ended == {"interrupted": 1, "finished": 1}
        assert [kind for kind in b.kinds() if kind in (START, END)] == [END]


@pytest.mark.parametrize("first", [SWITCH, CUT_IN])
@staged
async def test_an_interruption_and_another_character(stage: Stage, first: Json) -> None:
    """In the same moment by two viewers, in either order: the others see one end."""
    async with Theatre(stage) as theatre:
        a, b, c = (theatre.enter() for _ in range(3))
        await a.say("one")
        (await stage.stream()).token("One. ", "Two. ")
        await stage.settle()
        a.new()
        second = CUT_IN if first is SWITCH else SWITCH
        await theatre.at_once((b, first), (c, second))
        assert a.kinds().count(END) == 1
        await a.say("two")
        await theatre.reply()
        assert a.kinds()[-2:] == REPLY[-2:]


class Notes:
    """A journal that only notes what a viewer had seen when its message was struck out."""

    def __init__(self) -> None:
        self.watcher: Seat | None = None
        self.seen: list[str] = []

    async def add(self, entry: Entry) -> None:
        pass

    async def remove(self, entry_id: str) -> None:
        # Gives everything that was sent before the time to arrive.
        for _ in range(20):
            await asyncio.sleep(0)
        assert self.watcher is not None
        self.seen += self.watcher.kinds()

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("end", ["reply", "interrupt-signal", "switch-config", "time-out"])
@staged(turn_seconds=500)
async def test_struck_out_before_the_end_is_seen(stage: Stage, end: str) -> None:
    """However it ends: once a viewer has seen that, no crash can bring the message back."""
    async with Theatre(stage, rooms={"conversation_seconds": 60}) as theatre:
        notes = Notes()
        theatre.rooms._journal = notes  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        a, b = theatre.enter(), theatre.enter()
        notes.watcher = a
        await a.say("one")
        (stream := await stage.stream()).token("One. ")
        await stage.settle()
        match end:
            case "reply":
                stream.end()
                await stage.settle()
            case "time-out":
                await stage.advance(61)
            case _:
                await b.send(end, file="beta.yaml")
        assert "audio One." in notes.seen
        assert END not in notes.seen
        assert END in a.kinds()


@staged
async def test_who_cut_in_too_early_hears_the_end(stage: Stage) -> None:
    """An interruption before there was anything to cut off is not one of the conversation that follows."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await theatre.at_once((a, {"type": "text-input", "text": "one"}), (b, CUT_IN))
        b.new()
        (await stage.stream()).token("One. ")
        await stage.settle()
        await a.send("interrupt-signal", text="")
        assert b.kinds()[-3:] == ["interrupt-signal", "force-new-message", END]


@staged
async def test_an_interruption_of_nothing(stage: Stage) -> None:
    """Nobody is told anything, and the next conversation is whole."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        a.new(), b.new()
        await a.send("interrupt-signal", text="")
        assert a.kinds() == b.kinds() == []
        await b.say("one")
        await theatre.reply()
        assert a.kinds() == conversation("one")


@staged
async def test_another_character_for_all(stage: Stage) -> None:
    """A switch cuts the conversation off, everybody is told its end once, and the queue goes on."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.say("one")
        await a.say("two")
        (await stage.stream()).token("Once upon. ", "A ")
        await stage.settle()
        b.new()
        await b.send("switch-config", file="beta.yaml")
        kinds = b.kinds()
        assert kinds.count(END) == 1
        assert {"set-model-and-conf", "config-switched"} < set(kinds)
        assert kinds.index(END) < kinds.index("user-input-transcription two")
        await theatre.reply()
        assert b.kinds()[-1] == END
        assert a.room.queue.statistics().ended == {"cut off": 1, "finished": 1}


# -- when things fail -----------------------------------------------------------------


@staged
async def test_a_failing_agent(stage: Stage) -> None:
    """All see the error and the end, and the queue goes on."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        b.new()
        await a.say("one")
        (await stage.stream()).fail(AgentError("The model fell over.", hint="Try again."))
        await stage.settle()
        assert b.kinds() == [
            "user-input-transcription one",
            START,
            "full-text",
            "error",
            "force-new-message",
            END,
        ]
        await a.say("two")
        await theatre.reply()
        assert b.kinds() == conversation("two")


@staged(turn_seconds=500)
async def test_a_conversation_that_takes_too_long(stage: Stage) -> None:
    """All are told the end of it; the next one begins after it, not within it."""
    async with Theatre(stage, rooms={"conversation_seconds": 60}, queue={"max_age_seconds": 300}) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.say("one")
        await stage.stream()
        await b.say("two")
        a.new(), b.new()
        await stage.advance(61)
        assert a.kinds() == [
            "error",
            "force-new-message",
            END,
            "user-input-transcription two",
            START,
            "full-text",
        ]
        assert stage.engine().streams[0].ended == "aborted"
        await theatre.reply()
        assert b.kinds()[-3:] == REPLY[-3:]
        assert a.room.queue.statistics().ended == {"timed out": 1, "finished": 1}


@staged
async def test_one_broken_viewer_is_dropped_alone(stage: Stage) -> None:
    """Neither one that does not read nor one whose socket fails costs the others anything."""
    stage.expect_errors("a viewer could not be written to")
    async with Theatre(stage) as theatre:
        good, mute, broken = (theatre.enter() for _ in range(3))
        good.new()
        mute.socket.unsent = 20_000
        broken.socket.error = RuntimeError("a bad transport")
        await good.say("one")
        await theatre.reply()
        assert good.kinds() == REPLY
        assert [code for code, _ in mute.socket.dropped] == [1013]
        assert [code for code, _ in broken.socket.dropped] == [1011]
        assert good.socket.dropped == []


@staged
async def test_a_room_that_reaches_nobody_is_replaced(stage: Stage) -> None:
    """After its writer gave up, whoever comes gets a new room, not a dead one."""
    async with Theatre(stage) as theatre:
        a = theatre.enter()
        a.room.context.outbox._stall()
        assert [code for code, _ in a.socket.dropped] == [1013]
        b = theatre.enter()
        await stage.settle()
        assert b.room is not a.room
        await b.say("one")
        await theatre.reply()
        assert talks(b) == [*GREETING, *REPLY]
        a.leave()
        await stage.settle()
        assert len(theatre.rooms) == 1


# -- what the character says unasked --------------------------------------------------


@staged
async def test_it_speaks_unasked_once(stage: Stage) -> None:
    """Of all the pages whose clock is up, one is heard; none while a conversation runs or waits."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        a.new(), b.new()
        for seat in (a, b, a):
            await seat.send("ai-speak-signal", idle_time=30)
        await theatre.reply()
        assert a.kinds() == b.kinds() == ["full-text", *REPLY]
        assert len(stage.engine().streams) == 1
        await a.say("one")
        await b.send("ai-speak-signal", idle_time=30)
        await theatre.reply()
        assert len(stage.engine().streams) == 2


@staged
async def test_a_message_waits_for_what_is_said_unasked(stage: Stage) -> None:
    """It is shown after that, not in the middle of it."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.send("ai-speak-signal", idle_time=30)
        a.new()
        await b.say("one")
        await theatre.reply()
        await theatre.reply()
        assert a.kinds() == [*REPLY[2:], *conversation("one")]


# -- many at once ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_busy_evening(seed: int) -> None:
    """Viewers come, go, talk and interrupt at random: one who stays sees conversations, one after another."""
    chance = random.Random(seed)

    @staged
    async def play(stage: Stage) -> None:
        async with Theatre(stage, queue={"per_sender": 5}) as theatre:
            host = theatre.enter()
            seats = [theatre.enter() for _ in range(5)]
            everyone = [host, *seats]
            answered = 0
            for number in range(150):
                dice = chance.random()
                seat = chance.choice(seats)
                if dice < 0.45:
                    await seat.say(f"m{number}")
                elif dice < 0.55:
                    await seat.send("interrupt-signal", text="")
                elif dice < 0.65:
                    seat.leave()
                    seats.remove(seat)
                    seats.append(theatre.enter())
                    everyone.append(seats[-1])
                else:
                    engines = stage.engines
                    if engines and engines[-1]._taken < len(engines[-1].streams):
                        stream = await engines[-1].next_stream()
                        if stream.ended is None:
                            stream.token(f"r{number}. ").end()
                            answered += 1
                    await stage.settle()
            for _ in range(200):
                if not host.room.queue.conversation_active:
                    break
                await theatre.reply()
            assert answered > 10
            counts = host.room.queue.statistics()
            assert counts.started == sum(counts.ended.values())
            assert counts.offered == counts.started + sum(counts.dropped.values())
            check(host)

    def check(host: Seat) -> None:
        talking = False
        said: list[str] = []
        for kind in talks(host)[len(GREETING) :]:
            if kind.startswith("user-input"):
                assert not talking, "a message in the middle of another's reply"
                said.append(kind.split()[-1])
            elif kind == START:
                assert not talking
                talking = True
            elif kind == END:
                assert talking
                talking = False
            elif kind.startswith("audio"):
                assert talking
        assert not talking
        assert len(set(said)) == len(said)

    play()
