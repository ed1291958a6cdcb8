"""Jobs: the tasks a scope owns, and the records of those that have not begun.

A `Job` *is* an `asyncio.Task`, so owning it costs no second object: the scope, the place it was
created at and its age sit in slots beside asyncio's own fields. What waits for room is only a
`QueuedJob`: no coroutine, no task, so that dropping ten thousand of them costs next to nothing.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Generator, Hashable
from contextvars import Context
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from types import CodeType, CoroutineType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from ._errors import JobCancelled

if TYPE_CHECKING:
    from ._scope import TaskScope

T = TypeVar("T")
Work = Callable[..., Coroutine[Any, Any, T]] | Coroutine[Any, Any, T]
Policy = Literal["restart", "drop", "queue", "keep_latest"]
State = Literal["waiting", "running", "cancelling", "finished", "failed", "cancelled", "dropped"]


OPAQUE = frozenset(
    {"async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper"}
)
STEPS = OPAQUE | {"async_generator", "coroutine"}


@lru_cache(maxsize=4096)
def site_text(code: CodeType, lasti: int) -> str:
    """Resolve a creation site to `file:line in function`; done when somebody looks, not at each start."""
    line: int | None = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end:
            line = number
            break
    return f"{code.co_filename}:{line} in {code.co_qualname}"


def await_stack(task: asyncio.Task[Any]) -> tuple[str, ...]:
    """Where a suspended task stands, outermost first; follows the chain of awaits, unlike `get_stack`."""
    lines: list[str] = []
    here: Any = task.get_coro()
    for _ in range(64):
        if here is None or len(lines) == 32:
            break
        if type(here).__name__ in OPAQUE:
            # What `async for` waits on does not name its generator; only the garbage collector knows it.
            here = next((held for held in gc.get_referents(here) if type(held).__name__ in STEPS), None)
            continue
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(here, f"{kind}_frame")), None)
        frame = getattr(here, f"{kind}_frame", None)
        if frame is None:
            break
        lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        here = getattr(here, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)
    return tuple(lines)


class _Described:
    """What running and waiting jobs have in common."""

    __slots__ = ()

    scope: TaskScope
    created: float
    """`time.monotonic()` of its start, in seconds."""
    _code: CodeType
    _lasti: int

    @property
    def site(self) -> str:
        """The line that started it, as `file:line in function`."""
        return site_text(self._code, self._lasti)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return monotonic() - self.created

    @property
    def id(self) -> str:
        """Names it among all jobs of the process, also after its address was used again."""
        return f"{id(self):x}-{int(self.created * 1e6):x}"


class Job(asyncio.Task[T], _Described):
    """A running task with an owner. Awaitable like any task; made only by a scope."""

    __slots__ = ("_code", "_lasti", "created", "scope")

    # Rare ones are class attributes until set: the common job pays nothing for them.
    record: QueuedJob[Any] | None = None
    closes: TaskScope | None = None
    """The scope whose close it waits for, while that scope owns it: such a close cannot wait for it."""
    foreign: bool = False
    _why: str | tuple[CodeType, int] | None = None

    @property
    def name(self) -> str:
        return self.get_name()

    @property
    def path(self) -> str:
        """Owner path and name, such as `server/client 7f3a/turn`."""
        return f"{self.scope.path}/{self.get_name()}"

    @property
    def state(self) -> State:
        if not self.done():
            return "cancelling" if self.cancelling() else "running"
        if self.cancelled():
            return "cancelled"
        return "finished" if self._exception is None else "failed"

    @property
    def cancelled_by(self) -> str | None:
        """Who cancelled it: `closed: …`, `superseded by …`, `timed out after …`, a given text, or a line."""
        if isinstance(self._why, tuple):
            return f"cancelled at {site_text(*self._why)}"
        return self._why or (self.scope.closed_by if self.cancelling() else None)

    def cancel(self, msg: Any = None) -> bool:
        """Ask it to stop; `msg` becomes `cancelled_by`, without one the caller's line is noted."""
        if not self.done():
            if msg is not None:
                if not isinstance(self._why, str):
                    self._why = str(msg)
            elif self._why is None and not self.cancelling():
                frame = sys._getframe(1)
                self._why = (frame.f_code, frame.f_lasti)
        return super().cancel(msg)

    def uncancel(self) -> int:
        """Take one cancellation back, as `asyncio.timeout` does with its own: it is not a reason any more."""
        left = super().uncancel()
        if not left or isinstance(self._why, tuple):
            self._why = None
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
    name: str
    key: Hashable
    policy: Policy
    timeout: float | None
    finishes: bool
    context: Context
    """That of who asked for it; else it would run in the context of the job whose end made room."""
    _code: CodeType
    _lasti: int
    created: float = field(default_factory=monotonic)
    job: Job[T] | None = None
    delivered: bool = False
    """Somebody waits for its result (`run`): an error goes there, not to the observer."""
    dropped: bool = False
    _why: str | None = None
    _begun: asyncio.Future[None] | None = None

    @property
    def path(self) -> str:
        return f"{self.scope.path}/{self.name}"

    @property
    def cancelled_by(self) -> str | None:
        return self._why if self.job is None else self.job.cancelled_by

    @property
    def state(self) -> State:
        if self.job is not None:
            return self.job.state
        return "dropped" if self.dropped else "waiting"

    def done(self) -> bool:
        return self.job.done() if self.job is not None else self.dropped

    def cancelled(self) -> bool:
        return self.job.cancelled() if self.job is not None else self.dropped

    def cancel(self, msg: Any = None) -> bool:
        """Drop it if it has not begun, else cancel its task."""
        if self.done():
            return False
        if msg is None:
            frame = sys._getframe(1)
            msg = f"cancelled at {site_text(frame.f_code, frame.f_lasti)}"
        return self.scope.withdraw(self, str(msg)) if self.job is None else self.job.cancel(msg)

    def coroutine(self) -> Coroutine[Any, Any, T]:
        """What its task runs (for the scope)."""
        if self.timeout is not None:
            return self._timed(self.timeout)
        try:
            return as_coroutine(self.fn, self.args)
        except Exception as error:  # noqa: BLE001 - it fails like any job, to whom it concerns
            return _fail(error)

    async def _timed(self, seconds: float) -> T:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return cast(T, await as_coroutine(self.fn, self.args))
        except TimeoutError:
            if limit.expired() and self.job is not None:
                self.job._why = f"timed out after {seconds:g} s"
            raise

    def drop(self, reason: str) -> None:
        """Never begin it (for the scope)."""
        self.dropped = True
        self._why = reason
        self.release()
        self.signal()

    def release(self) -> None:
        """Let go of the work; a coroutine that never ran is closed, so that Python does not warn about it."""
        if isinstance(self.fn, CoroutineType):
            self.fn.close()
        self.fn = None
        self.args = ()

    def signal(self) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    async def leave_queue(self, timeout: float | None = None) -> None:
        """Wait until it has begun or was dropped, at most `timeout` seconds."""
        if self.job is None and not self.dropped:
            if self._begun is None:
                self._begun = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._begun,), timeout=timeout)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended or was dropped, at most `timeout` seconds; True if so."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        await self.leave_queue(timeout)
        if self.job is not None:
            await self.job.wait(None if deadline is None else max(0.0, deadline - loop.time()))
        return self.done()

    def result(self) -> T:
        if self.job is not None:
            return self.job.result()
        raise JobCancelled(f"{self.path} never began: {self._why or 'still waiting'}")

    async def _await(self) -> T:
        try:
            await self.wait()
        except asyncio.CancelledError:
            self.cancel("the task that awaited it was cancelled")
            raise
        return self.result()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._await().__await__()


AnyJob = Job[T] | QueuedJob[T]


def as_coroutine(fn: Any, args: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
    """The coroutine of a piece of work: the work itself, or what calling it gives."""
    made: Any = fn(*args) if callable(fn) else fn
    if not asyncio.iscoroutine(made):
        raise TypeError(f"{fn!r} is no async function: it returned {type(made).__name__}, not a coroutine")
    return made


def name_of(fn: Any) -> str:
    """The name of a job that was not given one."""
    try:
        return str(fn.__name__)
    except AttributeError:
        return str(getattr(getattr(fn, "func", None), "__name__", type(fn).__name__))


async def _fail(error: Exception) -> Any:
    raise error


def current_job() -> Job[Any] | None:
    """The job this code runs in, or None outside of any scope."""
    task = asyncio.current_task()
    return task if isinstance(task, Job) else None
