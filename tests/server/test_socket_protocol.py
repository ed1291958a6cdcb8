"""What the socket protocol does with an application's answer when the client has gone."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from greenroom.server.socket_protocol import SocketProtocol

HANDSHAKE = (
    b"GET /proxy-ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False

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
    socket = SocketProtocol(config, state, {})
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
