"""The census: who owns which task, right now, without stopping the loop to count.

Counts are kept by the scopes. A snapshot walks the tree in slices and yields to the loop between them.
Abandoned tasks are remembered here until they end: dropping the last reference to a pending task would let
Python destroy it in the middle of its work.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ._job import Job, QueuedJob
from ._report import JobInfo, info_of

if TYPE_CHECKING:
    from ._scope import TaskScope

SLICE = 250
"""Jobs looked at before the loop gets its turn: about 1 ms on a slow core."""
MOST_WAITING = 100_000
"""Waiting jobs of one scope that a search looks at."""

_abandoned: dict[Job[Any], JobInfo] = {}


def remember_abandoned(job: Job[Any]) -> JobInfo:
    info = info_of(job, stack=True)
    _abandoned[job] = info
    return info


def forget_abandoned(job: Job[Any]) -> None:
    _abandoned.pop(job, None)


def abandoned() -> tuple[JobInfo, ...]:
    """The abandoned jobs of this process that still run, with the stack they have now."""
    for job in [job for job in _abandoned if job.done() or job.get_loop().is_closed()]:
        del _abandoned[job]
    return tuple(info_of(job, stack=True) for job in _abandoned)


def abandoned_jobs() -> tuple[Job[Any], ...]:
    """The abandoned jobs of this process that still run, longest first."""
    return tuple(job for job in _abandoned if not job.done())


async def find_job(scope: TaskScope, id: str) -> Job[Any] | QueuedJob[Any] | None:
    """The job with this id that runs or waits under a scope, or was abandoned; None if it has ended.

    The loop runs between slices of the search.
    """
    looked = 0
    for owner in (None, *scope.walk()):
        jobs: list[Job[Any] | QueuedJob[Any]] = [*(abandoned_jobs() if owner is None else owner._running)]
        if owner is not None:
            jobs += owner.waiting_jobs(MOST_WAITING)
        for job in jobs:
            looked += 1
            if looked % SLICE == 0:
                await asyncio.sleep(0)
            if job.id == id and not job.done():
                return job
    return None


async def census(scope: TaskScope, *, stacks: bool = False, limit: int = 100_000) -> list[JobInfo]:
    """All running and waiting jobs of a scope and everything under it, at most `limit`.

    Waiting ones carry their place in the queue. `stacks` adds where each running job stands (dearer). The
    loop runs between slices, so jobs may end meanwhile: those are left out.
    """
    infos: list[JobInfo] = []
    looked = 0
    for owner in tuple(scope.walk()):
        jobs: list[Job[Any] | QueuedJob[Any]] = [*owner._running]
        first = len(jobs) - 1
        if owner._line is not None:
            jobs.extend(owner._line.records())
        for index, job in enumerate(jobs):
            looked += 1
            if looked % SLICE == 0:
                await asyncio.sleep(0)
            if len(infos) >= limit:
                return infos
            if not job.done():
                infos.append(info_of(job, max(0, index - first), stacks))
    return infos
