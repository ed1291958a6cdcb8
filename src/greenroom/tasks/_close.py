"""Closing a tree of scopes: a state machine driven by the jobs' ends and by one timer.

No coroutine: whoever called `close` may be cancelled, or be one of the jobs to be closed, and the close must come
to its end all the same. With deadline T, everything refuses new work at once, and a scope's jobs are cancelled
when its children are closed, at T/4 at the latest. At T/2, 3T/4, 7T/8 … 63T/64 whatever still runs is cancelled
again: the first half belongs to honest clean-up in `finally`, which a second cancel would cut short, the second
half to jobs that swallow cancellations. At T the rest is abandoned.

A job cannot wait for its own end: one that closes its scope, or one above, goes on in the scope above that one.
Where there is none, the root's close neither ends it nor waits for it.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from ._admission import Admission
from ._census import JobInfo
from ._job import Job, current_job

if TYPE_CHECKING:
    from ._scope import TaskScope

PLAN = (0.0, *(0.5**k for k in range(6, 0, -1)), 0.75)
"""When something is due, as the part of the time that is left then; the last is the first."""

EMPTY = Admission(0, 0)
"""The queue of all scopes that are closing or closed."""


class CloseReport(NamedTuple):
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
        counts = f"{self.ended} jobs ended, {self.dropped} dropped, {len(self.abandoned)} abandoned"
        text = f"{self.scope} closed ({self.reason}) in {self.seconds * 1000:.1f} ms: {counts}"
        return text + "".join(f"\n  abandoned {info}" for info in self.abandoned)


class Closing:
    """The close of one scope, alone or as a part of one further up; shared by all who ask for it."""

    def __init__(self, scope: TaskScope, reason: str, told: str) -> None:
        self.report: CloseReport | None = None
        self._scope, self._reason = scope, reason
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._plan: list[tuple[float, float]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] | None = None
        self._pressed = False
        self._excused: set[Job[Any]] = set()
        self._lost: list[JobInfo] = []
        scope._closing, scope.closed_by = self, told
        scope.open, scope._room = False, 0
        dropped = list(scope._line.records()) if scope._line.waiting else []
        scope._line = EMPTY
        for record in dropped:
            record.leave(None, told)
        scope._counts["dropped"] += len(dropped)
        self._found = {"ended": 0, "dropped": len(dropped), "scopes": 1}

    async def wait(self) -> CloseReport:
        """Wait for the report. Cancelling this does not stop the close."""
        self._done = self._done or self._loop.create_future()
        try:
            await asyncio.wait((self._done,))
        finally:
            # If it was cancelled while it waited, it is waited for like the others from now on.
            self._excused -= {current_job()}
        assert self.report is not None
        return self.report

    def job_ended(self) -> None:
        """Told by the scope of each job that ended."""
        self._found["ended"] += 1
        if len(self._scope._running) <= len(self._excused):
            self._advance()

    def _tree(self) -> list[Closing]:
        """Those of this scope and all under it, deepest first; none starts anything any more."""
        if not self._scope._children:
            return [self]
        told = self._scope.closed_by or self._reason
        closings = [scope._closing or Closing(scope, told, told) for scope in self._scope.walk()]
        return closings[::-1]

    def begin(self, timeout: float) -> CloseReport | None:
        """Begin, or shorten the deadline; the report, if nothing has to be waited for."""
        if self.report is not None:
            return self.report
        closings, closer = self._tree(), current_job()
        if closer is not None and closer.scope._closing in closings and closer in closer.scope._running:
            above = self._scope.parent or self._scope
            closer.scope._running.discard(closer)
            closer.scope._started -= 1
            closer.scope = above
            above._running.add(closer)
            above._started += 1
            if above is self._scope:
                self._excused.add(closer)
        for closing in closings:
            closing._advance()
        if self.report is None:
            timeout = max(0.0, timeout)
            deadline = self._loop.time() + timeout
            if not self._plan or deadline < self._plan[0][0]:
                self._plan = [(deadline - timeout * part, part) for part in PLAN]
                self._arm()
        return self.report

    def _arm(self) -> None:
        """One timer at a time: a close that ends early leaves nothing behind."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._plan[-1][0], self._on_time) if self._plan else None

    def _on_time(self) -> None:
        _, left = self._plan.pop()
        for closing in self._tree():
            closing._press(left)
        self._arm()

    def _press(self, left: float) -> None:
        """Cancel, cancel again, or abandon what runs; `left` is the part of the time that is left."""
        if left > 0.5 and self._pressed:
            return
        self._pressed = True
        for job in self._scope._running - self._excused:
            if not left and not job.done():  # One that is done is about to say so.
                self._lost.append(self._scope._lose(job))
            elif left <= 0.5 or job.record is None or job.record.on_close == "cancel":
                # Not `job.cancel`: the reason is the scope's.
                asyncio.Task.cancel(job)  # pyright: ignore[reportUnknownMemberType]
        if not left:
            self._advance()

    def _advance(self) -> None:
        """Finish this scope if all in it has ended, then the one above, and so on."""
        closing: Closing | None = self
        while closing is not None and closing.report is None and not closing._scope._children:
            closing._press(1.0)
            if len(closing._scope._running) > len(closing._excused):
                return
            closing = closing._finish()

    def _finish(self) -> Closing | None:
        """Report, leave to the scope above what was counted, and return its close."""
        scope, parent = self._scope, self._scope.parent
        if self._plan:
            self._plan.clear()
            self._arm()
        ended, dropped, scopes = self._found.values()
        seconds, lost = self._loop.time() - self._began, tuple(self._lost)
        self.report = CloseReport(scope.path, self._reason, seconds, ended, dropped, lost, scopes)
        if self._done is not None:
            self._done.set_result(None)
        scope._pool = None  # Its threads end with it: when no late call holds it any more.
        scope._tell(scope._observer.scope_closed, self.report)
        if parent is None:
            return None
        parent._children.discard(scope)
        parent._started += scope._started
        for name, count in scope._counts.items():
            parent._counts[name] += count
        if (above := parent._closing) is not None:
            for name, count in self._found.items():
                above._found[name] += count
            above._lost += self._lost
        return above
