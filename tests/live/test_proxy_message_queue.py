"""One room's queue: the gate opens again whatever happens, nothing is lost in silence, nothing said twice."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.hall import Fates, Hall, Scripted
from tests.tasks.virtual_loop import ticks, virtual

from greenroom.live.proxy_message_queue import ProxyMessageQueue
from greenroom.live.queue_policy import QueueItem
from greenroom.tasks import TaskScope


def balanced(queue: ProxyMessageQueue) -> None:
    """The queue's own counts add up."""
    counts = queue.statistics()
    assert counts.offered == counts.started + counts.merged + sum(counts.dropped.values()) + counts.waiting
    assert counts.started == sum(counts.ended.values()) + counts.active


@virtual
async def test_an_idle_message_starts_at_once() -> None:
    """No time passes between a message and its conversation, and its sender is not told of a queue."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger)
        await ticks()
        began = asyncio.get_running_loop().time()
        queue.queue_message("hello", "a")
        assert queue.has_pending_messages()
        await ticks()
        assert trigger.now is not None
        assert asyncio.get_running_loop().time() == began
        assert queue.conversation_active
        assert not queue.has_pending_messages()
        assert fates.places == {}
        trigger.end()
        await ticks()
        assert not queue.conversation_active
        assert fates.hows == {"finished": 1}
        balanced(queue)


def cancel_forward(hall: Hall, trigger: Scripted) -> None:
    (job,) = hall.forwards.running
    job.cancel("somebody")


ENDS: dict[str, Callable[[Hall, Scripted], object]] = {
    "finished": lambda hall, trigger: trigger.end(),
    "interrupted": lambda hall, trigger: trigger.end("interrupted"),
    "failed": lambda hall, trigger: trigger.fail(ValueError("broken")),
    "failed by a time-out of its own": lambda hall, trigger: trigger.fail(TimeoutError("the provider")),
    "client gone": lambda hall, trigger: trigger.fail(ConnectionResetError("vanished")),
    "cancelled": cancel_forward,
    "cancelled from within": lambda hall, trigger: trigger.fail(asyncio.CancelledError()),
}


@pytest.mark.parametrize("end", ENDS)
@virtual
async def test_the_gate_opens_however_it_ends(end: str, caplog: pytest.LogCaptureFixture) -> None:
    """After a success, error, interruption, vanished client or cancellation the next one starts."""
    caplog.set_level(logging.CRITICAL, "greenroom.live")
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger)
        queue.queue_message("one", "a")
        queue.queue_message("two", "b")
        await ticks()
        assert fates.started_texts == ["one"]
        ENDS[end](hall, trigger)
        await ticks(8)
        assert fates.started_texts == ["one", "two"]
        trigger.end()
        await ticks()
        assert not queue.conversation_active
        first = end if end in ("finished", "interrupted") else "cancelled" if "cancel" in end else "failed"
        assert fates.hows == Counter([first, "finished"])
        balanced(queue)


@virtual
async def test_the_gate_opens_after_a_time_out() -> None:
    """A conversation that takes too long is cancelled at its limit, not before, and the next one starts."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger, seconds=30)
        began = asyncio.get_running_loop().time()
        queue.queue_message("one", "a")
        queue.queue_message("two", "a")
        await ticks()
        await asyncio.sleep(29.9)
        assert fates.started_texts == ["one"]
        await asyncio.sleep(0.2)
        assert fates.started_texts == ["one", "two"]
        assert fates.hows == {"timed out": 1}
        assert 30 <= queue.statistics().wait_seconds < 30.1
        assert asyncio.get_running_loop().time() - began < 30.2
        trigger.end()
        await ticks()
        balanced(queue)


@virtual
async def test_a_forward_cancelled_before_its_first_step_loses_nothing() -> None:
    """The message still waits, and is forwarded once."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger)
        await ticks()
        queue.queue_message("one", "a")
        await ticks(1)
        cancel_forward(hall, trigger)
        assert fates.started_texts == []
        await ticks(8)
        assert fates.started_texts == ["one"]
        trigger.end()
        await ticks()
        assert fates.hows == {"finished": 1}
        balanced(queue)


@virtual
async def test_a_forward_withdrawn_while_it_waits_loses_nothing() -> None:
    """A forward that waits for its place among the rooms and is taken out there comes again."""
    async with Hall(max_concurrent_forwards=1) as hall:
        one, two = Scripted(), Scripted()
        first, _, _ = hall.room(one, name="one")
        second, fates, _ = hall.room(two, name="two")
        first.queue_message("x", "a")
        await ticks()
        second.queue_message("y", "a")
        await ticks()
        line = hall.forwards._line
        assert line is not None
        (record,) = line.records()
        record.cancel("somebody")
        await ticks()
        assert fates.started_texts == []
        one.end()
        await ticks(8)
        assert fates.started_texts == ["y"]
        two.end()
        await ticks()
        balanced(second)


@virtual
async def test_one_conversation_at_a_time_in_order() -> None:
    """A room's messages are forwarded one after another, senders in turn."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger, per_sender=5)
        for text in ("a1", "a2", "a3", "b1", "c1"):
            queue.queue_message(text, text[0])
        for _ in range(5):
            await ticks(8)
            trigger.end()
        await ticks()
        assert fates.started_texts == ["a1", "b1", "c1", "a2", "a3"]
        assert fates.places["a3"] == [3, 4, 3, 2, 1]
        balanced(queue)


