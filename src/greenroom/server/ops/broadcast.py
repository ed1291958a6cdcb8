"""The event stream: encoded once, written to every subscriber, and no task is woken for any of them.

Fifty open pages therefore cost fifty writes a second. A subscriber that does not read is dropped; the others
notice nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

RETRY_MS = 2000
"""How long a browser waits before it connects again."""
HEAD = f"retry: {RETRY_MS}\n".encode()
"""Goes into the first event; alone, some readers would take it for one."""
LAST_CHUNK = b"0\r\n\r\n"
_encode = msgspec.json.Encoder().encode


class Full(Exception):
    """As many subscribe as may."""


def event(name: str, data: object) -> bytes:
    """One server-sent event; `data` is encoded as JSON, which has no line ends."""
    body = data if isinstance(data, bytes) else _encode(data)
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"


def chunk(body: bytes) -> bytes:
    """A chunk of an HTTP/1.1 body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


class Subscriber:
    """One open stream, whose headers have been sent."""

    __slots__ = ("_read_at", "_unread", "transport")

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.transport = transport
        self._unread = 0
        self._read_at = 0.0

    def write(self, data: bytes, now: float, max_bytes: int, max_seconds: float) -> bool:
        """Write a chunk; False if it should be dropped, for it leaves too much unread, or for too long."""
        if self.transport.is_closing():
            return False
        unread = self.transport.get_write_buffer_size()
        if not unread or unread < self._unread:
            self._read_at = now
        if unread and (unread > max_bytes or now - self._read_at > max_seconds):
            return False
        self.transport.write(data)
        self._unread = self.transport.get_write_buffer_size()
        if not unread:
            self._read_at = now
        return True


class Broadcast:
    """All open streams.

    Args:
        limit: how many there may be.
        max_bytes: left unread by one.
        max_seconds: in which one reads nothing although it could.
        clock: monotonic seconds.
    """

    def __init__(
        self, limit: int, max_bytes: int, max_seconds: float, clock: Callable[[], float] | None = None
    ) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._clock = clock or asyncio.get_running_loop().time
        self._subscribers: dict[Subscriber, None] = {}
        self.closed = False
        self.dropped = 0
        """Subscribers that did not read."""

    def __len__(self) -> int:
        return len(self._subscribers)

    @property
    def full(self) -> bool:
        return len(self._subscribers) >= self._limit

    def join(self, transport: asyncio.WriteTransport, first: bytes) -> Subscriber:
        """Add a subscriber and send it its first events. Raises `Full`."""
        if self.closed or self.full:
            raise Full(f"{len(self._subscribers)} watch already, which is the limit")
        subscriber = Subscriber(transport)
        self._subscribers[subscriber] = None
        self._write(subscriber, chunk(HEAD + first))
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Forget one whose connection has ended. Idempotent."""
        self._subscribers.pop(subscriber, None)

    def send(self, events: bytes) -> None:
        """Write events to everybody."""
        data = chunk(events)
        for subscriber in tuple(self._subscribers):
            self._write(subscriber, data)

    def close(self) -> None:
        """End all streams: the body is complete, and the connection closes once that is read."""
        self.closed = True
        for subscriber in tuple(self._subscribers):
            if not subscriber.transport.is_closing():
                subscriber.transport.write(LAST_CHUNK)
                if subscriber.transport.get_write_buffer_size() > len(LAST_CHUNK):
                    # It has not read what came before either: do not wait for it.
                    subscriber.transport.abort()
                else:
                    subscriber.transport.close()
        self._subscribers.clear()

    def _write(self, subscriber: Subscriber, data: bytes) -> None:
        if not subscriber.write(data, self._clock(), self._max_bytes, self._max_seconds):
            self.dropped += not subscriber.transport.is_closing()
            self._subscribers.pop(subscriber, None)
            subscriber.transport.abort()
