"""An observer that remembers, and jobs that behave badly on purpose."""

from __future__ import annotations

import asyncio
from typing import Any

from greenroom.tasks import CloseReport, Job, JobInfo, TaskScope


class Recorder:
    """Remembers what an observer is told."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str, BaseException]] = []
        self.abandoned: list[JobInfo] = []
        self.closed: list[CloseReport] = []

    def job_failed(self, job: Job[Any], error: BaseException) -> None:
        self.failures.append((job.path, job.site, error))

    def job_abandoned(self, info: JobInfo) -> None:
        self.abandoned.append(info)

    def scope_closed(self, report: CloseReport) -> None:
        self.closed.append(report)


async def forever() -> None:
    """Ends only when it is cancelled."""
    await asyncio.Event().wait()


async def value(result: object = None, seconds: float = 0) -> object:
    """Gives `result` after `seconds`."""
    await asyncio.sleep(seconds)
    return result


async def fail(error: BaseException) -> None:
    raise error


async def swallow(times: int) -> None:
    """Ignores the first `times` cancellations."""
    while times:
        try:
            await forever()
        except asyncio.CancelledError:
            times -= 1
    await forever()


class Stubborn:
    """A job that ignores every cancellation until the test lets it go."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.ignored = 0

    async def run(self) -> str:
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.ignored += 1
        return "late"


def books(scope: TaskScope) -> None:
    """The counters add up: whatever was started has ended in one way, or runs."""
    seen = scope.statistics()
    ended = seen.finished + seen.failed + seen.timed_out + seen.cancelled + seen.abandoned
    assert seen.started == ended + seen.running, seen
