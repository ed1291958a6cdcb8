"""`LatestSlot`: holds at most one job; a newer one supersedes it."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from ._job import AnyJob, Job, QueuedJob, Work
from ._scope import TaskScope

T = TypeVar("T")


class LatestSlot:
    """One place for work of which only the latest matters (a character's initialisation, a search-as-you-type).

    Starting a job cancels the one before; the new one begins when the old one has *ended*, and one that has
    not begun when a newer arrives never begins. A result is installed only through `is_current`, or by the
    job itself, which is cancelled before its successor begins.
    """

    __slots__ = ("_latest", "name", "scope")

    def __init__(self, scope: TaskScope, name: str) -> None:
        self.scope = scope
        self.name = name
        self._latest: AnyJob[Any] | None = None

    def start(self, fn: Work[T], /, *args: Any, timeout: float | None = None) -> AnyJob[T]:
        """Supersede what the slot holds by `fn(*args)`; raises `ScopeClosed` once the scope closes."""
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        job = self.scope.admit_from(frame, fn, args, self.name, self, "restart", timeout)
        self._latest = job
        return job

    @property
    def current(self) -> AnyJob[Any] | None:
        """The latest job while it is alive (waiting or running), else None."""
        latest = self._latest
        if latest is not None and latest.done():
            latest = self._latest = None
        return latest

    def is_current(self, job: Job[Any] | QueuedJob[Any]) -> bool:
        latest = self._latest
        return latest is job or (isinstance(latest, QueuedJob) and latest.job is job)

    def cancel(self, reason: str = "cancelled") -> bool:
        """Cancel or drop what the slot holds; True if there was something."""
        current = self.current
        return current.cancel(reason) if current is not None else False

    async def settled(self) -> None:
        """Wait until the slot is empty; if a newer job comes meanwhile, for that one too."""
        while (current := self.current) is not None:
            await current.wait()
