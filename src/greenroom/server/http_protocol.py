"""uvicorn's HTTP protocol, with two things it lacks.

An ASGI endpoint can find its connection's transport: a stream that goes to many readers is encoded once and
written to all of them without waking a task for each.

And nobody holds a connection for nothing: a request's head and body have their deadlines, connections that
nobody serves are bounded (`WaitingRoom`), and a reader that takes nothing of an answer is cut off, which closing
politely cannot do.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from greenroom.server.waiting_room import WaitingRoom

SCOPE_KEY = "greenroom.transport"
"""Where an ASGI endpoint finds its `asyncio.Transport`."""
MAX_HEAD = 64 * 1024
"""Bytes of a request's line and headers, and of all around its body; the parser itself sets no bound."""
ANSWERS = {
    "slow handshake": b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    "large head": b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
}
"""Said before the connection ends, by the reason."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection; its transport is in each request's ASGI scope under `SCOPE_KEY`."""

    def __init__(self, *args: Any, waiting_room: WaitingRoom, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = waiting_room
        self._deadline: TimerHandle | None = None
        self._stalled: TimerHandle | None = None
        self._upgraded = False
        self._head = 0
        """Bytes that came since the last request's end, or its head's, and belong to no body."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self._room.seconds, "slow handshake")

    def connection_lost(self, exc: Exception | None) -> None:
        self._served()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._head > MAX_HEAD and not self._upgraded and not self.transport.is_closing():
            self._cut("large head")
            return
        if self._deadline is None and self.timeout_keep_alive_task is None and self._idle():
            # A few bytes between two requests stop uvicorn's own clock, and may be all that ever comes.
            self._wait(self._room.seconds, "slow handshake")

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        self._served()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[SCOPE_KEY] = self.transport  # type: ignore[typeddict-unknown-key]  # pyright: ignore
        if self._deadline is None:
            self._wait(self._room.seconds, "slow handshake")

    def on_headers_complete(self) -> None:
        self._served()
        self._head = 0
        super().on_headers_complete()
        if any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            self._set_deadline(self._room.body_seconds, "slow body")

    def on_body(self, body: bytes) -> None:
        # What is left are the sizes of chunks and trailers, which the parser collects without bound.
        self._head -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head = 0
        super().on_message_complete()
        self._served()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._idle() and not self.transport.is_closing():
            self._room.enter(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._room.stalled_seconds, self._cut, "slow reader")

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self.flow is not None:
            super().resume_writing()

    def turn_out(self) -> None:
        """End the connection at once (see `WaitingRoom`)."""
        self._served()
        self.transport.abort()

    def _idle(self) -> bool:
        done = self.cycle is None or self.cycle.response_complete
        return done and not self._upgraded and not self.transport.is_closing()

    def _wait(self, seconds: float, why: str) -> None:
        self._room.enter(self)
        self._set_deadline(seconds, why)

    def _set_deadline(self, seconds: float, why: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._cut, why)

    def _served(self) -> None:
        self._room.leave(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self, why: str) -> None:
        self._room.refused(why)
        if why in ANSWERS:
            self.transport.write(ANSWERS[why])
        self.turn_out()
