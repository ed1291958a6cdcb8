"""What the task core raises; every message says what to do about it."""

from __future__ import annotations


class TaskCoreError(Exception):
    """The base of everything `greenroom.tasks` raises."""


class ScopeClosed(TaskCoreError):
    """The scope is closing or closed: it starts nothing any more."""


class ScopeFull(TaskCoreError):
    """All running and waiting places are taken; wait with `submit`, or drop the work."""


class JobCancelled(TaskCoreError):
    """A job one waited for was cancelled, or never begun; the text says by what.

    Not a `CancelledError`: that one is reserved for the caller's own cancellation.
    """


class ForeignTask(TaskCoreError):
    """A task was created behind the core's back while `strict(policy="raise")` was on."""
