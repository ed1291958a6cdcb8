"""`TaskScope`: the one owner of a set of background tasks.

Each rule was learned from a measurement, or from another library's bug. What waits is a record, not a task; what
is refused or superseded never becomes one. A failure is reported at once with owner and site, and never cancels
siblings. A job may be cancelled before its first step, so what it needs it acquires inside. A creation site is
a code object and an offset, which become text only when somebody looks. Nothing walks over all tasks.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from time import monotonic as _monotonic
from types import CoroutineType
from typing import Any, Self, TypedDict, TypeVar, Unpack

from ._admission import Admission
from ._census import JobInfo, LoggingObserver, Observer, ScopeStatistics, give_up
from ._close import CloseReport, Closing
from ._errors import JobCancelled, ScopeClosed, ScopeFull
from ._job import AnyJob, Job, Named, Options, QueuedJob, Work, context_of, in_thread, log, name_of, watchers

T = TypeVar("T")
_frame = sys._getframe
_running_loop = asyncio.get_running_loop


class Limits(TypedDict, total=False):
    """What a child scope may differ in from its parent."""

    max_running: int | None
    max_waiting: int
    max_waiting_per_key: int | None
    close_timeout: float | None
    observer: Observer | None


class TaskScope:
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

    Raises `ScopeClosed` if the parent is closing or closed, `ValueError` for limits below 0.
    """

    def __init__(
        self, name: str, *, parent: TaskScope | None = None, max_running: int | None = None,
        max_waiting: int = 0, max_waiting_per_key: int | None = None, close_timeout: float | None = None,
        observer: Observer | None = None, threads: int = 4,
    ) -> None:  # fmt: skip
        if (max_running or 0) < 0 or max_waiting < 0 or (max_waiting_per_key or 0) < 0:
            raise ValueError(f"the limits of scope {name!r} are numbers from 0, or None for no limit")
        if parent is not None and not parent.open:
            raise ScopeClosed(f"{parent.path} is closed: no child {name!r} can live in it")
        self.name = name
        self.parent = parent
        self.root: TaskScope = self if parent is None else parent.root
        self.open: bool = True
        self.closed_by: str | None = None
        self.created = _monotonic()
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[Job[Any]] = set()
        self._room: int = sys.maxsize if max_running is None else max_running
        self._line: Admission = Admission(max_waiting, max_waiting_per_key)
        self._started = 0
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._submitters = 0
        self._children: set[TaskScope] = set()
        self._closing: Closing | None = None
        self.path: str = name if parent is None else f"{parent.path}/{name}"
        inherited = 5.0 if parent is None else parent.close_timeout
        self.close_timeout: float = inherited if close_timeout is None else close_timeout
        self._observer: Observer = observer or (LoggingObserver() if parent is None else parent._observer)
        if parent is not None:
            parent._children.add(self)

    def child(self, name: str, **limits: Unpack[Limits]) -> TaskScope:
        """A scope inside this one; takes the limits of the constructor. Raises `ScopeClosed`."""
        return TaskScope(name, parent=self, **limits)

    @property
    def running(self) -> frozenset[Job[Any]]:
        return frozenset(self._running)

    @property
    def children(self) -> frozenset[TaskScope]:
        return frozenset(self._children)

    @property
    def load(self) -> tuple[int, int]:
        """How many jobs of its own run and wait, without those of its children; costs next to nothing."""
        return len(self._running), self._line.waiting

    def waiting_jobs(self, limit: int) -> list[QueuedJob[Any]]:
        """Its own jobs that have not begun, at most `limit`, in order."""
        return list(islice(self._line.records(), limit))

    def walk(self) -> list[TaskScope]:
        """This scope and all under it, parents first."""
        found: list[TaskScope] = [self]
        for scope in found:  # It grows meanwhile.
            found.extend(scope._children)
        return found

    def statistics(self) -> ScopeStatistics:
        """Counts of this scope and everything that lives or lived under it."""
        total = Counter[str]()
        for scope in self.walk():
            total.update(scope._counts, scopes=1, started=scope._started, submitters=scope._submitters)
            total.update(running=len(scope._running), waiting=scope._line.waiting)
        ended_badly = total["failed"] + total["timed_out"] + total["cancelled"] + total["abandoned"]
        total["finished"] = total["started"] - total["running"] - ended_badly
        return ScopeStatistics(**{name: total[name] for name in ScopeStatistics.__slots__})

    def __repr__(self) -> str:
        state = "open" if self.open else "closed" if self._closing and self._closing.report else "closing"
        return f"<TaskScope {self.path} {state}, {len(self._running)} running, {self._line.waiting} waiting>"

    def start(self, fn: Work[T], /, *args: Any, name: str = "", **options: Unpack[Options]) -> AnyJob[T]:
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
        if not options and len(self._running) < self._room and not self._line.queue:
            # The common case needs no record, and costs about as much as a bare create_task.
            coro: Coroutine[Any, Any, T] = fn if type(fn) is CoroutineType else fn(*args)  # type: ignore
            name = name or getattr(fn, "__name__", None) or name_of(fn)  # pyright: ignore
            context = context_of(self) if watchers else None
            job = Job(coro, loop=_running_loop(), name=name, context=context)
            # As in `_begin`, without the cost of a call.
            job.scope, job.record, job.created = self, None, _monotonic()
            job._code, job._lasti = caller.f_code, caller.f_lasti
            self._running.add(job)
            self._started += 1
            job.add_done_callback(_ended)
            return job
        return self._admit(QueuedJob(self, fn, args, caller, name, **options))

    def submit(self, fn: Work[T], /, *args: Any, **options: Unpack[Named]) -> Coroutine[Any, Any, AnyJob[T]]:
        """`await` it: `start` that waits for room instead of raising `ScopeFull`; first come, first served.

        If the one who waits is cancelled, the job does not begin. Raises `ScopeClosed`, also while waiting.
        """
        return self._submit(QueuedJob(self, fn, args, _frame(1), **options))

    def run(self, fn: Work[T], /, *args: Any, **options: Unpack[Named]) -> Coroutine[Any, Any, T]:
        """`await` it: runs `fn(*args)` as a job of this scope, waiting for room, and gives its result.

        Cancelling the caller cancels the job and waits for its end; a second time, leaves it to the scope.

        Raises what the job raised (it is then not reported elsewhere), `JobCancelled` if somebody else
        cancelled the job or it was superseded, dropped or closed before it began, and `ScopeClosed`.
        """
        return self._run(QueuedJob(self, fn, args, _frame(1), **options))

    def run_in_thread(
        self, fn: Callable[..., T], /, *args: Any, dispose: Callable[[T], object] | None = None,
        **options: Unpack[Named],
    ) -> Coroutine[Any, Any, T]:  # fmt: skip
        """`await` it: runs blocking `fn(*args)` in the tree's bounded thread pool, owned by a job.

        A thread cannot be cancelled: when the job is, the call goes on, its late result is handed to
        `dispose` (in a thread) and thrown away.
        """
        options.setdefault("name", name_of(fn))
        call = (self.root, fn, args, dispose)
        return self._run(QueuedJob(self, in_thread, call, _frame(1), **options))

    def _has_room(self, record: QueuedJob[Any]) -> bool:
        return self._line.has_room(record, len(self._running) < self._room)

    def _admit(self, record: QueuedJob[T], beyond: bool = False) -> AnyJob[T]:
        """Let it run, wait, or supersede others; `beyond` the bounds too. Refuse it if there is no room."""
        if self.open and (beyond or self._has_room(record)):
            holder = self._line.holder(record.key)
            if holder is not None and record.policy == "drop":
                self._counts["dropped"] += 1
                record.leave(None, f"dropped: another job of key {record.key!r} is alive")
                return record
            for old in self._line.add(record):
                self._counts["superseded"] += 1
                old.leave(None, f"superseded by {record.name}")
            if record.policy == "restart" and holder is not None and holder.job is not None:
                self._displace(holder, holder.job, f"superseded by {record.name}")
            self._fill()
            return record.job or record
        record.leave(None, "refused")
        self._counts["refused"] += 1
        if not self.open:
            raise ScopeClosed(f"{self.path} is closed: it cannot start {record.name!r}")
        raise ScopeFull(
            f"{self.path} is full ({len(self._running)} running, {self._line.waiting} waiting): "
            f"{record.name!r} refused; wait with submit, or raise max_running or max_waiting"
        )

    def _displace(self, holder: QueuedJob[Any], job: Job[Any], reason: str, stage: int = 0) -> None:
        """Cancel the holder of a key, once more after half of the closing time, and give it up at its end."""
        if job.done() or not self.open:
            return  # Its end is about to be noted, or what closes the scope sees to it.
        if stage == 2:
            self._lose(job)
        elif stage or holder.timer is None:
            self._counts["superseded"] += not stage
            job.cancel(reason)
            later = _running_loop().call_later
            holder.timer = later(self.close_timeout / 2, self._displace, holder, job, reason, stage + 1)

    def _begin(self, record: QueuedJob[T]) -> Job[T]:
        job = Job(record.work(), loop=_running_loop(), name=record.name, context=record.context)
        job.scope, job.record, job.created = self, record, _monotonic()
        job._code, job._lasti = record._code, record._lasti
        self._running.add(job)
        self._started += 1
        job.add_done_callback(_ended)
        record.leave(job)
        return job

    async def _submit(self, record: QueuedJob[T]) -> AnyJob[T]:
        """The record of one who waits may stand in line beyond the bounds: each holds up its own task."""
        room = self._has_room(record)
        job = self._admit(record, beyond=True)
        if room:
            return job
        self._submitters += 1
        try:
            await record.until(asyncio.wait((record.left(),)), "its submitter")
        finally:
            self._submitters -= 1
        if record.job is not None:
            return record.job
        if self.open:
            raise JobCancelled(f"{record.path} never began: {record.cancelled_by}")
        raise ScopeClosed(f"{self.path} was closed while {record.name!r} waited for room")

    async def _run(self, record: QueuedJob[T]) -> T:
        record.delivered = True
        try:
            await self._submit(record)
            await record.until(record.wait(), "its caller")
        except asyncio.CancelledError:
            record.delivered = False
            if (job := record.job) is not None and job.state == "failed" and job not in self._running:
                # It had failed in the very tick in which its caller was cancelled.
                self._tell(self._observer.job_failed, job, job._exception)
            await record.wait()
            raise
        try:
            if record.cancelled():
                raise JobCancelled(f"{record.path} was cancelled: {record.cancelled_by or 'by itself'}")
            return record.result()
        finally:
            # The traceback of an error holds this frame, which must not hold the error's job in turn.
            del record

    def _failed(self, job: Job[Any], error: BaseException) -> None:
        # What it waited for was closed a moment before itself: no failure of its own.
        by_close = not self.open and isinstance(error, (JobCancelled, ScopeClosed))
        timed_out = isinstance(error, TimeoutError) and (job.cancelled_by or "").startswith("timed out")
        self._counts["cancelled" if by_close else "timed_out" if timed_out else "failed"] += 1
        if job.record is None or not job.record.delivered:
            job.exception()
            if not by_close:
                self._tell(self._observer.job_failed, job, error)

    def _fill(self) -> None:
        """Begin what waits, in order, as far as there is room."""
        while self._line.queue and len(self._running) < self._room:
            self._begin(self._line.take())

    def _withdraw(self, record: QueuedJob[Any], reason: str) -> bool:
        """Take a job that has not begun out of the queue (see `QueuedJob.cancel`)."""
        self._line.remove(record)
        self._counts["dropped"] += 1
        record.leave(None, reason)
        self._fill()
        return True

    def _lose(self, job: Job[Any]) -> JobInfo:
        """Give up waiting for a job that swallows its cancellation: count it, report it, go on without it."""
        job.remove_done_callback(_ended)
        info = give_up(job)
        self._running.discard(job)
        self._counts["abandoned"] += 1
        self._tell(self._observer.job_abandoned, info)
        if job.record is not None:
            self._line.remove(job.record)
        self._fill()
        return info

    def _tell(self, event: Callable[..., None], *values: Any) -> None:
        try:
            event(*values)
        except Exception:  # noqa: BLE001 - an observer's own error must not stop the books being kept
            log.exception("an observer of %s raised", self.path)

    async def close(self, timeout: float | None = None, reason: str = "closed") -> CloseReport:
        """End everything in this scope and under it, deepest first; returns within `timeout` plus one tick.

        Idempotent: later and concurrent calls get the same report; an earlier deadline wins. Jobs that swallow
        their cancellation are cancelled again, then abandoned: named in the report with owner, site, age and
        stack. A job that closes its own scope is spared, and goes on as a job of the parent. If the closer is
        cancelled, the close goes on without it.

        Args:
            timeout: seconds; `close_timeout` by default.
            reason: noted as `cancelled_by` of each job.
        """
        closing = self._closing or Closing(self, reason, f"{reason}: {self.path}")
        return closing.begin(self.close_timeout if timeout is None else timeout) or await closing.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self.close(reason="left its block" if error is None else f"left its block with {error!r:.80}")


def _ended(job: Job[Any]) -> None:
    """Each job's done-callback."""
    scope, record = job.scope, job.record
    scope._running.discard(job)
    if job.cancelled():
        scope._counts["cancelled"] += 1
    elif job._exception is not None:
        scope._failed(job, job._exception)
    if record is not None:
        record.release()
        if record.key is not None:
            scope._line.remove(record)
    if scope._closing is not None:
        scope._closing.job_ended()
    elif scope._line.queue:
        scope._fill()
