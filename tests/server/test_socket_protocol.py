"""Tests of socket_protocol.py: clients that have gone, and messages that are not whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from greenroom.server.inbox import Inbox
from greenroom.server.socket_protocol import SLICE, SocketProtocol

HANDSHAKE = (
    b"GET /proxy-ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


TINY = b"\x81\x80\0\0\0\0"
"""An empty text message, masked with zeros."""


def unbounded(seconds: float = 60.0) -> Inbox:
    return Inbox(10**9, seconds, lambda what: None, lambda *_: None)


def frame(first: int, data: bytes, *, claims: int | None = None) -> bytes:
    """A frame masked with zeros; it may claim to have more data than it does."""
    return bytes((first, 0xFF)) + (claims or len(data)).to_bytes(8, "big") + bytes(4) + data


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


async def test_a_shutdown_in_the_middle_of_a_handshake(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets one answer; the application hears that it has gone, which is no error."""
    reached = asyncio.Event()
    go_on = asyncio.Event()
    heard: list[str] = []

    async def app(scope: object, receive: object, send: object) -> None:
        reached.set()
        await go_on.wait()
        for kind in ("websocket.accept", "websocket.close"):
            try:
                await send({"type": kind})  # type: ignore[operator]
            except ClientDisconnected:
                heard.append(kind)
        raise ClientDisconnected

    config = uvicorn.Config(app, log_config=None)  # type: ignore[arg-type]
    config.load()
    state = ServerState()
    socket = SocketProtocol(config, state, {}, inbox=unbounded())
    wire = Wire()
    socket.connection_made(wire)
    socket.data_received(HANDSHAKE)
    await reached.wait()
    socket.shutdown()
    go_on.set()
    await asyncio.gather(*state.tasks)
    assert heard == ["websocket.accept", "websocket.close"]
    assert wire.written.count(b"HTTP/1.1 ") == 1
    assert not caplog.records


