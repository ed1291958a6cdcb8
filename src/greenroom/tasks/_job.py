"""Jobs: the tasks a scope owns, and the records of those that have not begun.

A `Job` *is* an `asyncio.Task`, so owning it costs no second object. What waits for room is only a `QueuedJob`:
no coroutine, no task, so that dropping ten thousand of them costs next to nothing.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Coroutine, Generator, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from dataclasses import InitVar, dataclass, field
from functools import partial
from time import monotonic
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, cast, get_args

from ._errors import JobCancelled

if TYPE_CHECKING:
    from ._scope import TaskScope

T = TypeVar("T")
Work = Callable[..., Coroutine[Any, Any, T]] | Coroutine[Any, Any, T]
Dispose = Callable[[Any], object] | None
Policy = Literal["restart", "drop", "queue", "keep_latest"]
POLICIES = get_args(Policy)
OnClose = Literal["cancel", "finish"]
State = Literal["waiting", "running", "cancelling", "finished", "failed", "cancelled", "dropped"]
log = logging.getLogger("greenroom.tasks")
owner_variable: ContextVar[TaskScope | None] = ContextVar("greenroom_owner", default=None)
"""The scope that foreign tasks are charged to; only set while `strict()` is on."""
watchers: list[object] = []
"""The strict factories that are on: while there are any, each job's context names its owner."""
OPAQUE = {"async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper"}
STEPS = {*OPAQUE, "async_generator", "coroutine"}
_sites: dict[tuple[int, int], tuple[CodeType, str]] = {}
"""Known creation sites, by the id of the code, whose hash is dear; it is kept, so that the id stays its own."""


class Options(TypedDict, total=False):
    """What starting takes beside the work and its name; see `TaskScope.start`."""

    key: Hashable
    policy: Policy | None
    timeout: float | None
    on_close: OnClose


class Named(Options, total=False):
    """The same, with the name."""

    name: str


def site_text(code: CodeType, lasti: int) -> str:
    """A creation site as `file:line in function`: resolved when somebody looks, not at each start."""
    known = _sites.get((id(code), lasti))
    if known is None:
        lines = (number for start, end, number in code.co_lines() if start <= lasti < end)
        known = code, f"{code.co_filename}:{next(lines, code.co_firstlineno)} in {code.co_qualname}"
        if len(_sites) >= 4096:
            _sites.clear()
        _sites[id(code), lasti] = known
    return known[1]


def cancelled_here() -> str:
    """The line that calls who calls this, as the reason of a cancellation."""
    frame = sys._getframe(2)
    return f"cancelled at {site_text(frame.f_code, frame.f_lasti)}"


def await_stack(task: asyncio.Task[Any]) -> tuple[str, ...]:
    """Where a suspended task stands, outermost first; follows the chain of awaits, unlike `get_stack`."""

    def first(*names: str) -> Any:
        return next((found for name in names if (found := getattr(here, name, None)) is not None), None)

    lines: list[str] = []
    here: Any = task.get_coro()
    for _ in range(64):
        if type(here).__name__ in OPAQUE:
            # What `async for` waits on does not name its generator; only the garbage collector knows it.
            here = next((held for held in gc.get_referents(here) if type(held).__name__ in STEPS), None)
        elif (frame := first("cr_frame", "gi_frame", "ag_frame")) is not None and len(lines) < 32:
            lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")
            here = first("cr_await", "gi_yieldfrom", "ag_await")
    return tuple(lines)


def name_of(fn: Any) -> str:
    """The name of a job that was not given one."""
    name = getattr(fn, "__name__", None) or getattr(getattr(fn, "func", None), "__name__", None)
    return str(name or type(fn).__name__)


def context_of(scope: TaskScope) -> Context:
    """What a job of this scope runs in: a copy of the caller's context."""
    context = copy_context()
    if watchers:
        context.run(owner_variable.set, scope)
    return context


def current_job() -> Job[Any] | None:
    """The job this code runs in, or None outside of any scope."""
    task = asyncio.current_task()
    return task if isinstance(task, Job) else None


