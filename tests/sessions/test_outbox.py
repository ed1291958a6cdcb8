"""Tests of outbox.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.helpers.loop import ManualLoop, advance, settle

from greenroom.sessions.outbox import Outbox, OutboxClosed
from greenroom.tasks import Job, TaskScope

Test = Callable[["Wire"], Coroutine[Any, Any, None]]


class Wire:
    """An outbox, its writer, and a socket that takes frames when told."""

    def __init__(self, scope: TaskScope, messages: int = 3, characters: int = 1000) -> None:
        self.scope = scope
        self.sent: list[str] = []
        self.stalls = 0
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.outbox = Outbox(
            self._send,
            max_messages=messages,
            max_bytes=characters,
            drain_seconds=10,
            on_stall=self._stall,
        )

    async def _send(self, text: str) -> None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.sent.append(text)

    def _stall(self) -> None:
        self.stalls += 1

    def start(self) -> Wire:
        self.scope.start(self.outbox.write, name="writer")
        return self

    def put(self, text: str, tag: object = None) -> Job[None]:
        """Put a frame from a job of its own."""
        job = self.scope.start(self.outbox.put, text, tag, name=text)
        assert isinstance(job, Job)
        return job


def wired(test: Test) -> Callable[[], None]:
    """Run a test with a wire, on a clock that only the test moves."""

    def run() -> None:
        async def play() -> None:
            async with TaskScope("test") as scope:
                await test(Wire(scope))

        with asyncio.Runner(loop_factory=ManualLoop) as runner:
            runner.run(play())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@wired
async def test_frames_are_written_in_order(wire: Wire) -> None:
    """What is put first is written first, also what was put before the writer began."""
    await wire.outbox.put("a")
    await wire.outbox.put("b")
    wire.start().open.set()
    await settle()
    await wire.outbox.put("c")
    await settle()
    assert wire.sent == ["a", "b", "c"]
    assert (wire.outbox.sent, len(wire.outbox), wire.outbox.size) == (3, 0, 0)


@wired
async def test_a_full_outbox_makes_senders_wait_in_order(wire: Wire) -> None:
    """Each is let in when there is room, in the order they came, and nobody slips in between."""
    wire.start()
    jobs = [wire.put(f"{i}") for i in range(10)]
    await settle()
    # One is in the hands of the socket, three wait in the box, six in front of it.
    assert [job.done() for job in jobs] == [True] * 4 + [False] * 6
    wire.open.set()
    await asyncio.sleep(0)
    await wire.outbox.put("late")
    await settle()
    assert wire.sent == [f"{i}" for i in range(10)] + ["late"]
    assert all(job.done() for job in jobs)


@wired
async def test_large_frames_fill_it_too(wire: Wire) -> None:
    """The bound in characters holds, but one frame always fits, however long."""
    await wire.outbox.put("x" * 5000)
    job = wire.put("y")
    await settle()
    assert not job.done()
    assert wire.outbox.size == 5000
    wire.start().open.set()
    await settle()
    assert job.done()
    assert wire.sent[1] == "y"


@wired
async def test_a_cancelled_sender_leaves_its_place(wire: Wire) -> None:
    """Those behind it move up; its frame is not written."""
    wire.start()
    jobs = [wire.put(f"{i}") for i in range(8)]
    await settle()
    jobs[5].cancel("not needed")
    await settle()
    assert jobs[5].cancelled()
    wire.open.set()
    await settle()
    assert wire.sent == ["0", "1", "2", "3", "4", "6", "7"]


@wired
async def test_cancelling_senders_in_the_tick_in_which_they_are_let_in(wire: Wire) -> None:
    """They end as cancelled, whether their frame was taken or not, and the others go on."""
    wire.start()
    jobs = [wire.put(f"{i}") for i in range(8)]
    await settle()
    jobs[4].cancel("at once")
    wire.open.set()
    wire.outbox.discard(object())
    await asyncio.sleep(0)
    jobs[6].cancel("at once")
    await settle()
    assert jobs[4].cancelled()
    assert all(job.done() for job in jobs)
    assert not [job for job in jobs if not job.cancelled() and job.exception()]
    assert [text for text in wire.sent if text not in "46"] == ["0", "1", "2", "3", "5", "7"]


@wired
async def test_discard_takes_back_a_group_wherever_it_waits(wire: Wire) -> None:
    """In the box and in front of it; the rest keeps its order and gets the room."""
    wire.start()
    turn = object()
    jobs = [wire.put(f"{i}", turn if i % 2 else None) for i in range(8)]
    await settle()
    assert wire.outbox.discard(turn) == 4
    assert wire.outbox.discard(turn) == 0
    wire.open.set()
    await settle()
    assert wire.sent == ["0", "2", "4", "6"]
    assert all(job.done() and not job.cancelled() for job in jobs)
    assert wire.outbox.size == 0


@wired
async def test_nothing_of_a_group_slips_in_after_discard(wire: Wire) -> None:
    """A sender of the group that waited does not get the room which discarding made."""
    wire.start()
    turn = object()
    jobs = [wire.put(f"{i}", turn) for i in range(8)]
    await settle()
    jobs[7].cancel("interrupted")
    wire.outbox.discard(turn)
    wire.open.set()
    await settle()
    assert wire.sent == ["0"]


@wired
async def test_a_client_that_does_not_read_is_given_up_once(wire: Wire) -> None:
    """After the deadline: told once, the box is closed, those who wait are woken."""
    wire.start()
    jobs = [wire.put(f"{i}") for i in range(8)]
    await advance(9.9)
    assert wire.stalls == 0
    await advance(0.2)
    assert wire.stalls == 1
    await advance(100)
    assert wire.stalls == 1
    assert [type(job.exception()) for job in jobs[4:]] == [OutboxClosed] * 4
    with pytest.raises(OutboxClosed, match="did not read for 10 s"):
        await wire.outbox.put("later")
    wire.open.set()
    await settle()


@wired
async def test_a_slow_client_is_not_given_up(wire: Wire) -> None:
    """What counts is whether that which waited at once was taken within the deadline."""
    wire.start()
    for i in range(20):
        await wire.outbox.put(f"{i}")
        await advance(9)
        wire.open.set()
        await settle()
        wire.open.clear()
    assert wire.stalls == 0
    assert len(wire.sent) == 20


@wired
async def test_closing_wakes_all(wire: Wire) -> None:
    """Senders get `OutboxClosed`, the writer ends, and what was not written is counted."""
    idle = Wire(wire.scope).start()
    wire.start()
    jobs = [wire.put(f"{i}") for i in range(8)]
    await settle()
    assert wire.outbox.close("bye") == 3
    assert wire.outbox.close() == 3
    assert idle.outbox.close() == 0
    wire.open.set()
    await settle()
    assert [type(job.exception()) for job in jobs[4:]] == [OutboxClosed] * 4
    assert wire.scope.running == frozenset()
    assert wire.sent == ["0"]


@wired
async def test_a_sender_cancelled_while_it_is_closed_stays_cancelled(wire: Wire) -> None:
    """Its cancellation propagates; nothing is left unheard."""
    wire.start()
    jobs = [wire.put(f"{i}") for i in range(6)]
    await settle()
    wire.outbox.close()
    jobs[4].cancel("now")
    wire.open.set()
    await settle()
    assert jobs[4].cancelled()
    assert isinstance(jobs[5].exception(), OutboxClosed)


@wired
async def test_a_socket_that_breaks_ends_it(wire: Wire) -> None:
    """Senders learn that the connection is lost; the writer ends without an error of its own."""
    wire.start()
    wire.error = ConnectionResetError("reset")
    jobs = [wire.put(f"{i}") for i in range(6)]
    await settle()
    wire.open.set()
    await settle()
    assert wire.scope.statistics().failed == 2
    assert {str(job.exception()) for job in jobs[4:]} == {"connection lost"}


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 2)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("discard"), st.integers(1, 2)),
    st.tuples(st.sampled_from(["take", "tick", "settle"]), st.just(0)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=60), st.integers(1, 4), st.booleans())
def test_any_sequence_keeps_order_and_bounds(steps: list[tuple[str, int]], room: int, closes: bool) -> None:
    """Frames are written in the order of `put`; only cancelled or discarded ones may be missing."""

    async def play() -> None:
        async with TaskScope("test") as scope:
            wire = Wire(scope, messages=room).start()
            tags = [None, object(), object()]
            jobs: list[tuple[Job[None], int]] = []
            spared: set[int] = set()
            for what, number in steps:
                if what == "put":
                    jobs.append((wire.put(f"{len(jobs)}", tags[number]), number))
                    # Jobs begin in the order they were made: the order of `put` is theirs.
                    await asyncio.sleep(0)
                elif what == "cancel" and number < len(jobs) and jobs[number][0].cancel("chosen"):
                    spared.add(number)
                elif what == "discard":
                    wire.outbox.discard(tags[number])
                    spared.update(i for i, (_, tag) in enumerate(jobs) if tag == number)
                elif what == "take":
                    wire.open.set()
                    await asyncio.sleep(0)
                    wire.open.clear()
                elif what == "settle":
                    await settle()
                else:
                    await asyncio.sleep(0)
                assert len(wire.outbox) <= room
                assert wire.outbox.size == sum(len(text) for text, _ in wire.outbox._queue)
            if closes:
                wire.outbox.close()
            wire.open.set()
            await settle()
            sent = [int(text) for text in wire.sent]
            assert sent == sorted(set(sent))
            assert all(job.done() for job, _ in jobs)
            for number, (job, _) in enumerate(jobs):
                if not closes and number not in spared:
                    assert number in sent
                error = None if job.cancelled() else job.exception()
                assert error is None or (closes and isinstance(error, OutboxClosed))
            wire.outbox.close()
            await settle()
            assert scope.running == frozenset()

    with asyncio.Runner(loop_factory=ManualLoop) as runner:
        runner.run(play())
