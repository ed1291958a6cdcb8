"""Tests of message_handler.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.helpers.loop import ManualLoop, advance, settle

from greenroom.sessions.message_handler import MessageHandler, Waiter
from greenroom.tasks import Job, TaskScope

DONE = "frontend-playback-complete"


class Desk:
    """A handler, and jobs that wait at it."""

    def __init__(self, scope: TaskScope) -> None:
        self.handler = MessageHandler(limit=5)
        self._scope = scope

    def wait(self, waiter: Waiter, seconds: float = 30) -> Job[bool]:
        job = self._scope.start(waiter.wait, seconds)
        assert isinstance(job, Job)
        return job


def at_desk(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test with a desk, on a clock that only the test moves; nobody may wait afterwards."""

    def run() -> None:
        async def play() -> None:
            async with TaskScope("test") as scope:
                desk = Desk(scope)
                await test(desk)
                await settle()
                assert scope.running == frozenset()
                assert len(desk.handler) == 0
                assert desk.handler._waiters == {}

        with asyncio.Runner(loop_factory=ManualLoop) as runner:
            runner.run(play())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@at_desk
async def test_an_answer_reaches_who_waits(desk: Desk) -> None:
    """The waiter returns True; nothing is left in the table."""
    job = desk.wait(desk.handler.expect(DONE))
    await settle()
    assert len(desk.handler) == 1
    assert desk.handler.handle(DONE)
    await settle()
    assert job.result() is True


@at_desk
async def test_an_answer_that_comes_before_the_wait_counts(desk: Desk) -> None:
    """The waiter is registered when it is made, so a quick client is not missed."""
    waiter = desk.handler.expect(DONE)
    desk.handler.handle(DONE)
    assert await waiter.wait(30) is True


@at_desk
async def test_repeated_and_unasked_answers_do_no_harm(desk: Desk) -> None:
    """The page repeats itself up to ten times, also late, also when nobody asked."""
    assert not desk.handler.handle(DONE)
    job = desk.wait(desk.handler.expect(DONE))
    await settle()
    for _ in range(10):
        desk.handler.handle(DONE)
    await settle()
    assert job.result() is True
    assert not desk.handler.handle(DONE)
    assert not desk.handler.handle("some-other-type")


@at_desk
async def test_an_answer_that_never_comes(desk: Desk) -> None:
    """The wait ends at its deadline, not before, with False."""
    job = desk.wait(desk.handler.expect(DONE), 30)
    await advance(29.9)
    assert not job.done()
    await advance(0.2)
    assert job.result() is False
    assert not desk.handler.handle(DONE)


@at_desk
async def test_several_wait_for_one_type(desk: Desk) -> None:
    """One answer is for all of them."""
    jobs = [desk.wait(desk.handler.expect(DONE)) for _ in range(3)]
    other = desk.wait(desk.handler.expect("other"))
    await settle()
    desk.handler.handle(DONE)
    await settle()
    assert [job.result() for job in jobs] == [True] * 3
    assert not other.done()
    desk.handler.handle("other")


@pytest.mark.parametrize(
    ("wanted", "given", "matches"),
    [
        (None, None, True), (None, "a", True), ("a", None, True), ("a", "a", True), ("a", "b", False),
        (1, 1, True), (1, 2, False), (0, 1, False),
    ],
)  # fmt: skip
def test_request_ids(wanted: str | int | None, given: str | int | None, matches: bool) -> None:
    """They must be equal if both sides name one; a client that names none is believed."""

    @at_desk
    async def test(desk: Desk) -> None:
        waiter = desk.handler.expect(DONE, wanted)
        desk.handler.handle(DONE, given)
        job = desk.wait(waiter, 5)
        await advance(5)
        assert job.result() is matches

    test()


@at_desk
async def test_who_is_cancelled_leaves_nothing(desk: Desk) -> None:
    """Also one that was never waited for, and twice."""
    waiter = desk.handler.expect(DONE)
    job = desk.wait(waiter)
    await settle()
    job.cancel("interrupted")
    unused = desk.handler.expect(DONE)
    unused.cancel()
    unused.cancel()
    waiter.cancel()
    await settle()
    assert job.cancelled()


@at_desk
async def test_who_waits_is_told_when_the_waiter_is_cancelled(desk: Desk) -> None:
    """Nobody else's cancellation becomes the one who waits' own."""
    waiter = desk.handler.expect(DONE)
    job = desk.wait(waiter)
    await settle()
    waiter.cancel()
    await settle()
    assert job.result() is False


@at_desk
async def test_closing_sends_everybody_home(desk: Desk) -> None:
    """All get False, also those who come later."""
    jobs = [desk.wait(desk.handler.expect(kind)) for kind in (DONE, DONE, "other")]
    await settle()
    assert desk.handler.close() == 3
    assert desk.handler.close() == 0
    late = desk.handler.expect(DONE)
    assert await late.wait(30) is False
    await settle()
    assert [job.result() for job in jobs] == [False] * 3


@at_desk
async def test_waiters_are_bounded(desk: Desk) -> None:
    """Somebody who forgets to let go is found out; the others still work."""
    waiters = [desk.handler.expect(f"{i}") for i in range(5)]
    with pytest.raises(RuntimeError, match="5 wait"):
        desk.handler.expect(DONE)
    for waiter in waiters:
        waiter.cancel()
    desk.handler.expect(DONE).cancel()
