"""`LatestSlot`: holds at most one job; a newer one supersedes it."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import ref

from ._job import AnyJob, QueuedJob, Work
from ._scope import TaskScope

T = TypeVar("T")


class LatestSlot:
    """One place for work of which only the latest matters (a search-as-you-type).

    Starting a job cancels the one before; the new one begins when the old one has *ended*, and one that has
    not begun when a newer arrives never begins. A result is installed only through `is_current`, or by the
    job itself, which is cancelled before its successor begins.
    """

    __slots__ = ("_latest", "name", "scope")

    def __init__(self, scope: TaskScope, name: str) -> None:
        self.scope = scope
        self.name = name
        self._latest: Callable[[], AnyJob[Any] | None] = lambda: None
        """A weak reference: a slot must not keep the result of a job that has ended."""

    def start(self, fn: Work[T], /, *args: Any, timeout: float | None = None) -> AnyJob[T]:
        """Supersede what the slot holds by `fn(*args)`; raises `ScopeClosed` and `ScopeFull` like `start`."""
        call = QueuedJob(self.scope, fn, args, sys._getframe(1), self.name, self, "restart", timeout)
        job = self.scope._admit(call)
        self._latest = ref(job)
        return job

    @property
    def current(self) -> AnyJob[Any] | None:
        """The latest job while it is alive (waiting or running), else None."""
        latest = self._latest()
        return None if latest is None or latest.done() else latest

    def is_current(self, job: AnyJob[Any]) -> bool:
        """Whether no newer one was started than this one, which may have ended."""
        latest = self._latest()
        return latest is job or (isinstance(latest, QueuedJob) and latest.job is job)

    def cancel(self, reason: str = "cancelled") -> bool:
        """Cancel or drop what the slot holds; True if there was something."""
        current = self.current
        return current is not None and current.cancel(reason)

    async def settled(self) -> None:
        """Wait until the slot is empty; if a newer job comes meanwhile, for that one too."""
        while (holder := self.scope._line.holder(self)) is not None:
            await holder.wait()
