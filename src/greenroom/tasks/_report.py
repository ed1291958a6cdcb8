"""Frozen values that tell what a scope holds, did, and left behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from ._job import Job, QueuedJob, State, await_stack

log = logging.getLogger("greenroom.tasks")


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


def info_of(job: Job[Any] | QueuedJob[Any], position: int = 0, stack: bool = False) -> JobInfo:
    frames = await_stack(job) if stack and isinstance(job, Job) else ()
    return JobInfo(job.scope.path, job.name, job.site, job.state, job.age, position, job.cancelled_by, frames)


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

    def job_failed(self, job: Job[Any], error: BaseException) -> None: ...
    def job_abandoned(self, info: JobInfo) -> None: ...
    def scope_closed(self, report: CloseReport) -> None: ...


class LoggingObserver:
    """The default: failures and abandoned jobs go to the logger `greenroom.tasks`, closes stay silent."""

    def job_failed(self, job: Job[Any], error: BaseException) -> None:
        log.error("%s failed (started at %s)", job.path, job.site, exc_info=error)

    def job_abandoned(self, info: JobInfo) -> None:
        log.error("abandoned %s", info)

    def scope_closed(self, report: CloseReport) -> None:
        log.debug("%s", report)
