"""A token bucket: so many messages a second, with a burst. Sans-I/O."""

from __future__ import annotations


class RateLimit:
    """`rate` a second, at most `burst` at once."""

    __slots__ = ("_burst", "_last", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._last = now

    def take(self, now: float, amount: float = 1) -> float:
        """Take one, or so many; returns the seconds to wait before going on, 0 if there were enough left."""
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate) - amount
        self._last = now
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate

    def give_back(self) -> None:
        """Undo one `take`: what it was taken for is bounded elsewhere."""
        self._tokens = min(self._burst, self._tokens + 1)
