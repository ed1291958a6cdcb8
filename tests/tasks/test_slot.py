"""The slot that holds only the latest job."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from greenroom.tasks import LatestSlot, ScopeClosed, TaskScope, current_job

from .recording import Stubborn, forever, value
from .virtual_loop import now, ticks, virtual


@virtual
async def test_the_latest_wins() -> None:
    """Of five quick starts only the last one runs, after the first has ended; the others never begin."""
    trail: list[str] = []

    async def work(name: int) -> None:
        trail.append(f"{name} begins")
        try:
            await asyncio.sleep(1)
        finally:
            trail.append(f"{name} ends")

    async with TaskScope("page") as scope:
        slot = LatestSlot(scope, "init")
        jobs = [slot.start(work, 0)]
        await ticks()
        jobs += [slot.start(work, number) for number in range(1, 5)]
        await slot.settled()
        assert trail == ["0 begins", "0 ends", "4 begins", "4 ends"]
        assert [job.state for job in jobs] == ["cancelled", "dropped", "dropped", "dropped", "finished"]
        assert now() == 1001
        assert {job.name for job in jobs} == {"init"}
        assert "in test_the_latest_wins" in jobs[0].site


@virtual
async def test_is_current() -> None:
    """A job is current until a newer one is started, also after its end and seen from inside."""
    async with TaskScope("page") as scope:
        slot = LatestSlot(scope, "init")
        inside: list[bool] = []

        async def work() -> None:
            job = current_job()
            inside.append(job is not None and slot.is_current(job))

        assert slot.current is None
        first = slot.start(work)
        assert slot.current is first
        await first.wait()
        assert slot.current is None
        assert slot.is_current(first)
        running = slot.start(forever)
        await ticks()
        second = slot.start(work)
        assert not slot.is_current(first)
        assert not slot.is_current(running)
        assert slot.is_current(second)
        await slot.settled()
        assert inside == [True, True]
        assert slot.is_current(second)


@virtual
async def test_cancel_and_settle() -> None:
    """cancel ends what the slot holds; settled waits for one that is superseded but has not ended, too."""
    async with TaskScope("page") as scope:
        slot = LatestSlot(scope, "init")
        assert not slot.cancel()

        async def slow() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(1)

        old = slot.start(slow)
        await ticks()
        new = slot.start(forever)
        assert slot.cancel("interrupted")
        assert (new.state, new.cancelled_by) == ("dropped", "interrupted")
        await slot.settled()
        assert old.done()
        assert now() == 1001
        await slot.settled()


@virtual
async def test_two_slots_and_their_time_outs() -> None:
    """Slots of one scope do not know of each other; a job may have a time-out."""
    async with TaskScope("page") as scope:
        one, two = LatestSlot(scope, "one"), LatestSlot(scope, "two")
        first = one.start(value, 1, 1)
        second = two.start(value, 2, 1)
        third = LatestSlot(scope, "three").start(value, 3, 9, timeout=0.5)
        assert (await first, await second) == (1, 2)
        assert third.state == "failed"


@virtual
async def test_a_stuck_job_is_left_behind() -> None:
    """One that ignores its cancellation keeps its successor waiting for the closing time, not longer."""
    async with TaskScope("page", close_timeout=2) as scope:
        slot = LatestSlot(scope, "init")
        stubborn = Stubborn()
        slot.start(stubborn.run)
        await ticks()
        assert await slot.start(value, "new") == "new"
        assert now() == 1002
        stubborn.gate.set()
        await ticks()


@virtual
async def test_a_slot_does_not_keep_results() -> None:
    """The result of a job that has ended is not held by its slot."""

    class Big:
        pass

    async with TaskScope("page") as scope:
        slot = LatestSlot(scope, "init")

        async def make() -> Big:
            return Big()

        seen = weakref.ref(await slot.start(make))
        await ticks()
        gc.collect()
        assert seen() is None
        assert slot.current is None


@virtual
async def test_a_slot_of_a_closed_scope() -> None:
    """Starting in a closed scope is refused, settling and cancelling are not."""
    scope = TaskScope("page")
    slot = LatestSlot(scope, "init")
    slot.start(forever)
    await ticks()
    slot.start(forever)
    await scope.close()
    await slot.settled()
    assert not slot.cancel()
    with pytest.raises(ScopeClosed):
        slot.start(forever())
