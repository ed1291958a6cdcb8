"""Tasks created behind the core's back: a task factory that names the line and charges the owner.

Libraries start tasks too. While `strict()` is on, each job's context carries its scope, so that whatever is
created in it, or in a callback it left behind, is charged to that scope. Jobs bypass factories: a scope makes
them itself.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterable
from contextvars import Context
from fnmatch import fnmatchcase
from time import monotonic
from types import CodeType, CoroutineType, FrameType
from typing import Any, Literal, NamedTuple, Self, cast
from weakref import WeakKeyDictionary

from ._errors import ForeignTask
from ._job import State, await_stack, current_job, site_text
from ._report import JobInfo, log
from ._scope import TaskScope, owner_variable, watch

StrictPolicy = Literal["report", "allow", "adopt", "raise"]
NOBODY = "(nobody)"
_PLUMBING = (__name__, "asyncio.base_events", "asyncio.events", "asyncio.tasks")


class _Origin(NamedTuple):
    owner: str
    code: CodeType
    lasti: int
    created: float

    @property
    def site(self) -> str:
        return site_text(self.code, self.lasti)


class StrictFactory:
    """What `strict` returns: a context manager, or `install` it on a loop and `uninstall` it."""

    def __init__(self, policy: StrictPolicy, allow: Iterable[str]) -> None:
        self.policy = policy
        self.allow = tuple(allow)
        self.created = 0
        """Foreign tasks so far, allowed ones left out."""
        self._alive: WeakKeyDictionary[asyncio.Task[Any], _Origin] = WeakKeyDictionary()
        self._told: set[_Origin] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: Any = None

    def install(self, loop: asyncio.AbstractEventLoop | None = None) -> Self:
        """Watch a loop (the running one by default); a factory it already has goes on making the tasks."""
        if self._loop is not None:
            raise RuntimeError("this strict factory is installed already: make a second one with strict()")
        self._loop = loop or asyncio.get_running_loop()
        self._before = self._loop.get_task_factory()
        self._loop.set_task_factory(cast("Any", self))
        watch(1)
        return self

    def uninstall(self) -> None:
        """Give the loop back the factory it had. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is not None:
            watch(-1)
            loop.set_task_factory(self._before)

    def __enter__(self) -> Self:
        return self.install()

    def __exit__(self, *_: object) -> None:
        self.uninstall()

    def foreign(self) -> tuple[JobInfo, ...]:
        """The foreign tasks alive, with the scope they are charged to and the line that made them."""
        return tuple(self.describe(task) for task in self.foreign_tasks())

    def foreign_tasks(self) -> list[asyncio.Task[Any]]:
        return [task for task in self._alive if not task.done()]

    def describe(self, task: asyncio.Task[Any]) -> JobInfo:
        """One of `foreign_tasks`, as the census would show it."""
        origin = self._alive[task]
        state: State = "cancelling" if task.cancelling() else "running"
        age = monotonic() - origin.created
        return JobInfo(origin.owner, task.get_name(), origin.site, state, age, stack=await_stack(task))

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        frame = self._creator(coro) if loop.is_running() else None
        if frame is None:
            return self._make(loop, coro, options)
        self.created += 1
        job = current_job()
        owner = owner_variable.get() or (job.scope if job is not None else None)
        origin = _Origin(owner.path if owner else NOBODY, frame.f_code, frame.f_lasti, monotonic())
        if self.policy == "raise":
            coro.close()
            raise ForeignTask(
                f"{origin.site} created a task behind the back of {origin.owner}: start it in a scope, "
                f"or allow its module with strict(allow=[{frame.f_globals.get('__name__', '')!r}])"
            )
        if self.policy == "adopt" and (mine := _adopt(owner, coro, frame, options)):
            return mine
        if self.policy != "allow":
            self._tell(origin)
        task = self._make(loop, coro, options)
        self.note(task, origin)
        return task

    def note(self, task: asyncio.Task[Any], origin: _Origin) -> None:
        """Remember a foreign task while it lives."""
        self._alive[task] = origin

    def _tell(self, origin: _Origin) -> None:
        once = origin._replace(created=0)
        if once not in self._told and len(self._told) < 1000:
            self._told.add(once)
            log.warning("a task without an owner was created at %s, in %s", origin.site, origin.owner)

    def _make(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], options: dict[str, Any]
    ) -> asyncio.Task[Any]:
        if self._before is not None:
            return cast("asyncio.Task[Any]", self._before(loop, coro, **options))
        return asyncio.Task(coro, loop=loop, **options)

    def _creator(self, coro: object) -> FrameType | None:
        """The frame to name: the first outside asyncio if there is one. None if it may create tasks."""
        if not isinstance(coro, CoroutineType):
            return None  # The loop cleans up after an abandoned async generator.
        frame = sys._getframe(2)
        inside: FrameType | None = None
        while (module := _module(frame)).startswith("asyncio.") or module == __name__:
            if frame.f_code.co_name == "wait_for":
                return None
            if inside is None and module not in _PLUMBING:
                inside = frame
            if frame.f_back is None or frame.f_code.co_name in ("_run_once", "run_until_complete", "run"):
                # Called by the loop, such as a server's callback for a new connection.
                frame = inside or frame
                break
            frame = frame.f_back
        return None if any(fnmatchcase(_module(frame), pattern) for pattern in self.allow) else frame


def strict(policy: StrictPolicy = "report", allow: Iterable[str] = ()) -> StrictFactory:
    """Catch tasks that no scope owns, also those that libraries create.

    >>> with strict("raise", allow=["uvicorn.*", "anyio.*"]): ...
    >>> strict().install(loop)

    Args:
        policy: `report` logs each line once, `allow` only charges them to the current owner, `adopt` makes
            them jobs of the current owner (beyond its `max_running`; it cancels them when it closes), `raise`
            refuses them with `ForeignTask`.
        allow: patterns of module names that may create tasks.
    """
    return StrictFactory(policy, allow)


def _adopt(
    owner: TaskScope | None, coro: Coroutine[Any, Any, Any], frame: FrameType, options: dict[str, Any]
) -> asyncio.Task[Any] | None:
    while owner is not None and not owner.open:
        owner = owner.parent
    if owner is None:
        return None
    name: str | None = options.get("name")
    context: Context | None = options.get("context")
    return owner._adopt(coro, name, context, frame)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
