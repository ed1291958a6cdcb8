"""All rooms: made with their first viewer, closed a grace time after the last one left."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import structlog

from greenroom.live.queue_policy import QueueLimits
from greenroom.live.room import Room
from greenroom.live.viewer import Viewer
from greenroom.sessions.services import Services
from greenroom.tasks import ScopeClosed, ScopeFull, TaskScope

log = structlog.stdlib.get_logger("greenroom.live")

NAME = re.compile(r"[\w.-]{1,64}")


class RoomRefused(Exception):
    """A viewer cannot enter. `code` is the close code, the text the reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Rooms:
    """The rooms of this server, by name.

    Args:
        scope: parent of all rooms.
        frame: makes a WebSocket frame of a text.
    """

    def __init__(self, services: Services, scope: TaskScope, frame: Callable[[str], bytes]) -> None:
        settings = services.settings
        self._services = services
        self._settings = settings.rooms
        self._limits = QueueLimits(
            max_waiting=settings.queue.max_waiting,
            per_sender=settings.queue.per_sender,
            max_age=settings.queue.max_age_seconds,
            merge_window=settings.queue.merge_seconds,
            drop=settings.queue.drop,
        )
        self._frame = frame
        self._scope = scope
        self._forwards = scope.child(
            "forwards",
            max_running=self._settings.max_concurrent_forwards,
            max_waiting=self._settings.max_rooms,
        )
        self._rooms: dict[str, Room] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Any:
        return iter(tuple(self._rooms.values()))

    def get(self, name: str) -> Room | None:
        return self._rooms.get(name)

    async def enter(self, name: str, viewer: Viewer) -> Room:
        """Let a viewer in, opening the room if need be. Raises `RoomRefused`."""
        if NAME.fullmatch(name) is None:
            raise RoomRefused(1008, "room: use 1 to 64 letters, digits, dots, dashes or underscores")
        room = self._rooms.get(name)
        if room is None:
            room = await self._open(name)
        if room.viewers >= self._settings.max_viewers:
            raise RoomRefused(1013, f"this room has {room.viewers} viewers, which is the limit")
        self._stay(name)
        room.enter(viewer)
        return room

    async def _open(self, name: str) -> Room:
        if len(self._rooms) >= self._settings.max_rooms:
            raise RoomRefused(1013, f"{len(self._rooms)} rooms are open, which is the limit")
        try:
            room = Room(
                name,
                self._services,
                self._scope.child(f"room {name}"),
                self._forwards,
                self._frame,
                self._limits,
                self._settings.conversation_seconds,
            )
        except ScopeClosed:
            raise RoomRefused(1012, "the server is restarting") from None
        self._rooms[name] = room
        try:
            await room.open()
        except BaseException:
            self._rooms.pop(name, None)
            await room.close("could not be opened")
            raise
        log.info("room opened", room=name)
        return room

    def leave(self, room: Room, viewer: Viewer) -> None:
        """A viewer has gone, in whatever way."""
        room.leave(viewer)
        if room.viewers or room.closed or self._rooms.get(room.name) is not room:
            return
        self._stay(room.name)
        loop = asyncio.get_running_loop()
        self._timers[room.name] = loop.call_later(self._settings.grace_seconds, self._close_soon, room)

    def _stay(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _close_soon(self, room: Room) -> None:
        self._timers.pop(room.name, None)
        if room.viewers or self._rooms.get(room.name) is not room:
            return
        # Gone from the map first: whoever comes now gets a new room.
        del self._rooms[room.name]
        try:
            self._scope.start(room.close, "nobody watches", name=f"close room {room.name}", on_close="finish")
        except (ScopeClosed, ScopeFull) as error:
            log.warning("a room is closed with the server", room=room.name, error=str(error))

    async def close(self, reason: str) -> None:
        """Close all rooms, each whatever happens to the others."""
        for name in tuple(self._timers):
            self._stay(name)
        rooms, self._rooms = list(self._rooms.values()), {}
        for room in rooms:
            try:
                await room.close(reason)
            except Exception:
                log.exception("a room could not be closed", room=room.name)
        await self._scope.close(reason=reason)
