"""Warnings that strangers cause: a flood of refusals does not become a flood of lines.

Each kind has a rate of its own, so that who floods with one does not hide another. The metrics count all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from greenroom.sessions.rate_limit import RateLimit

__all__ = ["RefusalLog"]

LINES_PER_SECOND = 2.0
BURST = 50


class Logger(Protocol):
    """As structlog's."""

    def warning(self, event: str, **facts: Any) -> Any: ...


class _Kind:
    __slots__ = ("left_out", "rate")

    def __init__(self, now: float) -> None:
        self.rate = RateLimit(LINES_PER_SECOND, BURST, now)
        self.left_out = 0


class RefusalLog:
    """So many lines a second of each kind; the next one tells how many were left out (`unlogged_before`)."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}

    def warn(self, log: Logger, kind: str, event: str, **facts: Any) -> None:
        """Log a warning, unless there are too many. `kind` is a word of ours, never a client's."""
        now = self._clock()
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = _Kind(now)
        if found.rate.take(now):
            found.rate.give_back()
            found.left_out += 1
            return
        if found.left_out:
            facts["unlogged_before"], found.left_out = found.left_out, 0
        log.warning(event, **facts)
