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
    def is_gone(self) -> bool: ...
    def drop(self, code: int, reason: str) -> None: ...


class Viewer:
    """Receives frames in order. One that does not read is dropped alone.

    There is no queue and no task per viewer: a frame is handed to the transport at once, and how much the
    peer has not taken yet decides whether it is slow.

    Args:
        frame: makes a frame of a text.
        max_bytes: the most that may be unsent.
        drain_seconds: how long something may stay unsent without any of it being taken.
        trusted: a program beside the server, such as a chat's bot: its word on names and priorities counts.
    """

    __slots__ = (
        "_drain_seconds", "_frame", "_handed", "_max_bytes", "_socket", "_stuck_since", "_taken", "address",
        "dropped", "received", "trusted", "viewer_id",
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
        trusted: bool = False,
    ) -> None:
        self.viewer_id = viewer_id
        self.address = address
        self.trusted = trusted
        self.dropped = False
        self.received = 0
        self._socket = socket
        self._frame = frame
        self._max_bytes = max_bytes
        self._drain_seconds = drain_seconds
        self._handed = self._taken = 0
        self._stuck_since: float | None = None

    @property
    def gone(self) -> bool:
        """Whether its connection has ended; what it sent before may not have been read yet."""
        return self.dropped or self._socket.is_gone()

    def write(self, frame: bytes) -> bool:
        """Hand over a frame; False if the viewer has gone or was too slow."""
        if self.dropped:
            return False
        unsent = self._socket.unsent_bytes()
        if unsent:
            now = monotonic()
            taken = self._handed - unsent
            if self._stuck_since is None or taken > self._taken:
                self._stuck_since = now
                self._taken = taken
            if unsent + len(frame) > self._max_bytes or now - self._stuck_since > self._drain_seconds:
                self.drop(1013, "reads too slowly")
                return False
        else:
            self._stuck_since = None
        self._handed += len(frame)
        self.received += 1
        return self._socket.write_frame(frame)

    async def send(self, message: Message) -> None:
        """`send_now`, for those who would wait."""
        self.send_now(message)

    def send_now(self, message: Message) -> None:
        """Send something to this viewer alone."""
        self.write(self._frame(encode(message)))

    def drop(self, code: int, reason: str) -> None:
        self.dropped = True
        self._socket.drop(code, reason)
