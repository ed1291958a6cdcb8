"""How many watch a room, told to those who asked: at once to whoever asks, and when it has changed.

A thousand viewers who come in one after the other are told of in a few messages, not in a million: changes
within a moment are one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from greenroom.live.audience import Audience
from greenroom.live.viewer import Viewer
from greenroom.protocol import encode
from greenroom.protocol.server_messages import RoomState

TOGETHER_SECONDS = 1.0
"""Changes within it are told together."""


class HeadCount:
    """The number of one room's viewers and those who follow it."""

    def __init__(self, room: str, audience: Audience, frame: Callable[[str], bytes]) -> None:
        self._room = room
        self._audience = audience
        self._frame = frame
        self._asked: dict[str, Viewer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._told: int | None = None
        """What all who asked know; None while some know this and some that."""

    def __len__(self) -> int:
        return len(self._asked)

    def watch(self, viewer: Viewer) -> None:
        """This viewer wants to know."""
        if viewer.viewer_id in self._audience.viewers:
            self._asked[viewer.viewer_id] = viewer
            state = self._state()
            if state.viewers != self._told:
                self._told = None
            viewer.send_now(state)

    def forget(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        self._asked.pop(viewer.viewer_id, None)

    def changed(self) -> None:
        """Somebody came or went."""
        if self._asked and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self._tell)

    def close(self) -> None:
        """Tell nobody any more."""
        self._asked.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _state(self) -> RoomState:
        return RoomState(self._room, len(self._audience.viewers))

    def _tell(self) -> None:
        self._timer = None
        state = self._state()
        if state.viewers == self._told:
            return
        self._told = state.viewers
        frame = self._frame(encode(state))
        for viewer in tuple(self._asked.values()):
            viewer.write(frame)
