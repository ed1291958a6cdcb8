"""The outbox: what waits to be written to one client, and the only job that writes to its socket.

Bounded in messages and bytes. A sender waits for room, so a client that reads slowly slows down its own reply
and nobody else's; one that does not read at all is given up after a deadline.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from greenroom.conversation.turn import ClientGone

LOST = "connection lost"
PIECE = 128 * 1024
"""Characters that are written in one piece, roughly."""


class OutboxClosed(ClientGone):
    """The client has gone; there is nobody to send to. The text says why."""


class Sink(Protocol):
    """A socket that takes several frames in one piece: one system call for all instead of one for each."""

    async def room(self) -> None:
        """Wait until it takes more. Raises `OSError` once it has gone."""
        ...

    def write_texts(self, texts: list[str]) -> None:
        """Write text frames in one piece; never waits. Raises `OSError` once it has gone."""
        ...


class Outbox:
    """Queue and writer of one client.

    Args:
        send: writes one text frame; may wait for the socket.
        max_messages, max_bytes: how much may wait (characters stand in for bytes: counting bytes would mean
            encoding twice).
        drain_seconds: how long what waits may take to be taken by the socket.
        on_stall: called once when that was not enough; the outbox is closed by then.
        sink: used in place of `send` where the socket can do it.
    """

    __slots__ = (
        "_closed", "_drain_seconds", "_max_bytes", "_max_messages", "_on_stall", "_queue", "_send",
        "_senders", "_sink", "_size", "_wakeup", "_why", "sent", "unsent",
    )  # fmt: skip

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        *,
        max_messages: int = 256,
        max_bytes: int = 16 * 1024 * 1024,
        drain_seconds: float = 10.0,
        on_stall: Callable[[], None],
        sink: Sink | None = None,
    ) -> None:
        self._send = send
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._drain_seconds = drain_seconds
        self._on_stall = on_stall
        self._sink = sink
        self._queue: deque[tuple[str, object]] = deque()
        self._size = 0
        self._wakeup: asyncio.Future[None] | None = None
        self._senders: OrderedDict[asyncio.Future[None], tuple[str, object]] = OrderedDict()
        self._closed = False
        self._why = "closed"
        self.sent = 0
        self.unsent = 0
        """Frames that were not written when it was closed."""

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def size(self) -> int:
        """Characters that wait."""
        return self._size

    async def put(self, text: str, tag: object = None) -> None:
        """Queue one frame, waiting for room; `tag` names a group that `discard` can take back.

        Raises `OutboxClosed` once the client has gone.
        """
        if not self._closed and (self._senders or self._full()):
            # Whoever lets it in moves the frame, so nobody can slip in before its sender wakes.
            admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._senders[admitted] = (text, tag)
            try:
                await admitted
            finally:
                self._senders.pop(admitted, None)
        elif not self._closed:
            self._add(text, tag)
        if self._closed:
            raise OutboxClosed(self._why)

    def _add(self, text: str, tag: object) -> None:
        self._queue.append((text, tag))
        self._size += len(text)
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def _full(self) -> bool:
        return len(self._queue) >= self._max_messages or (self._size >= self._max_bytes and bool(self._queue))

    def _let_in(self) -> None:
        while self._senders and not self._full():
            admitted, (text, tag) = self._senders.popitem(last=False)
            # One that was cancelled a moment ago has not heard of it yet.
            if not admitted.done():
                self._add(text, tag)
                admitted.set_result(None)

    def discard(self, tag: object) -> int:
        """Take back all frames of a group that are not written yet, also those that wait for room.

        Returns how many; their senders go on as if they were sent.
        """
        kept = [item for item in self._queue if item[1] is not tag]
        taken = len(self._queue) - len(kept)
        for admitted in [key for key, item in self._senders.items() if item[1] is tag]:
            del self._senders[admitted]
            if not admitted.done():
                admitted.set_result(None)
            taken += 1
        if taken:
            self._queue = deque(kept)
            self._size = sum(len(text) for text, _ in kept)
            self._let_in()
        return taken

    async def write(self) -> None:
        """The writer job: writes until it is cancelled, or the outbox is closed, or the socket has gone."""
        loop = asyncio.get_running_loop()
        while not self._closed:
            if not self._queue:
                self._wakeup = loop.create_future()
                await self._wakeup
                continue
            deadline = loop.call_later(self._drain_seconds, self._stall)
            try:
                if self._sink is not None:
                    await self._pour(self._sink)
                else:
                    await self._hand_over()
            except OSError:
                # Whoever waits for room must hear of it: the reader of this very socket may be among them.
                self.close(LOST)
            finally:
                deadline.cancel()

    async def _hand_over(self) -> None:
        for _ in range(len(self._queue)):
            if not self._queue:
                break
            text = self._take()
            if self._senders:
                self._let_in()
            await self._send(text)
            self.sent += 1

    async def _pour(self, sink: Sink) -> None:
        while self._queue:
            # Taken out of the queue only when the socket has room: until then `discard` can take it back.
            await sink.room()
            texts: list[str] = []
            size = 0
            while self._queue and size < PIECE:
                texts.append(self._take())
                size += len(texts[-1])
            if texts:
                sink.write_texts(texts)
                self.sent += len(texts)
            if self._senders:
                self._let_in()

    def _take(self) -> str:
        text, _tag = self._queue.popleft()
        self._size -= len(text)
        return text

    def _stall(self) -> None:
        self.close(f"did not read for {self._drain_seconds:g} s")
        self._on_stall()

    def close(self, why: str = "closed") -> int:
        """Refuse more, wake everybody who waits; returns how many frames were not written. Idempotent."""
        if self._closed:
            return self.unsent
        self._closed = True
        self._why = why
        self.unsent = len(self._queue)
        self._queue.clear()
        self._size = 0
        for admitted in self._senders:
            if not admitted.done():
                admitted.set_result(None)
        self._senders.clear()
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)
        return self.unsent
