"""`TaskScope`: the one owner of a set of background tasks.

The eight rules it is built on, each learned from a measurement or from another library's bug:

1. What waits is a record, not a task; refused or superseded work never becomes one.
2. Close = refuse new, drop waiting, cancel running, wait with a deadline, cancel again, report the abandoned.
3. Closing from inside one of its own jobs does not deadlock; the closer's own cancellation propagates.
4. A failure is reported at once with owner and site, and never cancels siblings.
5. A job may be cancelled before its first step, so what it needs it acquires inside.
6. The creation site is a code object and an offset; it becomes text only when somebody looks.
7. Overlap policies have the names people know, and always a key and a bound.
8. Nothing here walks over all tasks; counts are kept.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context, ContextVar, copy_context
from time import monotonic as _monotonic
from types import CoroutineType, FrameType, TracebackType
from typing import Any, TypeVar, Unpack

from ._admission import Admission, Entry
from ._census import forget_abandoned, remember_abandoned
from ._close import Closing
from ._errors import JobCancelled, ScopeClosed, ScopeFull
from ._job import AnyJob, Job, Policy, QueuedJob, Work, name_of
from ._report import CloseReport, JobInfo, log
from ._threads import in_thread
from ._tree import OnClose, Options, ScopeTree, wrong_options

T = TypeVar("T")
_frame = sys._getframe
_running_loop = asyncio.get_running_loop

owner_variable: ContextVar[TaskScope | None] = ContextVar("greenroom_owner", default=None)
"""The scope that foreign tasks are charged to; only set while `strict()` is on."""
_watchers = 0


def watch(change: int) -> None:
    """Count the strict factories that are on: while there are any, each job's context names its owner."""
    global _watchers
    _watchers += change


