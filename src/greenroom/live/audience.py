"""The audience of a room: everybody who watches, as the one socket of the character's context."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from greenroom.conversation.turn import END, START
from greenroom.live.viewer import Viewer
from greenroom.protocol import encode

log = structlog.stdlib.get_logger("greenroom.live")

BROADCAST_SLICE = 200
"""Frames written before the loop gets its turn."""
START_TEXT, END_TEXT = encode(START), encode(END)


class AllBut(str):
    """A frame's text for all viewers but one; it keeps its place among the others in the outbox."""

    viewer_id: str = ""


def all_but(viewer_id: str, text: str) -> AllBut:
    """A text for everybody but this viewer."""
    made = AllBut(text)
    made.viewer_id = viewer_id
    return made


class Audience:
    """Writes to everybody, encoding each message once.

    Args:
        frame: makes a frame of a text.
    """

    def __init__(self, frame: Callable[[str], bytes]) -> None:
        self.viewers: dict[str, Viewer] = {}
        self.broadcasts = 0
        self.talking = False
        """Whether the viewers have seen a conversation begin, and not its end."""
        self.dropped = False
        """Nobody can be written to any more."""
        self._frame = frame
        self._in_a_row = 0

    async def send_text(self, text: str) -> None:
        """Write one message to all. Who comes in while it is written gets the next one."""
        # Before the first is written: a viewer who comes in meanwhile is told by it.
        if text == START_TEXT:
            self.talking = True
        elif text == END_TEXT:
            self.talking = False
        frame = self._frame(text)
        self.broadcasts += 1
        left_out = text.viewer_id if isinstance(text, AllBut) else None
        for viewer in tuple(self.viewers.values()):
            if viewer.viewer_id != left_out:
                self._write(viewer, frame)
            self._in_a_row += 1
            if self._in_a_row >= BROADCAST_SLICE:
                self._in_a_row = 0
                await asyncio.sleep(0)

    def _write(self, viewer: Viewer, frame: bytes) -> None:
        try:
            viewer.write(frame)
        except Exception:
            # One broken socket must not end the writer that all the others listen to.
            log.exception("a viewer could not be written to", viewer=viewer.viewer_id[:8])
            self.viewers.pop(viewer.viewer_id, None)
            viewer.drop(1011, "cannot be written to")

    def drop(self, code: int, reason: str) -> None:
        """Send everybody away, for good."""
        self.dropped = True
        for viewer in tuple(self.viewers.values()):
            viewer.drop(code, reason)
