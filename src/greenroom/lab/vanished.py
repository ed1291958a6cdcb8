"""Peers that have vanished, seen from their side: how long does the server keep them?"""

from __future__ import annotations

import select
from collections import deque
from time import monotonic

from websockets.asyncio.client import ClientConnection


class Vanished:
    """Peers that have vanished: connections that are neither read nor closed.

    The first ones are watched to the end, for how long the server keeps them; of the others as many are held
    as a limit allows.
    """

    WATCHED = 5
    HELD = 20

    def __init__(self) -> None:
        self._watched: list[tuple[ClientConnection, float]] = []
        self._held: deque[ClientConnection] = deque()
        self.let_go: list[float] = []

    def add(self, connection: ClientConnection) -> None:
        """Stop reading this one. It may be cut when many others have come."""
        connection.transport.pause_reading()
        if len(self._watched) + len(self.let_go) < self.WATCHED:
            self._watched.append((connection, monotonic()))
            return
        self._held.append(connection)
        if len(self._held) > self.HELD:
            self._held.popleft().transport.abort()

    def look(self) -> list[float]:
        """Note which of the watched the server has closed; returns the ages of the others, oldest first."""
        now = monotonic()
        for entry in list(self._watched):
            if _closed_by_peer(entry[0]):
                self._watched.remove(entry)
                self.let_go.append(now - entry[1])
                entry[0].transport.abort()
        return [now - since for _, since in self._watched]

    def cut(self) -> None:
        """Cut all that are left."""
        for connection in (*(found for found, _ in self._watched), *self._held):
            connection.transport.abort()
        self._watched.clear()
        self._held.clear()


def _closed_by_peer(connection: ClientConnection) -> bool:
    """Whether the other side has closed, though nothing is read; never where the system does not tell."""
    inner = connection.transport.get_extra_info("socket")
    if inner is None or inner.fileno() < 0:
        return True
    if not hasattr(select, "POLLRDHUP"):
        return False
    poll = select.poll()
    poll.register(inner.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