class Reader:
    """An application that reads when it is told to; `socket.receive` is called as uvicorn's protocol offers it."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.done = asyncio.Event()
        config = uvicorn.Config(self.app, interface="asgi3", log_config=None, ws_max_size=10**6)
        config.load()
        self.state = ServerState()
        self.socket = SocketProtocol(config, self.state, {}, inbox=inbox)
        self.wire = Wire()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.accepted.set()
        await self.done.wait()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SocketProtocol]:
        self.accepted = asyncio.Event()
        self.socket.connection_made(self.wire)
        self.socket.data_received(HANDSHAKE)
        async with asyncio.timeout(5):
            await self.accepted.wait()
        try:
            yield self.socket
        finally:
            self.done.set()
            await asyncio.gather(*self.state.tasks)
            self.socket.connection_lost(None)
            assert self.inbox.total == 0
            assert len(self.inbox) == 0


async def test_empty_fragments_take_no_memory() -> None:
    """They are put together as they come; a list of them would have no bound."""
    reader = Reader(unbounded())
    async with reader.open() as socket:
        socket.data_received(b"\x01\x81\0\0\0\0a")
        for _ in range(100):
            socket.data_received(b"\x00\x80\0\0\0\0" * 100)
        assert len(socket.frames) == 1
        socket.data_received(b"\x80\x81\0\0\0\0b")
        assert await socket.receive() == {"type": "websocket.receive", "text": "ab"}
        socket.data_received(b"\x02\x81\0\0\0\0a\x80\x81\0\0\0\0b")
        assert await socket.receive() == {"type": "websocket.receive", "bytes": b"ab"}


async def test_a_piece_of_tiny_messages_is_taken_apart_as_it_is_read() -> None:
    """None is lost, they keep their order, and no more than a slice of them are events at a time."""
    reader = Reader(unbounded())
    async with reader.open() as socket:
        numbered = b"".join(b"\x81\x86\0\0\0\0%06d" % number for number in range(30_000))
        socket.data_received(numbered)
        assert reader.wire.paused
        assert reader.inbox.total > len(numbered) - 2 * SLICE
        for number in range(30_000):
            assert socket.queue.qsize() <= SLICE / len(TINY)
            assert (await socket.receive())["text"] == f"{number:06d}"
        assert not reader.wire.paused
        assert reader.inbox.total == 0


async def test_what_came_before_the_end_is_read_before_the_end() -> None:
    """A bot that says much and hangs up is heard to the end."""
    reader = Reader(unbounded())
    async with reader.open() as socket:
        socket.data_received(TINY * 10_000)
        socket.connections.discard(socket)
        socket.connections.add(socket)
        socket.connection_lost(None)
        for _ in range(10_000):
            assert (await socket.receive())["type"] == "websocket.receive"
        assert (await socket.receive())["type"] == "websocket.disconnect"
        socket.connections.add(socket)  # the helper ends it once more


async def test_nonsense_of_somebody_who_has_gone_is_told_to_nobody() -> None:
    """It is found when what came before it has been read; a closed transport takes no answer."""
    for nonsense in (b"\xff" * 50, b"\x81\x81\0\0\0\0\xff"):
        reader = Reader(unbounded())
        async with reader.open() as socket:
            socket.data_received(TINY * 10_000 + nonsense)
            socket.connection_lost(None)
            written = reader.wire.written
            async with asyncio.timeout(5):
                while (await socket.receive())["type"] != "websocket.disconnect":
                    pass
            assert reader.wire.written == written
            socket.connections.add(socket)  # the helper ends it once more


async def test_a_large_message_counts_until_it_is_dealt_with() -> None:
    """Not only until it is whole: a thousand that wait would take as much."""
    reader = Reader(unbounded())
    async with reader.open() as socket:
        message = frame(0x82, bytes(100_000))
        for start in range(0, len(message), 1000):
            socket.data_received(message[start : start + 1000])
        assert reader.inbox.total == 100_000
        assert (await socket.receive())["bytes"] == bytes(100_000)
        assert reader.inbox.total == 100_000
        socket.data_received(TINY)
        assert (await socket.receive())["text"] == ""
        assert reader.inbox.total == 0


async def test_who_holds_too_much_is_dropped() -> None:
    """With a code and a reason, and what it held is let go at once, whatever it goes on to send."""
    reader = Reader(Inbox(50_000, 60, lambda what: None, lambda *_: None))
    async with reader.open() as socket:
        socket.data_received(frame(0x81, bytes(40_000), claims=500_000))
        assert not socket.close_sent
        for _ in range(100):
            socket.data_received(bytes(4000))
        assert reader.inbox.total == 0
        assert not socket.conn.reader.buffer
        assert b"50000 bytes of unread messages are the limit" in reader.wire.written
        assert (await socket.receive())["code"] == 1013


async def test_a_message_must_arrive_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte now and then gains nothing; a whole message in between, or a slow server, is no fault."""
    loop = asyncio.get_running_loop()
    calls: list[tuple[float, Any, tuple[Any, ...]]] = []

    class Timer:
        def __init__(self, *call: Any) -> None:
            self.call = call
            calls.append(self.call)

        def cancel(self) -> None:
            if self.call in calls:
                calls.remove(self.call)

    reader = Reader(unbounded(30.0))
    async with reader.open() as socket:
        monkeypatch.setattr(
            socket, "loop", type("L", (), {"call_later": lambda _, s, f, *a: Timer(s, f, a)})()
        )
        for byte in frame(0x81, b"abc")[:-1]:
            socket.data_received(bytes((byte,)))
            assert [call[0] for call in calls] == [30.0]
        socket.data_received(b"c" + b"\x81")
        assert calls == []  # the server has something to read; the next one's beginning can wait
        await socket.receive()
        assert [call[0] for call in calls] == [30.0]
        _, nearly, _ = calls.pop()
        nearly()
        _, late, what = calls.pop()
        late(*what)
        assert b"a message took longer than 30 s" in reader.wire.written
        assert (await socket.receive())["code"] == 1008
        calls.clear()
        monkeypatch.setattr(socket, "loop", loop)
