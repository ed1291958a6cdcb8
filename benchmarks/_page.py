"""A page that costs next to nothing: a WebSocket client on a bare asyncio protocol.

The `websockets` client takes 50 to 100 µs a message; with a hundred pages in one process it would mostly measure
itself. This one parses frames by hand and looks at bytes, not at JSON, unless it has to.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

OPENING = ("fetch-backgrounds", "fetch-configs", "fetch-history-list", "create-new-history")
AUDIO = b'"type":"audio"'
CHAIN_END = b'"conversation-chain-end"'


def frame(message: dict[str, Any]) -> bytes:
    """A masked text frame; the mask is zero, which is legal and saves the work."""
    data = json.dumps(message).encode()
    size = len(data)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65536:
        head = bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x81, 0xFF)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + data


HEARTBEAT = frame({"type": "heartbeat"})
OPEN_FRAMES = b"".join(frame({"type": kind}) for kind in OPENING)
CLOSE = bytes((0x88, 0x82, 0, 0, 0, 0)) + (1000).to_bytes(2, "big")


@dataclass(slots=True)
class Wait:
    """Somebody waits for so many messages that hold these bytes."""

    wanted: bytes
    count: int
    found: asyncio.Future[float]


class Page(asyncio.Protocol):
    """One connection. `expect` gives a future for the first message that holds some bytes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.closed: asyncio.Future[int] = loop.create_future()
        """Resolved with the server's close code, 0 without one."""
        self.on_message: Callable[[bytes], None] | None = None
        self._loop = loop
        self._buffer = b""
        self._open = False
        self._opened: asyncio.Future[None] = loop.create_future()
        self._waits: list[Wait] = []
        self._code = 0

    @classmethod
    async def connect(cls, host: str, port: int) -> Page:
        """Connect and shake hands."""
        loop = asyncio.get_running_loop()
        _, page = await loop.create_connection(cls, host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        page.transport.write(
            f"GET /client-ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await page._opened
        return page

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are none of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(self._code)
        for waiting in (self._opened, *(wait.found for wait in self._waits)):
            if not waiting.done():
                waiting.set_exception(ConnectionError(f"closed by the server ({self._code})"))
                waiting.exception()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self._opened.set_exception(ConnectionError(buffer[:60].decode("latin-1")))
                self.transport.abort()
                return
            self._open = True
            self._opened.set_result(None)
            buffer = buffer[end + 4 :]
        at, size = 0, len(buffer)
        while size - at >= 2:
            length = buffer[at + 1]
            start = at + 2
            if length == 126:
                start = at + 4
                length = int.from_bytes(buffer[at + 2 : start], "big")
            elif length == 127:
                start = at + 10
                length = int.from_bytes(buffer[at + 2 : start], "big")
            if start > size or start + length > size:
                break
            self._frame(buffer[at] & 0x0F, buffer[start : start + length])
            at = start + length
        self._buffer = buffer[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            if self.on_message is not None:
                self.on_message(payload)
            for wait in self._waits:
                if wait.wanted in payload:
                    wait.count -= 1
                    if not wait.count:
                        self._waits.remove(wait)
                        if not wait.found.done():
                            wait.found.set_result(perf_counter())
                        break
        elif opcode == 9:
            self.transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif opcode == 8:
            self._code = int.from_bytes(payload[:2], "big")
            self.transport.write(CLOSE)
            self.transport.close()

    def expect(self, wanted: bytes, count: int = 1) -> asyncio.Future[float]:
        """The time (`perf_counter`) at which the message, or the last of so many, that holds these bytes has come."""
        wait = Wait(wanted, count, self._loop.create_future())
        self._waits.append(wait)
        return wait.found

    def send(self, **message: Any) -> None:
        self.transport.write(frame(message))

    async def ready(self) -> None:
        """The greeting, the page's four messages, and their answers."""
        done = self.expect(b'"new-history-created"')
        self.transport.write(OPEN_FRAMES)
        await done

    async def ask(self, data: bytes) -> tuple[float, float]:
        """Send a ready text frame; seconds to the first sentence, and to the end of the turn."""
        first, end = self.expect(AUDIO), self.expect(CHAIN_END)
        began = perf_counter()
        self.transport.write(data)
        return await first - began, await end - began

    async def heartbeat(self) -> float:
        """Seconds of a round trip."""
        done = self.expect(b'"heartbeat-ack"')
        began = perf_counter()
        self.transport.write(HEARTBEAT)
        return await done - began

    async def close(self) -> None:
        """Close politely and wait for the end."""
        self.transport.write(CLOSE)
        await self.closed

    def vanish(self) -> None:
        self.transport.abort()


def text(words: str) -> bytes:
    """A ready frame with a message of the visitor."""
    return frame({"type": "text-input", "text": words, "images": []})
