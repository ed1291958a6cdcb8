"""Tasks created behind the core's back: a task factory that names the line and charges the owner.

Libraries start tasks too. While `strict()` is on, each job's context carries its scope, so that whatever is
created in it, or in a callback it left behind, is charged to that scope. Jobs bypass factories: a scope makes
them itself.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable
from fnmatch import fnmatchcase
from time import monotonic
from types import CoroutineType, FrameType
from typing import Any, Literal, Self, cast
from weakref import WeakKeyDictionary

from ._census import JobInfo
from ._errors import ForeignTask
from ._job import QueuedJob, State, await_stack, current_job, log, owner_variable, site_text, watchers

StrictPolicy = Literal["report", "allow", "adopt", "raise"]
NOBODY = "(nobody)"
_PLUMBING = (__name__, "asyncio.base_events", "asyncio.events", "asyncio.tasks")


Origin = tuple[str, str, float]
"""Where a foreign task comes from: the owner's path, the line, and `time.monotonic()`."""


class StrictFactory:
    """Catch tasks that no scope owns, also those that libraries create. Also called `strict`.

    >>> with strict("raise", allow=["uvicorn.*", "anyio.*"]): ...
    >>> strict().install(loop)

    Args:
        policy: `report` logs each line once, `allow` only charges them to the current owner, `adopt` makes
            them jobs of the current owner (beyond its `max_running`; it cancels them when it closes), `raise`
            refuses them with `ForeignTask`.
        allow: patterns of module names that may create tasks.
    """

    def __init__(self, policy: StrictPolicy = "report", allow: Iterable[str] = ()) -> None:
        self.policy = policy
        self.allow = tuple(allow)
        self.created = 0
        """Foreign tasks so far, allowed ones left out."""
        self._alive: WeakKeyDictionary[asyncio.Task[Any], Origin] = WeakKeyDictionary()
        self._told: set[tuple[str, str]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: Any = None

    def install(self, loop: asyncio.AbstractEventLoop | None = None) -> Self:
        """Watch a loop (the running one by default); a factory it already has goes on making the tasks."""
        if self._loop is not None:
            raise RuntimeError("this strict factory is installed already: make a second one with strict()")
        self._loop = loop or asyncio.get_running_loop()
        self._before = self._loop.get_task_factory()
        self._loop.set_task_factory(cast("Any", self))
        watchers.append(self)
        return self

    def uninstall(self) -> None:
        """Give the loop back the factory it had. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is not None:
            watchers.remove(self)
            loop.set_task_factory(self._before)

    __enter__ = install

    def __exit__(self, *_: object) -> None:
        self.uninstall()

    def foreign(self) -> tuple[JobInfo, ...]:
        """The foreign tasks alive, with the scope they are charged to and the line that made them."""
        return tuple(self.foreign_tasks().values())

    def foreign_tasks(self) -> dict[asyncio.Task[Any], JobInfo]:
        """The same, by task."""
        infos: dict[asyncio.Task[Any], JobInfo] = {}
        for task, (owner, site, created) in list(self._alive.items()):
            if not task.done():
                state: State = "cancelling" if task.cancelling() else "running"
                age, stack = monotonic() - created, await_stack(task)
                infos[task] = JobInfo(owner, task.get_name(), site, state, age, stack=stack)
        return infos

    def note(self, task: asyncio.Task[Any], origin: Origin) -> None:
        """Remember a foreign task while it lives."""
        self._alive[task] = origin

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        """The task factory. What asyncio's version passes on (name, context, eager_start) goes through."""
        make: Callable[..., asyncio.Task[Any]] = self._before or _plain_task
        frame = self._creator(coro) if loop.is_running() else None
        if frame is None:
            return make(loop, coro, **options)
        self.created += 1
        job, site = current_job(), site_text(frame.f_code, frame.f_lasti)
        owner = owner_variable.get() or (job.scope if job is not None else None)
        path = owner.path if owner else NOBODY
        if self.policy == "raise":
            coro.close()
            raise ForeignTask(
                f"{site} created a task behind the back of {path}: start it in a scope, "
                f"or allow its module with strict(allow=[{_module(frame)!r}])"
            )
        if self.policy == "adopt":
            while owner is not None and not owner.open:
                owner = owner.parent
            if owner is not None:
                # Whoever made it sees its errors: the observer need not.
                name, context = options.get("name") or "", options.get("context")
                return owner._begin(QueuedJob(owner, coro, (), frame, name, delivered=True, context=context))
        if self.policy != "allow" and (path, site) not in self._told and len(self._told) < 1000:
            self._told.add((path, site))
            log.warning("a task without an owner was created at %s, in %s", site, path)
        task = make(loop, coro, **options)
        self.note(task, (path, site, monotonic()))
        return task

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


strict = StrictFactory


def _plain_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop, **options)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
