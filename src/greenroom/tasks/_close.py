"""Closing a tree of scopes: a state machine driven by the jobs' ends and by one timer.

It is not a coroutine on purpose: whoever called `close` may itself be cancelled, or be one of the jobs to be
closed, and the close must still come to its end. Callers only wait for its report.

The plan of a close with deadline T: everything refuses new work at once; a scope's jobs are cancelled when
its children are closed, at T/4 at the latest. At T/2, 3T/4, 7T/8 … 63T/64 whatever still runs is cancelled
again: the first half belongs to honest clean-up in `finally`, which a second cancel would cut short; the
second half to jobs that swallow cancellations. At T the rest is abandoned.

A job that waits for the close of its own scope (or of one above) is excused: neither cancelled nor waited
for. When its scope is closed it goes on as a job of the scope above.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, cast

from ._job import Job, current_job
from ._report import CloseReport, JobInfo

if TYPE_CHECKING:
    from ._scope import TaskScope

AGAIN = tuple(0.5**k for k in range(6, 0, -1))
_cancel: Callable[[asyncio.Task[Any]], bool] = cast("Any", asyncio.Task).cancel


class Closing:
    """The close of one scope, alone or as a part of one further up; shared by all who ask for it."""

    __slots__ = (
        "_began", "_cancelled", "_deadline", "_dropped", "_ended", "_excused", "_loop", "_lost", "_plan",
        "_reason", "_scope", "_scopes", "_timer", "_waiters", "report",
    )  # fmt: skip

    def __init__(self, scope: TaskScope, reason: str, told: str, loop: asyncio.AbstractEventLoop) -> None:
        scope.closed_by = told
        self.report: CloseReport | None = None
        self._scope = scope
        self._reason = reason
        self._loop = loop
        self._began = loop.time()
        self._deadline = inf
        self._cancelled = False
        self._dropped = scope._stop_admitting(told)
        self._ended = len(scope._running)
        """Those to be ended; what is left in the end is taken off."""
        self._excused = 0
        self._scopes = 1
        self._lost: list[JobInfo] = []
        self._plan: list[tuple[float, Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []

    async def run(self, timeout: float) -> CloseReport:
        """Begin, or shorten the deadline, and wait for the report. Cancelling this does not stop it."""
        if self.report is None:
            closer = current_job()
            if closer is not None and not self._excuse(closer):
                closer = None
            self._go(max(0.0, timeout))
            if self.report is None:
                waiter: asyncio.Future[None] = self._loop.create_future()
                self._waiters.append(waiter)
                try:
                    await waiter
                finally:
                    if closer is not None and closer.closes is self._scope:
                        # It was cancelled while it waited: from now on it is waited for like the others.
                        closer.closes = None
                        closing_of(closer.scope)._excused -= 1
        assert self.report is not None
        return self.report

    def job_ended(self) -> None:
        """Told by the scope of each job that ended."""
        if len(self._scope._running) <= self._excused:
            self._advance()

    def _excuse(self, job: Job[Any]) -> bool:
        above: TaskScope | None = job.scope
        while above is not None and above is not self._scope:
            above = above.parent
        if above is None or job not in job.scope._running:
            return False
        if job.scope._closing is None:
            self._mark()
        closing_of(job.scope)._excused += 1
        job.closes = self._scope
        return True

    def _mark(self) -> list[TaskScope]:
        """Close the doors of the whole tree, before anything is cancelled; returns it, parents first."""
        scopes = list(self._scope.walk())
        told = self._scope.closed_by or self._reason
        for scope in scopes:
            if scope._closing is None:
                scope._closing = Closing(scope, told, told, self._loop)
        return scopes

    def _go(self, timeout: float) -> None:
        scopes = self._mark()
        for scope in reversed(scopes):
            closing = closing_of(scope)
            if closing._excused:
                # Those that wait for a smaller close inside this one have to end too.
                closing._cancel_jobs([job for job in scope._running if job.closes], self._scope.depth)
            closing._advance()
        deadline = self._loop.time() + timeout
        if self.report is None and deadline < self._deadline:
            self._deadline = deadline
            self._plan = [
                (deadline, self._give_up_soon),
                *((deadline - timeout * part, self._cancel_all) for part in AGAIN),
                (deadline - timeout * 0.75, self._cancel_rest),
            ]
            self._arm()

    def _arm(self) -> None:
        """One timer at a time: a close that ends early leaves nothing behind."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._plan[-1][0], self._on_time) if self._plan else None

    def _on_time(self) -> None:
        due = self._plan[-1][0]
        while self._plan and self._plan[-1][0] <= due:
            self._plan.pop()[1]()
        if self.report is None:
            self._arm()

    def _advance(self) -> None:
        scope = self._scope
        if self.report is not None or scope._children:
            return
        if not self._cancelled:
            self._cancel_first()
        if len(scope._running) <= self._excused:
            self._finish()

    def _cancel_first(self) -> None:
        self._cancelled = True
        scope = self._scope
        if scope._line is None and not self._excused:
            # Only plain jobs: nothing to look at. `cancelled_by` takes the reason from the scope.
            for job in list(scope._running):
                _cancel(job)
        else:
            jobs = [job for job in scope._running if job.record is None or not job.record.finishes]
            self._cancel_jobs(jobs, scope.depth)

    def _cancel_jobs(self, jobs: list[Job[Any]], depth: int) -> None:
        for job in jobs:
            if job.closes is None or job.closes.depth > depth:
                _cancel(job)

    def _cancel_rest(self) -> None:
        """A child that is stuck has had its time: do not let it take that of those above it."""
        for scope in self._scope.walk():
            if not closing_of(scope)._cancelled:
                closing_of(scope)._cancel_first()

    def _cancel_all(self) -> None:
        for scope in self._scope.walk():
            closing = closing_of(scope)
            closing._cancelled = True
            closing._cancel_jobs(list(scope._running), self._scope.depth)

    def _give_up_soon(self, ticks: int = 3) -> None:
        # A few ticks later: those cancelled in this very moment (a close with no time at all) get to end.
        if ticks:
            self._loop.call_soon(self._give_up_soon, ticks - 1)
        else:
            self._give_up()

    def _give_up(self) -> None:
        """End the close now; what still runs is abandoned."""
        for scope in reversed(list(self._scope.walk())):
            closing = closing_of(scope)
            closing._cancelled = True
            for job in [job for job in scope._running if job.closes is None]:
                closing._lost.append(scope._lose(job))
                closing._ended -= 1
            closing._advance()

    def _finish(self) -> None:
        scope, parent = self._scope, self._scope.parent
        self._plan.clear()
        self._arm()
        seconds = self._loop.time() - self._began
        self._ended -= len(scope._running)
        self.report = CloseReport(
            scope.path, self._reason, seconds, self._ended, self._dropped, tuple(self._lost), self._scopes
        )
        above = None if parent is None else parent._closing
        for job in scope._running:
            if job.closes is scope:
                job.closes = None
            if parent is not None:
                job.scope = parent
                parent._running.add(job)
                if above is not None:
                    above._ended += 1
                    if job.closes is not None:
                        above._excused += 1
                    elif above._cancelled:
                        _cancel(job)
        if parent is not None:
            scope._running = set()
            parent._absorb(scope)
        scope._tell(scope._observer.scope_closed, self.report)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        if above is not None:
            above._ended += self._ended
            above._dropped += self._dropped
            above._lost += self._lost
            above._scopes += self._scopes
            above._advance()


def closing_of(scope: TaskScope) -> Closing:
    assert scope._closing is not None
    return scope._closing