@virtual
async def test_never_more_rooms_at_once_than_allowed() -> None:
    """Other rooms wait, their senders are told so, and each gets its turn in the order of asking."""
    async with Hall(max_concurrent_forwards=2) as hall:
        triggers = [Scripted() for _ in range(5)]
        rooms = [hall.room(trigger, name=f"r{number}") for number, trigger in enumerate(triggers)]
        for queue, _, _ in rooms:
            queue.queue_message("x", "a")
            await ticks()
        assert [bool(trigger.now) for trigger in triggers] == [True, True, False, False, False]
        assert [fates.places for _, fates, _ in rooms] == [{}, {}, {"x": [1]}, {"x": [1]}, {"x": [1]}]
        triggers[1].end()
        await ticks()
        assert [bool(trigger.now) for trigger in triggers] == [True, False, True, False, False]
        for number in (0, 2, 3, 4):
            triggers[number].end()
            await ticks()
        assert hall.most_at_once == 2
        for queue, fates, _ in rooms:
            assert fates.hows == {"finished": 1}
            balanced(queue)


@virtual
async def test_what_waits_too_long_is_told_without_any_other_event() -> None:
    """One timer tells each sender when the time is up; when nothing waits, there is none."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger, seconds=1000, max_age=10)
        queue.queue_message("talk", "a")
        await ticks()
        queue.queue_message("one", "b")
        await asyncio.sleep(4)
        queue.queue_message("two", "c")
        await asyncio.sleep(5.9)
        assert queue.statistics().dropped == {}
        await asyncio.sleep(0.2)
        assert queue.statistics().dropped == {"expired": 1}
        await asyncio.sleep(4)
        assert queue.statistics().dropped == {"expired": 2}
        assert queue._expiry is None
        trigger.end()
        await ticks()
        assert fates.started_texts == ["talk"]
        balanced(queue)


@virtual
async def test_a_paused_queue_keeps_messages() -> None:
    """While nobody watches, messages wait, are told so, and start when somebody comes; what runs goes on."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger)
        queue.queue_message("one", "a")
        await ticks()
        queue.pause()
        queue.queue_message("two", "a")
        trigger.end()
        await asyncio.sleep(5)
        assert fates.started_texts == ["one"]
        assert fates.places["two"] == [1]
        queue.resume()
        await ticks()
        assert fates.started_texts == ["one", "two"]
        trigger.end()
        await ticks()
        balanced(queue)


@virtual
async def test_a_pause_while_the_forward_waits_for_its_place() -> None:
    """Nobody watches any more when its turn comes: the message stays, and the place goes to another room."""
    async with Hall(max_concurrent_forwards=1) as hall:
        one, two = Scripted(), Scripted()
        first, _, _ = hall.room(one, name="one")
        second, fates, _ = hall.room(two, name="two")
        first.queue_message("x", "a")
        await ticks()
        second.queue_message("y", "a")
        await ticks()
        second.pause()
        one.end()
        await ticks(8)
        assert fates.started_texts == []
        assert not hall.forwards.running
        assert second.has_pending_messages()
        second.resume()
        await ticks(8)
        assert fates.started_texts == ["y"]
        two.end()
        await ticks()


@virtual
async def test_closing_tells_all_who_wait() -> None:
    """Each sender hears `room-closed`; later messages are refused for the same reason."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, scope = hall.room(trigger)
        for text in ("one", "two", "three"):
            queue.queue_message(text, text)
        await ticks()
        assert queue.close() == 2
        assert queue.close() == 0
        assert queue.queue_message("late", "a").reason == "room-closed"
        await scope.close()
        trigger.end()
        await ticks()
        assert sorted(fate for fates_ in fates.fate.values() for fate in fates_) == [
            "finished",
            "room-closed",
            "room-closed",
            "room-closed",
        ]
        balanced(queue)


@virtual
async def test_the_loop_ends_with_the_server() -> None:
    """When the conversations of all rooms are closed, a room's loop just ends; what waits is still told."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, scope = hall.room(trigger)
        await hall.forwards.close()
        queue.queue_message("one", "a")
        await ticks()
        assert scope.statistics().failed == 0
        assert not scope.running
        assert queue.close() == 1
        assert list(fates.fate.values()) == [["room-closed"]]


