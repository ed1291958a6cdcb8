"""Jobs: the tasks a scope owns, and the records of those that have not begun.

A `Job` *is* an `asyncio.Task`, so owning it costs no second object: the scope, the place it was
created at and its age sit in slots beside asyncio's own fields. What waits for room is only a
`QueuedJob`: no coroutine, no task, so that dropping ten thousand of them costs next to nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator, Hashable
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


@lru_cache(maxsize=4096)
def site_text(code: CodeType, lasti: int) -> str:
    """Resolve a creation site to `file:line in function`; done when somebody looks, not at each start."""
    line: int | None = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end:
            line = number
            break
    return f"{code.co_filename}:{line} in {getattr(code, 'co_qualname', code.co_name)}"


def await_stack(task: asyncio.Task[Any]) -> tuple[str, ...]:
    """Where a suspended task stands, outermost first; follows the chain of awaits, unlike `get_stack`."""
    lines: list[str] = []
    here: Any = task.get_coro()
    while here is not None and len(lines) < 32:
        frame = (
            getattr(here, "cr_frame", None)
            or getattr(here, "gi_frame", None)
            or getattr(here, "ag_frame", None)
        )
        if frame is None:
            break
        lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")
        here = getattr(here, "cr_await", None) or getattr(here, "gi_yieldfrom", None)
    return tuple(lines)


class Job(asyncio.Task[T]):
    """A running task with an owner. Awaitable like any task; made only by a scope."""

    __slots__ = ("_code", "_lasti", "created", "scope")

    scope: TaskScope
    created: float
    """`time.monotonic()` of its start, in seconds."""
    _code: CodeType
    _lasti: int

    # Rare ones are class attributes until set: the common job pays nothing for them.
    key: Hashable = None
    finishes: bool = False
    delivered: bool = False
    queued: QueuedJob[Any] | None = None
    cancelled_by: str | None = None
    """Who cancelled it: `closed: …`, `superseded by …`, `timed out after …`, `interrupted`, or a code line."""

    @property
    def name(self) -> str:
        return self.get_name()

    @property
    def site(self) -> str:
        """The line that started it, as `file:line in function`."""
        return site_text(self._code, self._lasti)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return monotonic() - self.created

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
        return "finished" if self.exception() is None else "failed"

    def cancel(self, msg: Any = None) -> bool:
        """Ask it to stop; `msg` becomes `cancelled_by`, without one the caller's line is noted."""
        if self.cancelled_by is None and not self.done():
            if msg is None:
                frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
                self.cancelled_by = f"cancelled at {site_text(frame.f_code, frame.f_lasti)}"
            else:
                self.cancelled_by = str(msg)
        return super().cancel(msg)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most `timeout` seconds, without cancelling it; True if it has."""
        if not self.done():
            await asyncio.wait((self,), timeout=timeout)
        return self.done()


class QueuedJob(Generic[T]):
    """A job that waits for room, or for another of its key to end. `await` it for the result."""

    __slots__ = (
        "_begun", "_code", "_lasti", "args", "cancelled_by", "created", "delivered", "finishes", "fn",
        "inner", "job", "key", "name", "policy", "scope", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        scope: TaskScope,
        fn: Work[T],
        args: tuple[Any, ...],
        name: str,
        key: Hashable,
        policy: Policy | None,
        timeout: float | None,
        finishes: bool,
        code: CodeType,
        lasti: int,
    ) -> None:
        self.scope = scope
        self.fn: Work[T] | None = fn
        self.args = args
        self.name = name
        self.key = key
        self.policy = policy
        self.timeout = timeout
        self.finishes = finishes
        self.created = monotonic()
        self.job: Job[T] | None = None
        self.cancelled_by: str | None = None
        self.delivered = False
        self.inner: Any = None
        self._code = code
        self._lasti = lasti
        self._begun: asyncio.Future[None] | None = None

    @property
    def site(self) -> str:
        return site_text(self._code, self._lasti)

    @property
    def age(self) -> float:
        return monotonic() - self.created

    @property
    def path(self) -> str:
        return f"{self.scope.path}/{self.name}"

    @property
    def state(self) -> State:
        if self.job is not None:
            return self.job.state
        return "waiting" if self.fn is not None else "dropped"

    def done(self) -> bool:
        return self.job.done() if self.job is not None else self.fn is None

    def cancelled(self) -> bool:
        return self.job.cancelled() if self.job is not None else self.fn is None

    def cancel(self, msg: Any = None) -> bool:
        """Drop it if it has not begun, else cancel its task."""
        if self.job is not None:
            if msg is None:
                frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
                msg = f"cancelled at {site_text(frame.f_code, frame.f_lasti)}"
            return self.job.cancel(msg)
        return self.scope.withdraw(self, str(msg or "cancelled while waiting"))

    def begin(self) -> Coroutine[Any, Any, T]:
        """Make the coroutine (for the scope)."""
        fn = self.fn
        self.fn = None
        if self.timeout is not None:
            self.inner = fn
            return _timed(self, fn, self.args, self.timeout)
        if isinstance(fn, CoroutineType):
            return cast("Coroutine[Any, Any, T]", fn)
        return cast("Callable[..., Coroutine[Any, Any, T]]", fn)(*self.args)

    def drop(self, reason: str) -> None:
        """Never begin it (for the scope); a coroutine made by the caller is closed."""
        self.cancelled_by = reason
        close_unused(self.fn)
        self.fn = None
        self.args = ()
        self.signal()

    def signal(self) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    async def _leave_queue(self) -> None:
        while self.job is None and self.fn is not None:
            # Several may wait for one record; a cancelled one must not take the others' future along.
            if self._begun is None or self._begun.done():
                self._begun = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._begun)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended or was dropped, at most `timeout` seconds; True if so."""
        try:
            async with asyncio.timeout(timeout):
                await self._leave_queue()
                if self.job is not None:
                    await self.job.wait()
        except TimeoutError:
            return False
        return True

    def result(self) -> T:
        if self.job is not None:
            return self.job.result()
        raise JobCancelled(f"{self.path} never began: {self.cancelled_by or 'still waiting'}")

    def __await__(self) -> Generator[Any, Any, T]:
        if self.job is None:
            yield from self._leave_queue().__await__()
        if self.job is None:
            raise JobCancelled(f"{self.path} never began: {self.cancelled_by}")
        return (yield from self.job.__await__())


AnyJob = Job[T] | QueuedJob[T]


async def _timed(queued: QueuedJob[T], fn: Any, args: tuple[Any, ...], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds) as limit:
            return cast(T, await (fn if isinstance(fn, CoroutineType) else fn(*args)))
    except TimeoutError:
        if limit.expired() and queued.job is not None:
            queued.job.cancelled_by = f"timed out after {seconds:g} s"
        raise


def close_unused(work: Any) -> None:
    """Close a coroutine that will never run, so that Python does not warn about it."""
    if isinstance(work, CoroutineType):
        work.close()


def current_job() -> Job[Any] | None:
    """The job this code runs in, or None outside of any scope."""
    task = asyncio.current_task()
    return task if isinstance(task, Job) else None
