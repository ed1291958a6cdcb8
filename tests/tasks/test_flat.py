"""Memory stays flat, however many jobs pass through a scope."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from greenroom.tasks import LatestSlot, ScopeFull, TaskScope

from .recording import Recorder, fail, forever


async def noop() -> None:
    pass


async def many(scope: TaskScope, count: int) -> None:
    """Every way a job can go: finished, failed, refused, superseded, queued, timed, in a closed child."""
    for number in range(count // 10):
        scope.start(noop)
        scope.start(noop())
        scope.start(fail, ValueError("x"))
        scope.start(noop, timeout=5)
        scope.start(noop, key=number % 7)
        LatestSlot(scope, "slot").start(noop)
        scope.start(forever, key="latest", policy="restart")
        child = scope.child("page")
        child.start(forever)
        await child.close()
        await scope.run(noop)
        try:
            scope.start(forever, key=number % 3, policy="keep_latest").cancel("not needed")
        except ScopeFull:
            pass
        await asyncio.sleep(0)


async def held(scope: TaskScope, count: int) -> int:
    """Bytes allocated when `count` jobs have gone."""
    await many(scope, count)
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Counter(Recorder):
    """Only counts, so that it does not grow itself."""

    failed = closed_scopes = 0

    def job_failed(self, *_: object) -> None:
        self.failed += 1

    def scope_closed(self, *_: object) -> None:
        self.closed_scopes += 1


async def check(count: int) -> None:
    """After warming up, `count` jobs more leave next to nothing behind."""
    observer = Counter()
    scope = TaskScope("app", max_running=100, max_waiting=100, observer=observer)
    tracemalloc.start()
    try:
        first = await held(scope, 2000)
        last = await held(scope, count)
    finally:
        tracemalloc.stop()
    stats = scope.statistics()
    assert stats.started >= count * 0.9
    assert stats.running <= 8
    assert observer.failed == stats.failed > 0
    assert observer.closed_scopes == stats.abandoned + (count + 2000) // 10
    await scope.close()
    # Tables grow in steps, asyncio's own list of tasks too; the smallest object a job would be many times this.
    assert last - first < 64_000


async def test_twenty_thousand_jobs_leave_nothing_behind() -> None:
    """The short form, in each run."""
    await check(20_000)


@pytest.mark.slow
async def test_a_million_jobs_leave_nothing_behind() -> None:
    """The long form."""
    await check(1_000_000)
