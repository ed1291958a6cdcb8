"""HTTP connections that nobody serves: half-open ones, whose request has not come yet, and idle ones between two.

They cost a descriptor each and do nothing, so a stranger could open them by the thousand. Each has a deadline,
and there are only so many: the oldest goes when one more comes, which an honest client, whose request follows
its connection at once, never is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

__all__ = ["WaitingRoom"]


class Waiting(Protocol):
    """A connection, which can be ended at once."""

    def turn_out(self) -> None: ...


class WaitingRoom:
    """Connections in the order in which they began to wait.

    Args:
        most: how many may wait.
        seconds: how long a request's head may take.
        body_seconds: how long its body may take.
        stalled_seconds: how long a client may take nothing of an answer.
        refused: counts those turned out, by reason.
    """

    def __init__(
        self,
        most: int,
        seconds: float,
        body_seconds: float,
        stalled_seconds: float,
        refused: Callable[[str], None],
    ) -> None:
        self.seconds = seconds
        self.body_seconds = body_seconds
        self.stalled_seconds = stalled_seconds
        self.refused = refused
        self._most = most
        self._waiting: OrderedDict[Waiting, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, connection: Waiting) -> None:
        """Wait, as the youngest; the oldest is turned out when there are too many."""
        self._waiting[connection] = None
        self._waiting.move_to_end(connection)
        if len(self._waiting) > self._most:
            oldest, _ = self._waiting.popitem(last=False)
            self.refused("too many half-open")
            oldest.turn_out()

    def leave(self, connection: Waiting) -> None:
        """Wait no more. Idempotent."""
        self._waiting.pop(connection, None)
