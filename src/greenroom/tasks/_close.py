"""Closing a tree of scopes: a small state machine driven by the jobs' ends and by one timer.

It is not a coroutine on purpose: whoever called `close` may itself be cancelled, or be one of the jobs to be
closed, and the close must still come to its end. Callers only wait for its report.

The plan of a close with deadline T: everything refuses new work at once; the deepest level is cancelled first,
each level up when the one below has ended, or when its share of T/2 is over. At T/2, 3T/4, 7T/8 … 63T/64
whatever still runs is cancelled again: the first half belongs to honest clean-up in `finally`, which a second
cancel would cut short; the second half to jobs that swallow cancellations. At T the rest is abandoned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from ._census import remember_abandoned
from ._job import Job
from ._report import CloseReport

if TYPE_CHECKING:
    from ._scope import TaskScope

_cancel = asyncio.Task.cancel
AGAIN = tuple(1 - 0.5**k for k in range(1, 7))


class Closing:
    """One close under way; shared by all who ask for it."""

    __slots__ = (
        "_began", "_dropped", "_ended", "_excluded", "_inner", "_left", "_levels", "_outer", "_plan", "_stage",
        "_timer", "_waiters", "loop", "reason", "report", "scope", "timeout",
    )  # fmt: skip

    def __init__(self, scope: TaskScope, timeout: float, reason: str) -> None:
        self.scope = scope
        self.timeout = max(0.0, timeout)
        self.reason = reason
        self.report: CloseReport | None = None
        self.loop = asyncio.get_running_loop()
        self._began = monotonic()
        self._levels: list[list[TaskScope]] = []
        self._left: list[int] = []
        self._stage = -1
        self._ended = 0
        self._dropped = 0
        self._excluded: set[Job[Any]] = set()
        self._inner: set[Closing] = set()
        self._outer: list[Closing] = []
        self._plan: list[tuple[float, Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[CloseReport]] = []

    def begin(self) -> None:
        by_depth: list[list[TaskScope]] = []
        todo = [(self.scope, 0)]
        while todo:
            scope, depth = todo.pop()
            if scope.closing is not None and scope.closing is not self:
                # It is being closed by itself, with a deadline of its own: only its end is waited for.
                self._inner.add(scope.closing)
                scope.closing._outer.append(self)
                continue
            if depth == len(by_depth):
                by_depth.append([])
            by_depth[depth].append(scope)
            todo.extend((child, depth + 1) for child in scope.children)
        self._levels = by_depth[::-1]
        reason = f"{self.reason}: {self.scope.path}"
        for level, scopes in enumerate(self._levels):
            for scope in scopes:
                scope.adopt_closing(self, level)
                self._dropped += scope.stop_admitting(reason)
            self._left.append(sum(len(scope.running_jobs()) for scope in scopes))
        self._leave_out(asyncio.current_task())
        self._advance()
        if self.report is None:
            self._make_plan()

    def _make_plan(self) -> None:
        now, levels = self.loop.time(), len(self._levels)
        half = self.timeout / 2
        plan: list[tuple[float, Callable[[], None]]] = [
            (now + half * level / levels, self._next_level) for level in range(1, levels)
        ]
        plan += [(now + self.timeout * part, self._cancel_all) for part in AGAIN]
        plan.append((now + self.timeout, self._give_up_soon))
        self._plan = plan[::-1]
        self._timer = self.loop.call_at(plan[0][0], self._on_time)

    def _on_time(self) -> None:
        """Do what is due; one timer at a time, for a close that ends early leaves nothing behind."""
        due, step = self._plan.pop()
        step()
        while self._plan and self._plan[-1][0] <= due:
            self._plan.pop()[1]()
        if self._plan and self.report is None:
            self._timer = self.loop.call_at(self._plan[-1][0], self._on_time)

    def _leave_out(self, task: asyncio.Task[Any] | None) -> None:
        """A job of this tree that waits for its close is not waited for in turn."""
        if not isinstance(task, Job) or task.done():
            return
        above = scope = task.scope
        while above is not self.scope:
            if above.parent is None:
                return
            above = above.parent
        closing = scope.closing
        if closing is not None and task in scope.running_jobs() and task not in closing._excluded:
            closing._excluded.add(task)
            closing._left[scope.level] -= 1
            if closing is not self:
                closing._advance()

    async def wait(self) -> CloseReport:
        """Wait for the report. Cancelling the waiter does not stop the close."""
        if self.report is None:
            self._leave_out(asyncio.current_task())
            self._advance()
        if self.report is not None:
            return self.report
        waiter: asyncio.Future[CloseReport] = self.loop.create_future()
        self._waiters.append(waiter)
        return await waiter

    def job_ended(self, scope: TaskScope, job: Job[Any]) -> None:
        """Told by a scope of this tree, for each job that ended in time."""
        if job in self._excluded:
            self._excluded.discard(job)
            return
        self._ended += 1
        left = self._left
        left[scope.level] -= 1
        if left[scope.level] <= 0:
            self._advance()

    def _advance(self) -> None:
        if self.report is not None:
            return
        last = len(self._levels) - 1
        while self._stage < last and (self._stage < 0 or self._left[self._stage] <= 0):
            self._next_level()
        if self._stage == last and not self._inner and not any(left > 0 for left in self._left):
            self._finish([])

    def _next_level(self) -> None:
        if self._stage < len(self._levels) - 1:
            self._stage += 1
            self._cancel(job for job in self._running(self._stage) if not job.finishes)

    def _cancel_all(self) -> None:
        self._stage = len(self._levels) - 1
        for level in range(len(self._levels)):
            self._cancel(self._running(level))

    def _cancel(self, jobs: Iterator[Job[Any]]) -> None:
        reason = f"{self.reason}: {self.scope.path}"
        for job in jobs:
            if job.cancelled_by is None:
                job.cancelled_by = reason
            _cancel(job, reason)

    def _running(self, level: int) -> Iterator[Job[Any]]:
        for scope in self._levels[level]:
            yield from (job for job in tuple(scope.running_jobs()) if job not in self._excluded)

    def _give_up_soon(self) -> None:
        # One tick later: those cancelled in this very tick (a close with no time at all) get to end.
        self.loop.call_soon(self.give_up)

    def give_up(self) -> None:
        """End the close now; what still runs is abandoned."""
        if self.report is None:
            for inner in tuple(self._inner):
                inner.give_up()
            self._finish([job for level in range(len(self._levels)) for job in self._running(level)])

    def _finish(self, stuck: list[Job[Any]]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._plan.clear()
        infos = tuple(remember_abandoned(job) for job in stuck)
        for job, info in zip(stuck, infos, strict=True):
            job.scope.lose(job, info)
        seconds = monotonic() - self._began
        count = sum(len(scopes) for scopes in self._levels)
        self.report = CloseReport(
            self.scope.path, self.reason, seconds, self._ended, self._dropped, infos, count
        )
        reason = f"{self.reason}: {self.scope.path}"
        for scopes in self._levels:
            for scope in scopes:
                if scope is self.scope:
                    scope.closed(self.report)
                else:
                    mine = tuple(info for info in infos if info.owner == scope.path) if infos else ()
                    scope.closed(CloseReport(scope.path, reason, seconds, 0, 0, mine, 1))
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(self.report)
        self._waiters.clear()
        for outer in self._outer:
            outer._inner.discard(self)
            outer._advance()
        self._outer.clear()
