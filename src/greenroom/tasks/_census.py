"""What a scope holds, did, and left behind: frozen values, and who is told of them."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from ._job import AnyJob, Job, State, await_stack, log

if TYPE_CHECKING:
    from ._scope import TaskScope

SLICE = 250
"""Jobs looked at before the loop gets its turn: about 1 ms on a slow core."""

_abandoned: dict[Job[Any], None] = {}
"""Kept until they end: without a last reference, Python would destroy a task in the middle of its work."""


@dataclass(frozen=True, slots=True)
class JobInfo:
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


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What closing a scope found. Counts cover the scope and everything under it; `seconds` is wall time."""

    scope: str
    reason: str
    seconds: float
    ended: int
    """Jobs that were running when the close began and ended within the deadline."""
    dropped: int
    """Jobs that were waiting and never began."""
    abandoned: tuple[JobInfo, ...]
    scopes: int

    @property
    def clean(self) -> bool:
        return not self.abandoned

    def __str__(self) -> str:
        text = (
            f"{self.scope} closed ({self.reason}) in {self.seconds * 1000:.1f} ms: "
            f"{self.ended} jobs ended, {self.dropped} dropped, {len(self.abandoned)} abandoned"
        )
        return text + "".join(f"\n  abandoned {info}" for info in self.abandoned)


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


def give_up(job: Job[Any]) -> JobInfo:
    """Remember an abandoned job until it ends."""
    _abandoned[job] = None
    return info_of(job, stack=True)


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


async def census(scope: TaskScope, *, stacks: bool = False, limit: int = 100_000) -> list[JobInfo]:
    """All running and waiting jobs of a scope and everything under it, at most `limit`.

    Waiting ones carry their place in the queue. `stacks` adds where each running job stands (dearer). The
    loop runs between slices, so jobs may end meanwhile: those are left out.
    """
    infos: list[JobInfo] = []
    for looked, (job, position) in enumerate(_jobs(scope, limit), 1):
        if looked % SLICE == 0:
            await asyncio.sleep(0)
        if len(infos) >= limit:
            break
        if not job.done():
            infos.append(info_of(job, position, stacks))
    return infos


async def find_job(scope: TaskScope, id: str) -> AnyJob[Any] | None:
    """The job with this id that runs or waits under a scope, or was abandoned; None if it has ended.

    The loop runs between slices of the search.
    """
    given_up = ((job, 0) for job in abandoned_jobs())
    for looked, (job, _) in enumerate(chain(given_up, _jobs(scope, 100_000)), 1):
        if looked % SLICE == 0:
            await asyncio.sleep(0)
        if job.id == id and not job.done():
            return job
    return None


def _jobs(scope: TaskScope, most_waiting: int) -> Iterator[tuple[AnyJob[Any], int]]:
    """Each job of a tree, with its place in the queue of its scope."""
    for owner in tuple(scope.walk()):
        yield from ((job, 0) for job in tuple(owner._running))
        yield from ((job, place) for place, job in enumerate(owner.waiting_jobs(most_waiting), 1))