@virtual
async def test_what_was_accepted_before_a_restart_keeps_its_age() -> None:
    """It gets in beyond all bounds; what is too old is reported as expired."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger, max_waiting=1, per_sender=1, max_age=100)
        queue.pause()
        ages = {"older": 100.0, "old": 99.0, "young": 1.0}
        for text, age in ages.items():
            queue.queue_item(QueueItem(text, "a", text), age=age)
        assert fates.fate == {"older": ["expired"]}
        await asyncio.sleep(1.5)
        assert fates.fate["old"] == ["expired"]
        queue.resume()
        await ticks()
        assert fates.started_texts == ["young"]
        assert queue.statistics().wait_seconds == pytest.approx(2.5)
        trigger.end()
        await ticks()
        balanced(queue)


@virtual
async def test_a_merged_message_is_told() -> None:
    """The same words twice are one conversation: the second sender's message shares the first one's place."""
    async with Hall() as hall:
        trigger = Scripted()
        queue, fates, _ = hall.room(trigger, merge_window=5.0)
        queue.queue_message("talk", "a")
        await ticks()
        queue.queue_message("hi", "b")
        queue.queue_message("hi", "b")
        queue.queue_message("talk", "a")
        assert queue.statistics().merged == 2
        assert fates.places["hi"] == [1, 1]
        trigger.end()
        await ticks(8)
        trigger.end()
        await ticks()
        assert fates.started_texts == ["talk", "hi"]
        balanced(queue)


# -- whatever happens ------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 2), st.sampled_from("abc")),
        st.tuples(st.just("end"), st.integers(0, 2), st.sampled_from(sorted(ENDS))),
        st.tuples(st.just("cancel any"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("withdraw"), st.just(0), st.just("")),
        st.tuples(st.just("pause"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("resume"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("wait"), st.integers(1, 40), st.just("")),
        st.tuples(st.just("tick"), st.integers(1, 4), st.just("")),
    ),
    # Without it most lists have about five steps, in which hardly anything happens.
    min_size=30,
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(steps=STEPS, places=st.integers(1, 2))
def test_no_room_is_ever_stuck(steps: list[tuple[str, int, str]], places: int) -> None:
    """Whatever happened before, three rooms with one or two places then answer one message each, in turn."""
    logging.getLogger("greenroom.live").disabled = True

    @virtual
    async def run() -> None:
        async with Hall(max_concurrent_forwards=places) as hall:
            triggers = [Scripted() for _ in range(3)]
            rooms = [
                hall.room(trigger, name=f"r{number}", seconds=50, max_age=30, max_waiting=4)
                for number, trigger in enumerate(triggers)
            ]
            said = 0
            paused: dict[int, int] = {}
            """How many conversations a room had begun when it was paused."""
            for what, number, word in steps:
                if what == "say":
                    said += 1
                    rooms[number][0].queue_message(f"text {said}", word)
                    await ticks(8)
                elif what == "withdraw":
                    line = hall.forwards._line
                    for record in list(line.records()) if line is not None else ():
                        record.cancel("somebody")
                elif what == "end" and triggers[number].now is not None:
                    end = triggers[number]._end
                    if end is not None and not end.done():
                        if word == "cancelled":
                            end.cancel()
                        else:
                            ENDS[word](hall, triggers[number])
                elif what == "cancel any":
                    for job in list(hall.forwards.running)[: number + 1]:
                        job.cancel("somebody")
                elif what == "pause":
                    rooms[number][0].pause()
                    paused.setdefault(number, len(rooms[number][1].started_texts))
                elif what == "resume":
                    rooms[number][0].resume()
                    paused.pop(number, None)
                elif what == "wait":
                    await asyncio.sleep(number)
                elif what == "tick":
                    await ticks(number)
                assert hall.at_once <= places
                for room, begun in paused.items():
                    assert len(rooms[room][1].started_texts) == begun
                assert all(queue.statistics().oldest_age < 30.001 for queue, _, _ in rooms)
            for queue, _, _ in rooms:
                queue.resume()
            await ticks(12)
            wanted = sum(queue.has_pending_messages() or queue.conversation_active for queue, _, _ in rooms)
            assert hall.at_once == min(places, wanted), "a place is free, and somebody waits"
            await asyncio.sleep(51 * 20)
            for (queue, fates, _), trigger in zip(rooms, triggers, strict=True):
                assert not queue.has_pending_messages()
                assert not queue.conversation_active
                balanced(queue)
                assert all(len(fate) == 1 for fate in fates.fate.values())
                queue.queue_message("last", "z")
                await ticks()
                assert fates.started_texts[-1] == "last"
                trigger.end()
                await ticks()
                assert not queue.conversation_active
            assert hall.most_at_once <= places

    try:
        run()
    finally:
        logging.getLogger("greenroom.live").disabled = False


# -- ten thousand ----------------------------------------------------------------------

ROOMS, MESSAGES, AT_ONCE = 50, 10_000, 5


class Crowd:
    """Random conversations for one room, whose viewers come and go."""

    def __init__(self, hall: Hall, name: str, chance: random.Random) -> None:
        self.hall = hall
        self.name = name
        self.chance = chance
        self.queues: list[ProxyMessageQueue] = []
        self.fates: list[Fates] = []
        self.ids: list[str] = []
        self.order: list[tuple[str, int]] = []
        """Sender and number of each message that was talked about."""
        self.closing: asyncio.Event = asyncio.Event()
        self.scope: TaskScope
        self.open()

    def open(self) -> None:
        self.closing = asyncio.Event()
        queue, fates, self.scope = self.hall.room(
            self.talk, name=self.name, seconds=20.0, max_waiting=30, per_sender=10, max_age=1500.0
        )
        self.queues.append(queue)
        self.fates.append(fates)

    async def close(self) -> None:
        """The last viewer has gone for good."""
        self.queues[-1].close()
        self.closing.set()
        await self.scope.close()
        # As a room does: its conversation ends with it.
        await ticks()
        assert not self.hall.talking[self.name]

    async def talk(self, item: QueueItem) -> str | None:
        self.order.append((item.sender_id, item.message))
        fate = self.chance.random()
        if fate < 0.05:
            raise ValueError("the model fell over")
        if fate < 0.08:
            raise ConnectionResetError("the client vanished")
        try:
            async with asyncio.timeout(None if fate < 0.12 else self.chance.expovariate(1.0)):
                await self.closing.wait()
        except TimeoutError:
            return "interrupted" if fate < 0.3 else None
        return "cut off"

    async def live(self, messages: int) -> None:
        """Say that many messages, while viewers come, go, close the room and open it again."""
        for number in range(messages):
            sender = f"s{self.chance.randrange(12)}"
            item = QueueItem(f"{self.name}-{len(self.ids)}", sender, f"{self.name} {number}", number)
            self.ids.append(item.id)
            self.queues[-1].queue_item(item)
            await asyncio.sleep(self.chance.expovariate(1 / 15))
            dice = self.chance.random()
            if dice < 0.02:
                await self.close()
                self.open()
            elif dice < 0.1:
                self.queues[-1].pause()
                await asyncio.sleep(self.chance.random() * 20)
                self.queues[-1].resume()
            elif dice < 0.12 and self.hall.forwards.running:
                self.chance.choice(sorted(self.hall.forwards.running, key=lambda job: job.created)).cancel(
                    "chaos"
                )


@pytest.mark.parametrize("seed", [1, 2])
@virtual
async def test_ten_thousand_messages(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Fifty rooms, failures, time-outs, interrupts, cancelled jobs, rooms that close: each has one fate."""
    caplog.set_level(logging.CRITICAL, "greenroom.live")
    logging.getLogger("greenroom.live").disabled = True
    chance = random.Random(seed)
    try:
        async with Hall(AT_ONCE) as hall:
            crowds = [Crowd(hall, f"r{number}", random.Random(chance.random())) for number in range(ROOMS)]
            async with TaskScope("crowds") as scope:
                jobs = [scope.start(crowd.live, MESSAGES // ROOMS) for crowd in crowds]
                for job in jobs:
                    await job.wait()
                    job.result()
            for _ in range(2000):
                if not any(crowd.queues[-1].has_pending_messages() for crowd in crowds):
                    break
                await asyncio.sleep(10)
            await asyncio.sleep(100)
            totals: Counter[str] = Counter()
            for crowd in crowds:
                found: dict[str, list[str]] = {}
                for fates in crowd.fates:
                    for one, what in fates.fate.items():
                        found.setdefault(one, []).extend(what)
                assert sorted(found) == sorted(crowd.ids), "lost, or made up"
                assert all(len(what) == 1 for what in found.values()), "two fates"
                totals.update(what[0] for what in found.values())
                for queue in crowd.queues:
                    assert not queue.conversation_active
                    balanced(queue)
                check_order(crowd)
            assert hall.at_once == 0
            assert hall.most_at_once == AT_ONCE
            assert totals.total() == MESSAGES
            for how in ("finished", "failed", "timed out", "interrupted", "cancelled", "room-closed"):
                assert totals[how] > 20, totals
            assert totals["finished"] > MESSAGES / 3, totals
    finally:
        logging.getLogger("greenroom.live").disabled = False


def check_order(crowd: Crowd) -> None:
    """Each sender's messages were answered in the order in which they were said, none twice."""
    assert len(set(crowd.order)) == len(crowd.order)
    for sender in {sender for sender, _ in crowd.order}:
        numbers = [number for other, number in crowd.order if other == sender]
        assert numbers == sorted(numbers)