class _Described:
    """What running and waiting jobs have in common."""

    __slots__ = ()

    scope: TaskScope
    created: float
    """`time.monotonic()` of its start, in seconds."""
    _code: CodeType
    _lasti: int

    @property
    def id(self) -> str:
        """Names it among all jobs of the process, also after its address was used again."""
        return f"{id(self):x}-{int(self.created * 1e6):x}"

    @property
    def path(self) -> str:
        """Owner path and name, such as `server/client 7f3a/turn`."""
        return f"{self.scope.path}/{cast('AnyJob[Any]', self).name}"

    @property
    def site(self) -> str:
        """The line that started it, as `file:line in function`."""
        return site_text(self._code, self._lasti)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return monotonic() - self.created


class Job(asyncio.Task[T], _Described):
    """A running task with an owner. Awaitable like any task; made only by a scope."""

    __slots__ = ("_code", "_lasti", "created", "record", "scope")

    record: QueuedJob[T] | None
    """What it was admitted by; None if nothing had to be decided."""
    # Class attributes until set: the common job pays nothing for them.
    _why: str | None = None
    _where: str | None = None

    @property
    def name(self) -> str:
        return self.get_name()

    @property
    def state(self) -> State:
        if not self.done():
            return "cancelling" if self.cancelling() else "running"
        return "cancelled" if self.cancelled() else "finished" if self._exception is None else "failed"

    @property
    def cancelled_by(self) -> str | None:
        """Who cancelled it: `closed: …`, `superseded by …`, `timed out after …`, a given text, or a line."""
        return self._why or self._where or (self.scope.closed_by if self.cancelling() else None)

    def cancel(self, msg: Any = None) -> bool:
        """Ask it to stop; `msg` becomes `cancelled_by`, without one the caller's line is noted."""
        if msg is not None and not self.done():
            self._why = self._why or str(msg)
        elif not self.done() and not self.cancelling():
            self._where = cancelled_here()
        return super().cancel(msg)

    def uncancel(self) -> int:
        """Take one cancellation back, as `asyncio.timeout` does with its own: it is not a reason any more."""
        left = super().uncancel()
        self._why, self._where = self._why if left else None, None
        return left

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most `timeout` seconds, without cancelling it; True if it has."""
        if not self.done():
            await asyncio.wait((self,), timeout=timeout)
        elif self in self.scope._running:
            await asyncio.sleep(0)  # It ended in this very tick: let its scope take note first.
        return self.done()


@dataclass(slots=True, weakref_slot=True, eq=False, repr=False)
class QueuedJob(_Described, Generic[T]):
    """A job that waits for room, or for another of its key to end. `await` it for the result."""

    scope: TaskScope
    fn: Work[T] | None
    args: tuple[Any, ...]
    caller: InitVar[FrameType]
    name: str = ""
    key: Hashable = None
    policy: Policy | None = None
    timeout: float | None = None
    on_close: OnClose = "cancel"
    delivered: bool = False
    """Somebody waits for its result (`run`): an error goes there, not to the observer."""
    context: Context | None = None
    """That of who asked for it; else it would run in the context of the job whose end made room."""
    created: float = field(default_factory=monotonic)
    job: Job[T] | None = None
    timer: asyncio.TimerHandle | None = None
    """Runs while its job is superseded and has not ended."""
    _why: str | None = None
    _left: asyncio.Future[None] | None = None
    _code: CodeType = field(init=False)
    _lasti: int = field(init=False)

    def __post_init__(self, caller: FrameType) -> None:
        self._code, self._lasti = caller.f_code, caller.f_lasti
        self.name = self.name or name_of(self.fn)
        self.context = self.context or context_of(self.scope)
        problem = None
        if self.policy is not None and self.key is None:
            problem = f"policy {self.policy!r} needs a key: say which jobs must not overlap"
        elif self.policy is not None and self.policy not in POLICIES:
            problem = f"no policy {self.policy!r}: it is one of {', '.join(POLICIES)}"
        elif self.on_close not in ("cancel", "finish"):
            problem = f"on_close is 'cancel' or 'finish', not {self.on_close!r}"
        if problem is not None:
            self.leave(None, problem)
            raise ValueError(problem)

    @property
    def cancelled_by(self) -> str | None:
        return self._why if self.job is None else self.job.cancelled_by

    @property
    def state(self) -> State:
        return self.job.state if self.job is not None else "waiting" if self._why is None else "dropped"

    def done(self) -> bool:
        return self._why is not None if self.job is None else self.job.done()

    def cancelled(self) -> bool:
        return self._why is not None if self.job is None else self.job.cancelled()

    def cancel(self, msg: Any = None) -> bool:
        """Drop it if it has not begun, else cancel its task."""
        if self.done():
            return False
        reason = cancelled_here() if msg is None else str(msg)
        return self.scope._withdraw(self, reason) if self.job is None else self.job.cancel(reason)

    def result(self) -> T:
        if self.job is not None:
            return self.job.result()
        raise JobCancelled(f"{self.path} never began: {self._why or 'still waiting'}")

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended or was dropped, at most `timeout` seconds; True if so."""
        now = asyncio.get_running_loop().time
        end = None if timeout is None else now() + timeout
        if self.state == "waiting":
            await asyncio.wait((self.left(),), timeout=timeout)
        if self.job is not None:
            await self.job.wait(end and end - now())
        return self.done()

    def left(self) -> asyncio.Future[None]:
        """Ends when this one, which waits, has begun or was dropped."""
        self._left = self._left or asyncio.get_running_loop().create_future()
        return self._left

    def __await__(self) -> Generator[Any, Any, T]:
        yield from self.until(self.wait(), "the task that awaited it").__await__()
        return self.result()

    async def until(self, waited: Coroutine[Any, Any, object], who: str) -> None:
        """Wait; if the one who does is cancelled, cancel the job."""
        try:
            await waited
        except asyncio.CancelledError:
            self.cancel(f"{who} was cancelled")
            raise

    def work(self) -> Coroutine[Any, Any, T]:
        """What its task runs."""
        return _work(self.fn, self.args, self.timeout)

    def leave(self, job: Job[T] | None, why: str | None = None) -> None:
        """It begins as this task, or never does, and this is why."""
        self.job, self._why = job, why
        if job is None:
            self.release()
        if self._left is not None:
            self._left.set_result(None)

    def release(self) -> None:
        """Let go of the work; a coroutine that never ran is closed, so that Python does not warn about it."""
        if not callable(self.fn) and asyncio.iscoroutine(self.fn):
            self.fn.close()
        if self.timer is not None:
            self.timer.cancel()
        self.fn, self.args = None, ()


