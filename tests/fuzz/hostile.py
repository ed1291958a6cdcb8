"""A client that sends what `grammar.py` makes, reads what comes, and leaves in any manner."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.protocol import State

from greenroom.protocol import decode_server
from greenroom.tasks import AnyJob, TaskScope

from .grammar import CUTTING, frame

BROKEN = (
    b"\x83\x80\0\0\0\0",  # a reserved opcode
    b"\xf1\x80\0\0\0\0",  # reserved bits
    b"\x81\x05hello",  # not masked
    b"\x81\x82\0\0\0\0\xff\xfe",  # text that is no UTF-8
    b"\x01\x81\0\0\0\0{\x81\x81\0\0\0\0{",  # a new message inside a fragmented one
    b"\x80\x80\0\0\0\0",  # a continuation of nothing
    b"\x89\xfe\x01\x00\0\0\0\0" + b"a" * 256,  # a ping that is too long
    b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0",  # 2**64 bytes announced
    b"\x88\x81\0\0\0\0\x01",  # a close frame with half a code
    b"\x88\x82\0\0\0\0\x00\x01",  # a close code that nobody may send
)
"""Frames that break RFC 6455; the server closes such a connection."""


class Hostile:
    """One connection; a context manager. Counts what it sends and gets."""

    def __init__(self, url: str, scope: TaskScope) -> None:
        self.sent = 0
        self.got: Counter[str] = Counter()
        self.sent_cutting = False
        self.closed = False
        self._url = url
        self._scope = scope
        self._reader: AnyJob[None] | None = None
        self._ws: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        self._ws = await connect(
            self._url, compression=None, ping_interval=None, max_size=None, close_timeout=1
        )
        self._reader = self._scope.start(self._read, name="reader")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def _read(self) -> None:
        assert self._ws is not None
        try:
            async for data in self._ws:
                decode_server(data)  # Whatever it is sent, the server answers in its own language.
                message = json.loads(data)
                name = message["text"] if message["type"] == "control" else message["type"]
                self.got[name] += 1
        except ConnectionClosed:
            self.closed = True

    async def send(self, data: str | bytes) -> None:
        """Send a frame; half characters, which no library sends, as bytes."""
        assert self._ws is not None
        if isinstance(data, str):
            self.sent_cutting |= any(kind in data for kind in CUTTING)
            try:
                data.encode()
            except UnicodeEncodeError:
                data = data.encode("utf-8", "surrogatepass")
        try:
            await self._ws.send(data)
            self.sent += 1
        except ConnectionClosed:
            self.closed = True

    def break_rules(self, number: int) -> None:
        """Send bytes that are no WebSocket frame."""
        self._write(BROKEN[number % len(BROKEN)])
        self.sent_cutting = True

    def _write(self, data: bytes) -> None:
        assert self._ws is not None
        if self._ws.state is State.OPEN and not self._ws.transport.is_closing():
            with suppress(RuntimeError):  # it has begun to close in the meantime
                self._ws.transport.write(data)

    async def leave(self, how: int = 0) -> None:
        """Close politely, cut, or cut with a message half sent."""
        assert self._ws is not None
        if how == 2:
            self._write(b"\x81\xfe\x10\x00" + os.urandom(40))
        if how:
            self._ws.transport.abort()
        await self._ws.close()
        if self._reader is not None:
            await self._reader.wait()

    async def all_ended(self, seconds: float = 10) -> bool:
        """Whether every turn that was begun has been ended; only asked of one that never cut a turn short."""
        try:
            async with asyncio.timeout(seconds):
                while self.got["conversation-chain-start"] > self.got["conversation-chain-end"]:
                    if self.closed:
                        return True
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return True


async def storm(url: str, chance: Random, messages: int, scope: TaskScope) -> int:
    """Connections one after the other, each with frames of all sorts; gives how many were sent."""
    sent = 0
    while sent < messages:
        try:
            async with Hostile(url, scope) as client:
                for _ in range(chance.choice((1, 20, 100, 300))):
                    await client.send(frame(chance))
                    if client.closed:
                        break
                if chance.random() < 0.2:
                    client.break_rules(chance.randrange(100))
                sent += max(1, client.sent)
                await client.leave(chance.choice((0, 0, 1, 2)))
        except (OSError, InvalidHandshake, ConnectionClosed):
            await asyncio.sleep(0.01)
    return sent
