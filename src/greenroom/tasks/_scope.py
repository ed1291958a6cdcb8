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

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from time import monotonic as _monotonic
from types import CoroutineType, FrameType, TracebackType
from typing import Any, Literal, TypeVar, cast

from ._census import forget_abandoned, remember_abandoned
from ._close import Closing
from ._errors import JobCancelled, ScopeClosed, ScopeFull
from ._job import AnyJob, Job, Policy, QueuedJob, Work, close_unused
from ._report import CloseReport, JobInfo, LoggingObserver, Observer, ScopeStatistics, log

T = TypeVar("T")
OnClose = Literal["cancel", "finish"]
COUNTERS = (
    "started", "finished", "failed", "timed_out", "cancelled", "refused", "superseded", "dropped", "abandoned",
)  # fmt: skip
_NO_LIMIT = sys.maxsize
_frame = sys._getframe  # pyright: ignore[reportPrivateUsage]
_cancel = asyncio.Task.cancel
_quiet = LoggingObserver()

owner_variable: ContextVar[TaskScope | None] = ContextVar("greenroom_owner", default=None)
"""The scope that foreign tasks are charged to; only set while `strict()` is on."""


class _Key:
    """What is alive under one key: at most one running job, and those that wait for it to end."""

    __slots__ = ("running", "timer", "waiting")

    def __init__(self) -> None:
        self.running: AnyJob[Any] | None = None
        self.waiting: deque[QueuedJob[Any]] = deque()
        self.timer: asyncio.TimerHandle | None = None


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
    """

    __slots__ = (
        "__weakref__", "_children", "_closing", "_executor", "_keys", "_loop", "_max_running", "_max_waiting",
        "_max_waiting_per_key", "_observer", "_queue", "_report", "_running", "_submitters", "_waiting", "close_timeout", "level", "name",
        "open", "parent", "path", "strict_context", "threads", *COUNTERS,
    )  # fmt: skip

    started: int
    finished: int
    failed: int
    timed_out: int
    cancelled: int
    refused: int
    superseded: int
    dropped: int
    abandoned: int

    def __init__(
        self,
        name: str,
        *,
        parent: TaskScope | None = None,
        max_running: int | None = None,
        max_waiting: int = 0,
        max_waiting_per_key: int | None = None,
        close_timeout: float | None = None,
        observer: Observer | None = None,
        threads: int = 4,
    ) -> None:
        self.name = name
        self.parent = parent
        self.path: str = name if parent is None else f"{parent.path}/{name}"
        self.open = True
        self.level = 0
        self.threads = threads
        self.strict_context = False
        self._max_running = _NO_LIMIT if max_running is None else max_running
        self._max_waiting = max_waiting
        self._max_waiting_per_key = _NO_LIMIT if max_waiting_per_key is None else max_waiting_per_key
        self._running: set[Job[Any]] = set()
        self._queue: deque[QueuedJob[Any]] = deque()
        self._submitters: deque[tuple[asyncio.Future[Any], QueuedJob[Any]]] = deque()
        self._keys: dict[Hashable, _Key] = {}
        self._waiting = 0
        self._children: set[TaskScope] = set()
        self._closing: Closing | None = None
        self._report: CloseReport | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.started = self.finished = self.failed = self.timed_out = self.cancelled = 0
        self.refused = self.superseded = self.dropped = self.abandoned = 0
        if parent is None:
            self.close_timeout = 5.0 if close_timeout is None else close_timeout
            self._observer: Observer = observer or _quiet
            return
        if not parent.open:
            raise ScopeClosed(f"{parent.path} is closed: no child {name!r} can live in it")
        self.close_timeout = parent.close_timeout if close_timeout is None else close_timeout
        self._observer = observer or parent._observer
        self.strict_context = parent.strict_context
        parent._children.add(self)

    def child(self, name: str, **limits: Any) -> TaskScope:
        """A scope inside this one; takes the limits of the constructor. Raises `ScopeClosed`."""
        return TaskScope(name, parent=self, **limits)

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
            key, policy: what to do while another job of this key is alive: `restart` it (the new one begins
                when the old one has ended), `drop` the new one, `queue` it, or `keep_latest` (one waits at most).
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
            and on_close == "cancel"
            and self.open
            and len(self._running) < self._max_running
            and not self._queue
            and not self.strict_context
        ):
            # The common case, written out: it costs about as much as a bare create_task (benchmarks/tasks).
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()
            coro: Any = fn if type(fn) is CoroutineType else fn(*args)  # type: ignore[operator]
            job: Job[T] = Job(coro, loop=loop, name=name or _name_of(fn))
            job.scope = self
            job._code = caller.f_code  # pyright: ignore[reportPrivateUsage]
            job._lasti = caller.f_lasti  # pyright: ignore[reportPrivateUsage]
            job.created = _monotonic()
            self._running.add(job)
            self.started += 1
            job.add_done_callback(self._on_done)
            return job
        return self._admit(self._record(caller, fn, args, name, key, policy, timeout, on_close))

    async def submit(
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
        """Like `start`, but waits for room instead of raising `ScopeFull`; first come, first served."""
        return await self._submit(self._record(_frame(1), fn, args, name, key, policy, timeout, on_close))

    async def run(
        self,
        fn: Work[T],
        /,
        *args: Any,
        name: str | None = None,
        key: Hashable = None,
        policy: Policy | None = None,
        timeout: float | None = None,
        on_close: OnClose = "cancel",
    ) -> T:
        """Run it as a job of this scope and return its result; cancelling the caller cancels the job.

        Raises what the job raised (it is then not reported elsewhere), `JobCancelled` if somebody else
        cancelled the job, and what `start` raises.
        """
        record = self._record(_frame(1), fn, args, name, key, policy, timeout, on_close)
        record.delivered = True
        caller = asyncio.current_task()
        before = caller.cancelling() if caller is not None else 0
        job: AnyJob[T] | None = None
        try:
            job = await self._submit(record)
            return await job
        except asyncio.CancelledError:
            if job is not None and not job.done():
                job.cancel(f"its caller was cancelled ({caller.get_name() if caller else 'no task'})")
            if caller is not None and caller.cancelling() > before:
                raise
            raise JobCancelled(f"{record.path} was cancelled: {record_reason(job or record)}") from None

    async def run_in_thread(
        self,
        fn: Callable[..., T],
        /,
        *args: Any,
        dispose: Callable[[T], object] | None = None,
        name: str | None = None,
    ) -> T:
        """Run blocking `fn(*args)` in the tree's bounded thread pool, owned by a job of this scope.

        A thread cannot be cancelled: when the job is, the call goes on, its late result is handed to
        `dispose` (in the thread) and thrown away.
        """
        return await self.run(self._in_thread, fn, args, dispose, name=name or _name_of(fn))

    async def _in_thread(
        self, fn: Callable[..., T], args: tuple[Any, ...], dispose: Callable[[T], object] | None
    ) -> T:
        root = self.root
        if root._executor is None:
            root._executor = ThreadPoolExecutor(root.threads, thread_name_prefix=root.name)
        executor = root._executor
        call = executor.submit(fn, *args)
        try:
            return await asyncio.wrap_future(call)
        except asyncio.CancelledError:

            def throw_away(_: Any) -> None:
                if not call.cancelled() and call.exception() is None and dispose is not None:
                    try:
                        dispose(call.result())
                    except Exception:
                        log.exception("%s: disposing of a late result failed", self.path)
                elif not call.cancelled() and call.exception() is not None:
                    log.warning(
                        "%s: a call nobody waits for failed late", self.path, exc_info=call.exception()
                    )

            if not call.cancel():
                call.add_done_callback(throw_away)
            raise

    def admit_from(
        self, caller: FrameType, fn: Work[T], args: tuple[Any, ...], name: str, key: Hashable, policy: Policy,
        timeout: float | None = None,
    ) -> AnyJob[T]:  # fmt: skip
        """`start` for wrappers: the creation site is the given frame, not the wrapper's own line."""
        return self._admit(self._record(caller, fn, args, name, key, policy, timeout, "cancel"))

    # -- admission -----------------------------------------------------------------------------------------

    def _record(
        self, caller: FrameType, fn: Work[T], args: tuple[Any, ...], name: str | None, key: Hashable,
        policy: Policy | None, timeout: float | None, on_close: OnClose,
    ) -> QueuedJob[T]:  # fmt: skip
        if policy is not None and key is None:
            close_unused(fn)
            raise ValueError(f"policy {policy!r} needs a key: say which jobs must not overlap")
        if key is not None and policy is None:
            policy = "queue"
        return QueuedJob(
            self, fn, args, name or _name_of(fn), key, policy, timeout, on_close == "finish",
            caller.f_code, caller.f_lasti,
        )  # fmt: skip

    def _has_room(self, record: QueuedJob[Any]) -> bool:
        """Whether `_admit` would take it: it can run, wait, or replace one that waits."""
        entry = self._keys.get(record.key) if record.key is not None else None
        if entry is None:
            return self._waiting < self._max_waiting or (
                len(self._running) < self._max_running and not self._queue
            )
        if record.policy != "queue":
            # One place per key is always there: for the one that replaces, or waits to replace, the running job.
            return True
        return self._waiting < self._max_waiting and len(entry.waiting) < self._max_waiting_per_key

    def _admit(self, record: QueuedJob[T]) -> AnyJob[T]:
        if not self.open:
            record.drop("the scope is closed")
            self.refused += 1
            raise ScopeClosed(f"{self.path} is closed: it cannot start {record.name!r}")
        if not self._has_room(record):
            record.drop("refused")
            self.refused += 1
            raise ScopeFull(
                f"{self.path} is full ({len(self._running)} running, {self._waiting} waiting): {record.name!r} refused"
            )
        if record.key is None:
            return self._enqueue(record)
        entry = self._keys.get(record.key)
        if entry is None:
            entry = self._keys[record.key] = _Key()
            entry.running = record
            return self._enqueue(record)
        if record.policy == "drop":
            self.dropped += 1
            record.drop(f"dropped: another {record.key!r} is alive")
            return record
        if record.policy in ("restart", "keep_latest"):
            for old in entry.waiting:
                old.drop(f"superseded by {record.name}")
            self._waiting -= len(entry.waiting)
            self.superseded += len(entry.waiting)
            entry.waiting.clear()
            running = entry.running
            if record.policy == "restart" and running is not None:
                if isinstance(running, QueuedJob) and running.job is None:
                    # It waits for room: the newer one takes its place in the queue.
                    self._queue[self._queue.index(running)] = record
                    self.superseded += 1
                    running.drop(f"superseded by {record.name}")
                    entry.running = record
                    return record
                job = running.job if isinstance(running, QueuedJob) else running
                if job is not None and job.cancelled_by is None:
                    self.superseded += 1
                    job.cancel(f"superseded by {record.name}")
                    self._guard(entry, job)
        entry.waiting.append(record)
        self._waiting += 1
        return record

    def _guard(self, entry: _Key, job: Job[Any]) -> None:
        """A superseded job that swallows its cancellation must not keep its successor waiting for ever."""

        def again() -> None:
            if job.done() or job not in self._running:
                return
            _cancel(job)
            entry.timer = job.get_loop().call_later(self.close_timeout / 2, give_up)

        def give_up() -> None:
            if not job.done() and job in self._running:
                self.lose(job, remember_abandoned(job))

        entry.timer = job.get_loop().call_later(self.close_timeout / 2, again)

    def _enqueue(self, record: QueuedJob[T]) -> AnyJob[T]:
        if len(self._running) < self._max_running and not self._queue:
            return self._begin(record)
        self._queue.append(record)
        self._waiting += 1
        return record

    def _begin(self, record: QueuedJob[T]) -> Job[T]:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        context: Context | None = None
        if self.strict_context:
            context = copy_context()
            context.run(owner_variable.set, self)
        job: Job[T] = Job(record.begin(), loop=loop, name=record.name, context=context)
        job.scope = self
        job._code = record._code  # pyright: ignore[reportPrivateUsage]
        job._lasti = record._lasti  # pyright: ignore[reportPrivateUsage]
        job.created = _monotonic()
        job.queued = record
        job.key = record.key
        job.finishes = record.finishes
        job.delivered = record.delivered
        record.job = job
        record.args = ()
        self._running.add(job)
        self.started += 1
        job.add_done_callback(self._on_done)
        record.signal()
        return job

    async def _submit(self, record: QueuedJob[T]) -> AnyJob[T]:
        if not self.open or (not self._submitters and self._has_room(record)):
            return self._admit(record)
        room: asyncio.Future[AnyJob[T]] = asyncio.get_running_loop().create_future()
        self._submitters.append((room, record))
        try:
            return await room
        except asyncio.CancelledError:
            # Admitted in the very tick in which the submitter was cancelled: nobody wants it any more.
            if room.done() and not room.cancelled() and room.exception() is None:
                room.result().cancel("its submitter was cancelled")
            else:
                record.drop("its submitter was cancelled")
            raise

    # -- ending --------------------------------------------------------------------------------------------

    def _on_done(self, job: Job[Any]) -> None:
        if job not in self._running:
            self._ended_late(job)
            return
        self._running.discard(job)
        if job.cancelled():
            self.cancelled += 1
        elif (error := job.exception()) is None:
            self.finished += 1
        else:
            self._failed(job, error)
        if job.queued is not None:
            close_unused(job.queued.inner)
            if job.key is not None:
                self._next_of_key(job.key)
        if self._queue or self._submitters:
            self._fill()
        if self._closing is not None:
            self._closing.job_ended(self, job)

    def _failed(self, job: Job[Any], error: BaseException) -> None:
        timed_out = isinstance(error, TimeoutError) and (job.cancelled_by or "").startswith("timed out")
        if timed_out:
            self.timed_out += 1
        else:
            self.failed += 1
        # `run` hands the error to its caller, unless the caller had gone.
        if not job.delivered or not (timed_out or job.cancelled_by is None):
            self._observer.job_failed(job, error)

    def _next_of_key(self, key: Hashable) -> None:
        entry = self._keys.get(key)
        if entry is None:
            return
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if not entry.waiting:
            del self._keys[key]
            return
        record = entry.waiting.popleft()
        self._waiting -= 1
        entry.running = record
        self._enqueue(record)

    def _fill(self) -> None:
        """Begin what waits, in order, as far as there is room; then let submitters in."""
        while self._queue and len(self._running) < self._max_running:
            record = self._queue.popleft()
            self._waiting -= 1
            self._begin(record)
        while self._submitters:
            room, record = self._submitters[0]
            if room.done():
                self._submitters.popleft()
                continue
            if self.open and not self._has_room(record):
                return
            self._submitters.popleft()
            try:
                room.set_result(self._admit(record))
            except ScopeClosed as error:
                room.set_exception(error)

    def withdraw(self, record: QueuedJob[Any], reason: str) -> bool:
        """Take a job that has not begun out of the queue (see `QueuedJob.cancel`)."""
        if record.fn is None:
            return False
        entry = self._keys.get(record.key) if record.key is not None else None
        if entry is not None and record in entry.waiting:
            entry.waiting.remove(record)
            self._waiting -= 1
        elif record in self._queue:
            self._queue.remove(record)
            self._waiting -= 1
            if entry is not None and entry.running is record:
                self._next_of_key(record.key)
        else:
            return False
        self.dropped += 1
        record.drop(reason)
        if self._submitters:
            self._fill()
        return True

    def lose(self, job: Job[Any], info: JobInfo) -> None:
        """Give up waiting for a job that swallows its cancellation: count it, report it, go on without it."""
        self._running.discard(job)
        self.abandoned += 1
        self._observer.job_abandoned(info)
        if job.key is not None:
            self._next_of_key(job.key)
        if self.open:
            self._fill()

    def _ended_late(self, job: Job[Any]) -> None:
        forget_abandoned(job)
        error = None if job.cancelled() else job.exception()
        log.warning("abandoned %s ended after %.1f s", job.path, job.age, exc_info=error)

    # -- closing -------------------------------------------------------------------------------------------

    async def close(self, timeout: float | None = None, reason: str = "closed") -> CloseReport:
        """End everything in this scope and under it, deepest first; returns within `timeout` plus one tick.

        Idempotent: later and concurrent calls get the same report. Called from one of its own jobs, it ends
        all but that one. Jobs that swallow their cancellation are cancelled again, then abandoned: named in
        the report with owner, site, age and stack. If the closer is cancelled, the close goes on without it.

        Args:
            timeout: seconds; `close_timeout` by default.
            reason: noted as `cancelled_by` of each job.
        """
        if self._report is not None:
            return self._report
        if self._closing is None:
            seconds = self.close_timeout if timeout is None else timeout
            self._closing = Closing(self, seconds, reason)
            self._closing.begin()
        return await self._closing.wait()

    def stop_admitting(self, reason: str) -> int:
        """First step of a close (for `Closing`): refuse new jobs and drop waiting ones; returns how many."""
        self.open = False
        count = self._waiting
        waiting = list(self._queue)
        for entry in self._keys.values():
            waiting.extend(entry.waiting)
            entry.waiting.clear()
            if entry.timer is not None:
                entry.timer.cancel()
                entry.timer = None
        self._queue.clear()
        self._waiting = 0
        self.dropped += count
        for record in waiting:
            record.drop(reason)
        for room, record in self._submitters:
            record.drop(reason)
            if not room.done():
                self.refused += 1
                room.set_exception(
                    ScopeClosed(f"{self.path} was closed while {record.name!r} waited for room")
                )
        self._submitters.clear()
        return count

    def closed(self, report: CloseReport) -> None:
        """Last step of a close (for `Closing`): leave the tree, hand the counts to the parent."""
        self._report = report
        self._keys.clear()
        self._closing = None
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        parent = self.parent
        if parent is not None:
            parent._children.discard(self)
            for counter in COUNTERS:
                setattr(parent, counter, getattr(parent, counter) + getattr(self, counter))
        self._observer.scope_closed(report)

    def adopt_closing(self, closing: Closing, level: int) -> None:
        """Be closed as part of a scope further up (for `Closing`)."""
        self._closing = closing
        self.level = level

    @property
    def closing(self) -> Closing | None:
        return self._closing

    async def __aenter__(self) -> TaskScope:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(reason="left its block" if error is None else f"left its block with {error!r:.80}")

    # -- looking -------------------------------------------------------------------------------------------

    @property
    def root(self) -> TaskScope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def running(self) -> frozenset[Job[Any]]:
        return frozenset(self._running)

    @property
    def children(self) -> frozenset[TaskScope]:
        return frozenset(self._children)

    def running_jobs(self) -> set[Job[Any]]:
        """The live set itself, not a copy (for `Closing` and the census)."""
        return self._running

    def waiting_jobs(self) -> Iterator[QueuedJob[Any]]:
        yield from self._queue
        for entry in self._keys.values():
            yield from entry.waiting

    def walk(self) -> Iterator[TaskScope]:
        """This scope and all under it, parents first."""
        todo = [self]
        while todo:
            scope = todo.pop()
            yield scope
            todo.extend(scope._children)

    def statistics(self) -> ScopeStatistics:
        """Counts of this scope and everything that lives or lived under it."""
        scopes = list(self.walk())
        totals = {counter: sum(getattr(scope, counter) for scope in scopes) for counter in COUNTERS}
        return ScopeStatistics(
            running=sum(len(scope._running) for scope in scopes),
            waiting=sum(scope._waiting for scope in scopes),
            scopes=len(scopes),
            submitters=sum(len(scope._submitters) for scope in scopes),
            **totals,
        )

    def __repr__(self) -> str:
        state = "open" if self.open else "closed" if self._report is not None else "closing"
        return f"<TaskScope {self.path} {state}, {len(self._running)} running, {self._waiting} waiting>"


def _name_of(fn: Any) -> str:
    try:
        return cast(str, fn.__name__)
    except AttributeError:
        return str(getattr(getattr(fn, "func", None), "__name__", type(fn).__name__))


def record_reason(job: AnyJob[Any]) -> str:
    inner = job.job if isinstance(job, QueuedJob) and job.job is not None else job
    return inner.cancelled_by or "no reason noted"
