"""What is open by virtue of a log-in or a pass: it is closed when that ends, by whoever, or by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

__all__ = ["LOGGED_OUT", "Logins", "Ticket"]

LOGGED_OUT = 1008, "logged out: the log-in that opened this connection has ended"


class Closable(Protocol):
    """A WebSocket, or the stream of an answer."""

    def drop(self, code: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """A log-in or a pass: the digest of its secret, and when it ends."""

    place: bytes
    ends: float


@dataclass(slots=True)
class _Open:
    ends: float
    timer: asyncio.TimerHandle
    connections: set[Closable] = field(default_factory=set["Closable"])


class Logins:
    """Connections by ticket; as many entries as there are tickets with something open."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._open: dict[bytes, _Open] = {}
        self._places: dict[Closable, bytes] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, ticket: Ticket, connection: Closable) -> None:
        """Something was opened with it."""
        found = self._open.get(ticket.place)
        if found is None:
            found = self._open[ticket.place] = _Open(ticket.ends, self._timer(ticket))
        found.connections.add(connection)
        self._places[connection] = ticket.place

    def discard(self, connection: Closable) -> None:
        """It was closed. Idempotent."""
        place = self._places.pop(connection, None)
        found = self._open.get(place) if place is not None else None
        if place is None or found is None:
            return
        found.connections.discard(connection)
        if not found.connections:
            found.timer.cancel()
            del self._open[place]

    def ended(self, place: bytes) -> None:
        """A log-in or pass is over: close what it opened."""
        found = self._open.pop(place, None)
        if found is None:
            return
        found.timer.cancel()
        for connection in found.connections:
            self._places.pop(connection, None)
            connection.drop(*LOGGED_OUT)

    def replaced(self, old: bytes, new: Ticket) -> None:
        """The same browser has logged in anew: what is open there goes on, and ends with the new log-in."""
        found = self._open.pop(old, None)
        if found is None:
            return
        found.timer.cancel()
        for connection in found.connections:
            self.add(new, connection)

    def _timer(self, ticket: Ticket) -> asyncio.TimerHandle:
        seconds = max(0.0, ticket.ends - self._clock())
        return asyncio.get_running_loop().call_later(seconds, self.ended, ticket.place)