AnyJob = Job[T] | QueuedJob[T]


async def _work(fn: Any, args: tuple[Any, ...], seconds: float | None) -> Any:
    """Not a method: the traceback of an error holds this frame, which must not hold the error's job in turn."""
    made: Any = fn(*args) if callable(fn) else fn
    if not asyncio.iscoroutine(made):
        raise TypeError(f"{fn!r} is no async function: it returned {type(made).__name__}, not a coroutine")
    if seconds is None:
        return await made
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await made
    except TimeoutError:
        if limit.expired():
            cast("Job[Any]", asyncio.current_task())._why = f"timed out after {seconds:g} s"
        raise


async def in_thread(root: TaskScope, fn: Callable[..., T], args: tuple[Any, ...], dispose: Dispose) -> T:
    """Run blocking `fn(*args)` in the pool of `root`.

    A thread cannot be cancelled: when the job is, the call goes on without it. What it gives late may hold a
    model or a connection, so it is disposed of, in a thread, never on the loop.
    """
    pool = root._pool = root._pool or ThreadPoolExecutor(root.threads, thread_name_prefix=root.name)
    call = pool.submit(fn, *args)
    try:
        return await asyncio.wrap_future(call)
    except asyncio.CancelledError:
        if not call.cancel():
            # Asked for by the pool: if the call ended in this very moment, it is thrown away at once.
            pool.submit(call.add_done_callback, partial(_throw_away, root.path, dispose))
        raise


def _throw_away(owner: str, dispose: Dispose, call: Future[Any]) -> None:
    try:
        result = call.result()
        if dispose is not None:
            dispose(result)
    except Exception:
        log.warning("%s: a call no longer waited for failed, or its disposal did", owner, exc_info=True)
