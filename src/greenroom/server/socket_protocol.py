"""uvicorn's WebSocket protocol, with some manners it lacks.

A peer that vanished takes nothing more: closing politely would first wait for the rest to be sent, which
never happens, so the connection would stay for as long as TCP hopes (a quarter of an hour). Here a missed
pong, and a client that does not read, end in an abort. And whoever is told to drop a client can do so
although `send` waits for that very client. And text that is no UTF-8 ends the connection, as RFC 6455 wants,
but no stranger can fill the log with tracebacks by it.

And what a peer has sent is bounded before it is a message: fragments are put together as they come (a list of them
takes ten times their bytes, and empty ones count nowhere), a piece full of tiny messages is taken apart only as fast
as it is read, a message must arrive within its time, and all connections together hold so much (`Inbox`).
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from greenroom.server.inbox import Inbox

SCOPE_KEY = "greenroom.socket"
"""Where an ASGI endpoint finds its `SocketProtocol`."""
CLOSE_SECONDS = 2.0
"""How long a client that was sent a close frame may take to answer."""
SLICE = 16 * 1024
"""Bytes that are taken apart at once: tiny messages take thirty times as much as events as they did as bytes."""
LARGE = 64 * 1024
"""A whole message of more bytes counts as held until it has been dealt with."""
GRACE = 0.1
"""Seconds more for what has come and was not read, since this process stood still."""

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

    def __init__(self, *args: Any, inbox: Inbox, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.home = ""
        """What counts as its address; the door finds it out."""
        self._inbox = inbox
        self._rest = memoryview(b"")
        """What has come and was not taken apart yet."""
        self._large = self._taken = 0
        """Bytes of a large message that waits, and of one that the application has not dealt with."""
        self._held = 0
        self._midway = False
        """Whether the latest bytes ended no frame: the parser keeps a frame's head where it is not seen."""
        self._deadline: TimerHandle | None = None
        self._deaf = False
        self._has_reader = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._rest or not self._has_reader:
            self._forget()

    def on_task_complete(self, task: Any) -> None:
        super().on_task_complete(task)
        self._has_reader = False
        self._taken = self._large = 0
        if self.disconnected:
            self._forget()
        else:
            self._after_close()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if len(data) <= SLICE and not self._rest:
            super().data_received(data)
        else:
            self._rest = memoryview(bytes(self._rest) + data)
            self._take_apart()
        self._count()

    def handle_events(self) -> None:
        self._midway = not self.conn.events
        super().handle_events()

    async def receive(self) -> Any:
        if self._taken:
            self._taken = 0
            self._count()
        message = await self.queue.get()
        if self._rest and self.queue.empty():
            self._take_apart()
            if message["type"] == "websocket.disconnect" and not self.queue.empty():
                # What came before the end is read before the end.
                self.queue.put_nowait(message)
                message = self.queue.get_nowait()
        if self.queue.empty():
            self._taken, self._large = self._large, 0
            if self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()
                self._count()
        return message

    def turn_out(self, code: int, reason: str) -> None:
        """Drop a client that holds too much, and let go of what it holds."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self._deaf = True
        self._taken = self._large = 0
        self._forget()
        if self.handshake_complete:
            self.drop(code, reason)
        else:
            self.transport.abort()

    def _take_apart(self) -> None:
        """Read on until there is a message: what waits does so as bytes."""
        while self._rest and (self.queue.empty() or self.close_sent):
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            if self.conn.parser_exc is None:
                super().data_received(piece)  # type: ignore[arg-type]  # pyright: ignore

    def _after_close(self) -> None:
        """Nobody reads any more; only the answer to our close frame counts."""
        self._take_apart()
        self._count()

    def _forget(self) -> None:
        self._rest = memoryview(b"")
        self.frames = []
        self._midway = False
        self.conn.reader.buffer.clear()
        self._count()

    def _count(self) -> None:
        """Tell the inbox what is held, and begin or end the wait for the rest of a message."""
        partial = len(self.conn.reader.buffer) + (len(self.frames[0]) if self.frames else 0)
        held = partial + len(self._rest) + self._large + self._taken
        if held != self._held:
            self._held = held
            self._inbox.hold(self, held)
        if (partial or self._midway) and not self.read_paused and not self.close_sent:
            if self._deadline is None:
                self._deadline = self.loop.call_later(self._inbox.seconds, self._nearly_late)
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _nearly_late(self) -> None:
        self._deadline = self.loop.call_later(GRACE, self._inbox.late, self)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self._has_reader = True
            self.scope[SCOPE_KEY] = self  # type: ignore[typeddict-unknown-key]  # pyright: ignore

    def handle_cont(self, event: Any) -> None:
        if self.frames and event.data:
            if not isinstance(self.frames[0], bytearray):
                self.frames[0] = bytearray(self.frames[0])  # type: ignore[call-overload]  # pyright: ignore
            self.frames[0] += event.data
        if event.fin:
            self.send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        if self.disconnected:
            # Found in what was left to read of somebody who has gone: there is nobody to tell.
            self._rest = memoryview(b"")
        else:
            super().handle_parser_exception()

    def handle_ping(self) -> None:
        if self.disconnected:
            self.conn.data_to_send()
        else:
            super().handle_ping()

    def send_receive_event_to_app(self) -> None:
        if not self.frames or self.close_sent:
            self.frames = []
            return
        if len(self.frames[0]) > LARGE:
            self._large += len(self.frames[0])
        if isinstance(self.frames[0], bytearray) and self.curr_msg_data_type == "bytes":
            self.frames[0] = bytes(self.frames[0])
        if self.curr_msg_data_type == "text" and not self.close_sent and not self._is_utf8():
            self.frames = []
            self.logger.info("connection closed: text that is no UTF-8")
            if self.conn.close_sent is None:  # else what came in the same piece has ended it already
                self.conn.send_close(1007, "text must be UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def _is_utf8(self) -> bool:
        data = self.frames[0]
        if data.isascii():
            return True
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    def keepalive_timeout(self) -> None:
        # Of a process that stood still the timers come first, and pongs that lie unread after them.
        self.pong_timer = self.loop.call_later(GRACE, self._no_pong)

    def _no_pong(self) -> None:
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
        self._after_close()

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
            self._after_close()
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
