"""One viewer of a room: a socket that receives what all receive, and a few words of its own."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from greenroom.protocol import Message, encode


class ViewerSocket(Protocol):
    """The socket, as far as a room needs it."""

    def write_frame(self, frame: bytes) -> bool: ...
    def unsent_bytes(self) -> int: ...
    def drop(self, code: int, reason: str) -> None: ...


class Viewer:
    """Receives frames in order. One that does not read is dropped alone.

    There is no queue and no task per viewer: a frame is handed to the transport at once, and how much the
    peer has not taken yet decides whether it is slow.

    Args:
        frame: makes a frame of a text.
        max_bytes: the most that may be unsent.
        drain_seconds: how long something may stay unsent without a moment of being empty.
    """

    __slots__ = (
        "_behind_since", "_drain_seconds", "_frame", "_max_bytes", "_socket", "address", "dropped",
        "received", "viewer_id",
    )  # fmt: skip

    def __init__(
        self,
        viewer_id: str,
        address: str,
        socket: ViewerSocket,
        frame: Callable[[str], bytes],
        *,
        max_bytes: int,
        drain_seconds: float,
    ) -> None:
        self.viewer_id = viewer_id
        self.address = address
        self.dropped = False
        self.received = 0
        self._socket = socket
        self._frame = frame
        self._max_bytes = max_bytes
        self._drain_seconds = drain_seconds
        self._behind_since: float | None = None

    def write(self, frame: bytes) -> bool:
        """Hand over a frame; False if the viewer has gone or was too slow."""
        if self.dropped:
            return False
        unsent = self._socket.unsent_bytes()
        if unsent:
            now = monotonic()
            if self._behind_since is None:
                self._behind_since = now
            if unsent + len(frame) > self._max_bytes or now - self._behind_since > self._drain_seconds:
                self.drop(1013, "reads too slowly")
                return False
        else:
            self._behind_since = None
        self.received += 1
        return self._socket.write_frame(frame)

    async def send(self, message: Message) -> None:
        """Send something to this viewer alone."""
        self.write(self._frame(encode(message)))

    def send_now(self, message: Message) -> None:
        self.write(self._frame(encode(message)))

    def drop(self, code: int, reason: str) -> None:
        self.dropped = True
        self._socket.drop(code, reason)
