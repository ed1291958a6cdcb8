"""A bad network between two ends: a TCP proxy on loopback that delays, stalls, trickles, cuts and swallows.

    async with TcpProxy(server.host, server.port) as network:
        network.weather = Weather(delay=0.1, jitter=0.05)
        async with OlvClient(network.url("ws", "/client-ws")) as page: ...

TCP hides the loss of packets behind pauses, in which what was lost is sent again: so loss is a pause here, too.
The weather can be changed while connections are open.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from greenroom.tasks import ScopeClosed, TaskScope

PIECE = 1400
"""Bytes sent at once: about what fits into one packet."""


@dataclass(frozen=True)
class Weather:
    """What the network does to each piece.

    Args:
        delay, jitter: seconds on the way, and at most so many more.
        loss, repair: the share of pieces that is lost, and the seconds until it has been sent again.
        rate: bytes a second in each direction; 0 for no limit.
        swallows: takes everything and delivers nothing, and hides that the other end has closed.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    repair: float = 0.2
    rate: float = 0.0
    swallows: bool = False


class TcpProxy:
    """Listens on 127.0.0.1 and connects each caller with `host:port`; an async context manager."""

    def __init__(self, host: str, port: int, seed: int = 1) -> None:
        self.weather = Weather()
        self.port = 0
        self.connections = 0
        self._target = (host, port)
        self._chance = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._scope = TaskScope("network")
        self._writers: set[asyncio.StreamWriter] = set()

    def url(self, scheme: str, path: str) -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._scope.close()

    def cut(self) -> None:
        """Cut all connections at once, without a good-bye (RST)."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ScopeClosed):
            self._scope.start(self._connect, reader, writer, name="connection")

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            there = self._scope.start(self._pump, reader, far_writer, name="there")
            back = self._scope.start(self._pump, far_reader, writer, name="back")
            await there.wait()
            await back.wait()
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction; what is on its way keeps its order, however long it takes."""
        try:
            while data := await reader.read(PIECE):
                weather = self.weather
                seconds = weather.delay + self._chance.random() * weather.jitter
                if self._chance.random() < weather.loss:
                    seconds += weather.repair
                if weather.rate:
                    seconds += len(data) / weather.rate
                if seconds:
                    await asyncio.sleep(seconds)
                if not self.weather.swallows:
                    writer.write(data)
                    await writer.drain()
            if not self.weather.swallows:
                writer.close()
        except OSError:
            if not self.weather.swallows:
                writer.transport.abort()
