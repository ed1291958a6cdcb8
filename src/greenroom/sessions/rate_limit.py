"""A token bucket: so many messages a second, with a burst; and what counts as a byte. Sans-I/O."""

from __future__ import annotations


def size_of(data: str | bytes) -> int:
    """Bytes of a frame on the wire. Text in ASCII, as most of what is large, knows its own without being looked at."""
    return (
        len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode("utf-8", "surrogatepass"))
    )


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
