"""What a scope holds, did, and left behind: frozen values, and who is told of them."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ._job import AnyJob, Job, State, await_stack, log

if TYPE_CHECKING:
    from ._close import CloseReport
    from ._scope import TaskScope

SLICE = 250
"""Jobs looked at before the loop gets its turn: about 1 ms on a slow core."""

_abandoned: dict[Job[Any], None] = {}
"""Kept until they end: without a last reference, Python would destroy a task in the middle of its work."""


class JobInfo(NamedTuple):
    """One job at one moment. `age` in seconds; `position` is its place in the queue, from 1, 0 if running."""

    owner: str
    name: str
    site: str
    state: State
    age: float
    position: int = 0
    cancelled_by: str | None = None
    stack: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = "; at " + " > ".join(self.stack) if self.stack else ""
        why = f"; {self.cancelled_by}" if self.cancelled_by else ""
        return f"{self.owner}/{self.name} ({self.state}, {self.age:.1f} s old, from {self.site}{why}{where})"


@dataclass(frozen=True, slots=True)
class ScopeStatistics:
    """Counts of one scope and of all that ever lived under it (closed children are added to their parent).

    `started` = `finished + failed + timed_out + cancelled + abandoned + running`.
    """

    running: int
    waiting: int
    started: int
    finished: int
    failed: int
    timed_out: int
    cancelled: int
    refused: int
    superseded: int
    dropped: int
    abandoned: int
    scopes: int
    submitters: int


class Observer(Protocol):
    """Told at once about what nobody else would hear of; inherited by child scopes. Must not raise."""

    def job_failed(self, job: Job[Any], error: BaseException) -> None:
        log.error("%s failed (started at %s)", job.path, job.site, exc_info=error)

    def job_abandoned(self, info: JobInfo) -> None:
        log.error("abandoned %s", info)

    def scope_closed(self, report: CloseReport) -> None:
        log.debug("%s", report)


class LoggingObserver(Observer):
    """The default: failures and abandoned jobs go to the logger `greenroom.tasks`, closes only for debugging."""


def info_of(job: AnyJob[Any], position: int = 0, stack: bool = False) -> JobInfo:
    frames = await_stack(job) if stack and isinstance(job, Job) else ()
    return JobInfo(job.scope.path, job.name, job.site, job.state, job.age, position, job.cancelled_by, frames)


def late_end(job: Job[Any]) -> None:
    """An abandoned job has ended after all; an error of it is not lost."""
    _abandoned.pop(job, None)
    error = None if job.cancelled() else job.exception()
    log.warning("abandoned %s ended after %.1f s", job.path, job.age, exc_info=error)


def abandoned_jobs() -> tuple[Job[Any], ...]:
    """The abandoned jobs of this process that still run, longest first."""
    for job in [job for job in _abandoned if job.done() or job.get_loop().is_closed()]:
        del _abandoned[job]
    return tuple(_abandoned)


def abandoned() -> tuple[JobInfo, ...]:
    """The abandoned jobs of this process that still run, with the stack they have now."""
    return tuple(info_of(job, stack=True) for job in abandoned_jobs())


def give_up(job: Job[Any]) -> JobInfo:
    """Remember an abandoned job until it ends."""
    _abandoned[job] = None
    job.add_done_callback(late_end)
    return info_of(job, stack=True)


async def census(scope: TaskScope, *, stacks: bool = False, limit: int = 100_000) -> list[JobInfo]:
    """All running and waiting jobs of a scope and everything under it, at most `limit`.

    Waiting ones carry their place in the queue. `stacks` adds where each running job stands (dearer). The
    loop runs between slices, so jobs may end meanwhile: those are left out.
    """
    infos: list[JobInfo] = []
    for passed, owner in enumerate(scope.walk(), 1):
        if passed % SLICE == 0:
            await asyncio.sleep(0)
        jobs: list[AnyJob[Any]] = [*owner.running, *owner.waiting_jobs(limit)]
        for place, job in enumerate(jobs, 1 - owner.load[0]):
            if len(infos) < limit and not job.done():
                infos.append(info_of(job, max(place, 0), stacks))
                if len(infos) % SLICE == 0:
                    await asyncio.sleep(0)
    return infos
