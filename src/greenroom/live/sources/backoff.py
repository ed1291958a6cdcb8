"""How long to wait before the next attempt. Sans-I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff", "Pauses"]


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds: the first pause, the longest, and how long a connection must hold to count as healthy."""

    first: float = 1.0
    longest: float = 120.0
    healthy: float = 60.0


class Backoff:
    """Each failure in a row doubles the pause; a connection that held for a while makes it short again.

    Half of a pause is random, so that many sources cut off in one moment do not come back in one moment.

    Args:
        random: gives a number in 0..1.
    """

    def __init__(self, pauses: Pauses, random: Callable[[], float]) -> None:
        self._pauses = pauses
        self._random = random
        self.failures = 0

    def lost(self, connected_seconds: float) -> float:
        """A connection was lost, or none came about (0 seconds); returns the seconds to wait."""
        if connected_seconds >= self._pauses.healthy:
            self.failures = 0
        # The exponent is bounded: 2.0 ** failures would overflow after a night without a network.
        pause = min(self._pauses.longest, self._pauses.first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return pause * (0.5 + 0.5 * self._random())
