"""uvicorn's WebSocket protocol, with three manners it lacks.

A peer that vanished takes nothing more: closing politely would first wait for the rest to be sent, which
never happens, so the connection would stay for as long as TCP hopes (a quarter of an hour). Here a missed
pong, and a client that does not read, end in an abort. And whoever is told to drop a client can do so
although `send` waits for that very client. And text that is no UTF-8 ends the connection, as RFC 6455 wants,
but no stranger can fill the log with tracebacks by it.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SCOPE_KEY = "greenroom.socket"
"""Where an ASGI endpoint finds its `SocketProtocol`."""
CLOSE_SECONDS = 2.0
"""How long a client that was sent a close frame may take to answer."""


TEXT = 0x81
"""The first byte of a text frame that is not continued."""


def text_frame(text: str) -> bytes:
    """A whole text frame as a server sends it (no mask, no compression)."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return bytes((TEXT, size)) + data
    if size < 65536:
        return bytes((TEXT, 126)) + size.to_bytes(2, "big") + data
    return bytes((TEXT, 127)) + size.to_bytes(8, "big") + data


class SocketSink:
    """Writes text frames past ASGI, several in one piece (see `sessions.outbox.Sink`)."""

    __slots__ = ("_socket",)

    def __init__(self, socket: SocketProtocol) -> None:
        self._socket = socket

    async def room(self) -> None:
        if not self._socket.writable.is_set():
            await self._socket.writable.wait()

    def write_texts(self, texts: list[str]) -> None:
        if not self._socket.write_frame(b"".join(map(text_frame, texts))):
            raise ClientDisconnected


class SocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection; put into the ASGI scope under `SCOPE_KEY`."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope[SCOPE_KEY] = self  # type: ignore[typeddict-unknown-key]  # pyright: ignore

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent and not self._is_utf8():
            self.frames = []
            self.logger.info("connection closed: text that is no UTF-8")
            if self.conn.close_sent is None:  # else what came in the same piece has ended it already
                self.conn.send_close(1007, "text must be UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def _is_utf8(self) -> bool:
        if len(self.frames) != 1:
            self.frames = [b"".join(self.frames)]
        data = self.frames[0]
        if data.isascii():
            return True
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._gone()

    def drop(self, code: int, reason: str) -> None:
        """Send a close frame past everything that waits, and hang up soon, whether it is read or not."""
        if self.disconnected or self.close_sent or not self.handshake_complete:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def write_frame(self, frame: bytes) -> bool:
        """Write a ready frame, so that a broadcast is encoded once for all. False if the peer has gone."""
        if self.disconnected or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True

    @property
    def sink(self) -> SocketSink:
        return SocketSink(self)

    @property
    def descriptor(self) -> int | None:
        """The number under which the system knows this connection."""
        socket = self.transport.get_extra_info("socket")
        return socket.fileno() if socket is not None else None

    def is_gone(self) -> bool:
        """Whether the connection has ended, although not all that was received may have been read."""
        return self.disconnected or self.transport.is_closing()

    def unsent_bytes(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self.transport.get_write_buffer_size()

    async def send(self, message: Any) -> None:
        if not self.handshake_complete and self.transport.is_closing():
            # Gone before it was let in, or answered for the application by a shutdown: uvicorn would pass over
            # an `accept`, and take what follows for a second answer.
            raise ClientDisconnected
        await super().send(message)
        if self.close_timer is not None and message["type"] == "websocket.close":
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
        elif message["type"] == "websocket.http.response.body" and self.close_sent:
            # Refused with an answer, which completes the handshake; uvicorn would call it an error of ours.
            self.handshake_complete = True

    def shutdown(self) -> None:
        super().shutdown()
        # A page that does not read must not hold up the server's exit.
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def _gone(self) -> None:
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": 1011, "reason": "keepalive ping timeout"}
        )
        self.transport.abort()
