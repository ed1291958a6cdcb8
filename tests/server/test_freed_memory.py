"""When freed memory is given back to the system."""

from __future__ import annotations

import asyncio
import sys

import pytest

from greenroom.server.freed_memory import FreedMemory, library_trim
from greenroom.tasks import TaskScope


async def seconds(freed: FreedMemory, *figures: tuple[float, float]) -> None:
    """So many seconds: resident MiB, and the share of a core."""
    for rss_mb, cpu_pct in figures:
        freed.look(rss_mb, cpu_pct)
        await asyncio.sleep(0)


async def ended(scope: TaskScope) -> None:
    """Wait for the jobs that run."""
    for job in tuple(scope.running):
        await job.wait()


async def test_it_is_asked_for_in_the_first_quiet_second_after_growth() -> None:
    """Not while it works: then memory is wanted again at once, and nobody shall wait for it."""
    asked: list[str] = []
    async with TaskScope("memory") as scope:
        freed = FreedMemory(scope, lambda: asked.append("trim"))
        await seconds(freed, (90, 1), (93, 0), (120, 80), (121, 95))
        assert (asked, scope.load[0]) == ([], 0)
        await seconds(freed, (121, 3))
        await ended(scope)
    assert asked == ["trim"]


async def test_what_stays_is_the_new_base() -> None:
    """Memory that is in use is not asked for again every second."""
    asked: list[str] = []
    async with TaskScope("memory") as scope:
        freed = FreedMemory(scope, lambda: asked.append("trim"))
        await seconds(freed, (90, 1), (100, 1))
        await ended(scope)
        await seconds(freed, *[(99.0, 1)] * 20, (102, 1))
        assert asked == ["trim"]
        await seconds(freed, (103, 1))
        await ended(scope)
        assert asked == ["trim"] * 2


async def test_one_at_a_time_and_none_when_it_closes() -> None:
    """While one is asked for no other is, and a closed scope is no error."""
    asked: list[str] = []
    scope = TaskScope("memory")
    freed = FreedMemory(scope, lambda: asked.append("trim"))
    async with scope:
        await seconds(freed, (90, 1), (100, 1), (90, 1), (100, 1), (90, 1), (100, 1))
        await ended(scope)
    assert asked == ["trim"]
    await seconds(freed, (90, 1), (100, 1))
    assert asked == ["trim"]


async def test_a_library_without_it() -> None:
    """Without the function nothing is started."""
    async with TaskScope("memory") as scope:
        await seconds(FreedMemory(scope, None), (90, 1), (200, 1))
        assert scope.load[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="a function of glibc")
def test_the_real_one() -> None:
    """glibc's own answers 1 if anything went back, else 0."""
    trim = library_trim()
    if trim is not None:
        assert trim() in (0, 1)