class TaskScope(ScopeTree):
    """Owns background tasks; closing it ends them all, within a deadline, and says what it found.

    Args:
        name: its part of the owner path.
        parent: the scope it lives in; closing the parent closes it first.
        max_running: jobs at once; None for no limit.
        max_waiting: jobs that may wait for room, all keys together.
        max_waiting_per_key: the share of one key in that, with policy `queue`.
        close_timeout: seconds a close may take; inherited by children.
        observer: told about failures, abandoned jobs and closes; inherited by children.
        threads: worker threads for `run_in_thread`; one pool serves the whole tree (root only).
    """

    __slots__ = ()

    # -- starting ------------------------------------------------------------------------------------------

    def start(
        self,
        fn: Work[T],
        /,
        *args: Any,
        name: str | None = None,
        key: Hashable = None,
        policy: Policy | None = None,
        timeout: float | None = None,
        on_close: OnClose = "cancel",
    ) -> AnyJob[T]:
        """Run `fn(*args)` in the background; at once if there is room, else later and in order.

        Args:
            fn: an async function, or a coroutine (which is closed if it is refused).
            name: its part of the path; the function's name by default.
            key, policy: what to do while another job of this key is alive: `restart` it (the new one begins
                when the old one has ended), `drop` the new one, `queue` it (the default), or `keep_latest`
                (one waits at most).
            timeout: seconds from its beginning, after which it fails with `TimeoutError`.
            on_close: `finish` lets it go on for half of the closing time before it is cancelled.

        Raises:
            ScopeFull: no room to run nor to wait.
            ScopeClosed: the scope is closing or closed.
        """
        caller = _frame(1)
        if (
            key is None
            and timeout is None
            and policy is None
            and on_close == "cancel"
            and self.open
            and len(self._running) < self._max_running
            and (self._line is None or not self._line.queue)
        ):
            # The common case, written out: it costs about as much as a bare create_task (benchmarks/tasks).
            coro: Coroutine[Any, Any, T] = fn if type(fn) is CoroutineType else fn(*args)  # type: ignore
            if name is None:
                try:
                    name = fn.__name__  # type: ignore[union-attr]
                except AttributeError:
                    name = name_of(fn)
            context = self._context() if _watchers else None
            job = Job(coro, loop=_running_loop(), name=name, context=context)
            job.scope = self
            job._code = caller.f_code
            job._lasti = caller.f_lasti
            job.created = _monotonic()
            self._running.add(job)
            self.started += 1
            job.add_done_callback(_ended)
            return job
        return self._admit(self._record(caller, fn, args, name, key, policy, timeout, on_close))

    def submit(
        self, fn: Work[T], /, *args: Any, **options: Unpack[Options]
    ) -> Coroutine[Any, Any, AnyJob[T]]:
        """`await` it: `start` that waits for room instead of raising `ScopeFull`; first come, first served.

        If the one who waits is cancelled, the job does not begin. Raises `ScopeClosed`, also while waiting.
        """
        return self._submit(self._record(_frame(1), fn, args, **options))

    def run(self, fn: Work[T], /, *args: Any, **options: Unpack[Options]) -> Coroutine[Any, Any, T]:
        """`await` it: runs `fn(*args)` as a job of this scope, waiting for room, and gives its result.

        Cancelling the caller cancels the job and waits for its end; a second time, leaves it to the scope.

        Raises what the job raised (it is then not reported elsewhere), `JobCancelled` if somebody else
        cancelled the job or it was superseded, dropped or closed before it began, and `ScopeClosed`.
        """
        return self._run(self._record(_frame(1), fn, args, **options))

    def run_in_thread(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        dispose: Callable[[T], object] | None = None,
        **options: Unpack[Options],
    ) -> Coroutine[Any, Any, T]:
        """`await` it: runs blocking `fn(*args)` in the tree's bounded thread pool, owned by a job.

        A thread cannot be cancelled: when the job is, the call goes on, its late result is handed to
        `dispose` (in a thread) and thrown away.
        """
        options.setdefault("name", name_of(fn))
        return self._run(self._record(_frame(1), in_thread, (self.root, fn, args, dispose), **options))

    # -- admission -----------------------------------------------------------------------------------------

    def _record(
        self, caller: FrameType, fn: Work[T], args: tuple[Any, ...], name: str | None = None,
        key: Hashable = None, policy: Policy | None = None, timeout: float | None = None,
        on_close: OnClose = "cancel",
    ) -> QueuedJob[T]:  # fmt: skip
        record = QueuedJob(
            self, fn, args, name or name_of(fn), key, policy or "queue", timeout, on_close == "finish",
            self._context(), caller.f_code, caller.f_lasti,
        )  # fmt: skip
        if problem := wrong_options(key, policy, on_close):
            record.drop(problem)
            raise ValueError(problem)
        return record

    def _context(self) -> Context:
        context = copy_context()
        if _watchers:
            context.run(owner_variable.set, self)
        return context

    def _has_room(self, record: QueuedJob[Any]) -> bool:
        if self._line is None:
            self._line = Admission(*self._limits)
        return self._line.has_room(record, len(self._running))

    def _admit(self, record: QueuedJob[T]) -> AnyJob[T]:
        if not self.open or not self._has_room(record):
            record.drop("refused")
            self.refused += 1
            if not self.open:
                raise ScopeClosed(f"{self.path} is closed: it cannot start {record.name!r}")
            raise ScopeFull(
                f"{self.path} is full ({len(self._running)} running, {self._waiting} waiting): "
                f"{record.name!r} refused; wait with submit, or raise max_running or max_waiting"
            )
        return self._offer(record)

    def _offer(self, record: QueuedJob[T]) -> AnyJob[T]:
        assert self._line is not None
        verdict, superseded = self._line.offer(record, len(self._running))
        for old in superseded:
            old.drop(f"superseded by {record.name}")
        self.superseded += len(superseded)
        if verdict == "begin":
            return self._begin(record)
        if verdict == "drop":
            self.dropped += 1
            record.drop(f"dropped: another job of key {record.key!r} is alive")
        elif verdict == "displace":
            self._displace(self._line.keys[record.key], record.name)
        return record

    def _displace(self, entry: Entry, newer: str) -> None:
        """Cancel the holder of a key; one that swallows it must not keep its successor waiting for ever."""
        job = entry.holder.job
        if job is None or entry.timer is not None:
            return
        loop = asyncio.get_running_loop()

        def again() -> None:
            job.cancel(f"superseded by {newer}")
            entry.timer = loop.call_later(self.close_timeout / 2, self._lose, job)

        self.superseded += 1
        job.cancel(f"superseded by {newer}")
        entry.timer = loop.call_later(self.close_timeout / 2, again)

    def _begin(self, record: QueuedJob[T]) -> Job[T]:
        job: Job[T] = Job(
            record.coroutine(), loop=asyncio.get_running_loop(), name=record.name, context=record.context
        )
        job._code = record._code
        job._lasti = record._lasti
        job.record = record
        record.job = job
        self._own(job)
        record.signal()
        return job

    def _own(self, job: Job[Any]) -> None:
        job.scope = self
        job.created = _monotonic()
        self._running.add(job)
        self.started += 1
        job.add_done_callback(_ended)

    def _adopt(
        self, coro: Coroutine[Any, Any, T], name: str | None, context: Context | None, creator: FrameType
    ) -> Job[T]:
        """Own a task that other code creates (for `strict`)."""
        job = Job(coro, loop=asyncio.get_running_loop(), name=name or name_of(coro), context=context)
        job._code = creator.f_code
        job._lasti = creator.f_lasti
        job.foreign = True
        self._own(job)
        return job

    async def _submit(self, record: QueuedJob[T]) -> AnyJob[T]:
        """The record of one who waits may stand in line beyond the bounds: each holds up its own task."""
        if not self.open or self._has_room(record):
            return self._admit(record)
        self._offer(record)
        self._submitters += 1
        try:
            await record.leave_queue()
        except asyncio.CancelledError:
            record.cancel("its submitter was cancelled")
            raise
        finally:
            self._submitters -= 1
        if record.job is not None:
            return record.job
        if self.open:
            raise JobCancelled(f"{record.path} never began: {record.cancelled_by}")
        raise ScopeClosed(f"{self.path} was closed while {record.name!r} waited for room")

    async def _run(self, record: QueuedJob[T]) -> T:
        record.delivered = True
        await self._submit(record)
        try:
            await record.wait()
        except asyncio.CancelledError:
            record.delivered = False
            job = record.job
            if job is None or not job.done():
                record.cancel("its caller was cancelled")
                await record.wait()
            elif job not in self._running and not job.cancelled() and job._exception is not None:
                # It failed in the very tick in which its caller was cancelled.
                self._tell(self._observer.job_failed, job, job._exception)
            raise
        try:
            if record.cancelled():
                raise JobCancelled(f"{record.path} was cancelled: {record.cancelled_by or 'by itself'}")
            return record.result()
        finally:
            # The traceback of an error holds this frame, which must not hold the error's job in turn.
            del record

    # -- ending --------------------------------------------------------------------------------------------

    def _failed(self, job: Job[Any], error: BaseException) -> None:
        by_close = not self.open and isinstance(error, (JobCancelled, ScopeClosed))
        if by_close:
            # What it waited for was closed a moment before itself: no failure of its own.
            self.cancelled += 1
        elif isinstance(error, TimeoutError) and (job.cancelled_by or "").startswith("timed out"):
            self.timed_out += 1
        else:
            self.failed += 1
        if not job.foreign and not (job.record is not None and job.record.delivered):
            job.exception()
            if not by_close:
                self._tell(self._observer.job_failed, job, error)

    def _fill(self) -> None:
        """Begin what waits, in order, as far as there is room."""
        line = self._line
        while line is not None and self.open and (record := line.take(len(self._running))) is not None:
            self._begin(record)

    def withdraw(self, record: QueuedJob[Any], reason: str) -> bool:
        """Take a job that has not begun out of the queue (see `QueuedJob.cancel`)."""
        if self._line is None or not self._line.withdraw(record):
            return False
        self.dropped += 1
        record.drop(reason)
        self._fill()
        return True

    def _lose(self, job: Job[Any]) -> JobInfo:
        """Give up waiting for a job that swallows its cancellation: count it, report it, go on without it."""
        info = remember_abandoned(job)
        self._running.discard(job)
        self.abandoned += 1
        self._tell(self._observer.job_abandoned, info)
        if self._line is not None and job.record is not None:
            self._line.ended(job.record)
        self._fill()
        return info

    # -- closing -------------------------------------------------------------------------------------------

    async def close(self, timeout: float | None = None, reason: str = "closed") -> CloseReport:
        """End everything in this scope and under it, deepest first; returns within `timeout` plus one tick.

        Idempotent: later and concurrent calls get the same report; an earlier deadline wins. Called from one
        of its own jobs, it ends all but that one, which goes on as a job of the parent. Jobs that swallow
        their cancellation are cancelled again, then abandoned: named in the report with owner, site, age and
        stack. If the closer is cancelled, the close goes on without it.

        Args:
            timeout: seconds; `close_timeout` by default.
            reason: noted as `cancelled_by` of each job.
        """
        if self._closing is None:
            self._closing = Closing(self, reason, f"{reason}: {self.path}", asyncio.get_running_loop())
        return await self._closing.run(self.close_timeout if timeout is None else timeout)

    def _stop_admitting(self, reason: str) -> int:
        """First step of a close: refuse new jobs and drop waiting ones; returns how many."""
        self.open = False
        waiting = [] if self._line is None else self._line.clear()
        for record in waiting:
            record.drop(reason)
        self.dropped += len(waiting)
        return len(waiting)

    async def __aenter__(self) -> TaskScope:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(reason="left its block" if error is None else f"left its block with {error!r:.80}")


def _ended(job: Job[Any]) -> None:
    """Each job's done-callback."""
    scope = job.scope
    try:
        scope._running.remove(job)
    except KeyError:
        forget_abandoned(job)
        error = None if job.cancelled() else job.exception()
        log.warning("abandoned %s ended after %.1f s", job.path, job.age, exc_info=error)
        return
    if job.cancelled():
        scope.cancelled += 1
    elif (error := job._exception) is None:
        scope.finished += 1
    else:
        scope._failed(job, error)
    line, closing = scope._line, scope._closing
    if line is not None and job.record is not None:
        job.record.release()
        line.ended(job.record)
    if closing is not None:
        closing.job_ended()
    elif line is not None:
        scope._fill()
