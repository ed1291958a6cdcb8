"""All rooms: made with their first viewer, closed a grace time after the last one left."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import structlog

from greenroom.conversation.turn import TurnInput
from greenroom.live.journal import Entry, QueueJournal, now
from greenroom.live.queue_policy import QueueLimits
from greenroom.live.room import Room
from greenroom.live.sources.base import ChatMessage
from greenroom.live.viewer import Viewer
from greenroom.sessions.services import Services
from greenroom.tasks import ScopeClosed, ScopeFull, TaskScope

log = structlog.stdlib.get_logger("greenroom.live")

JOURNAL = "rooms.sqlite3"
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
        self._journal = QueueJournal(settings.paths.root / JOURNAL, scope) if settings.queue.durable else None
        self._left: dict[str, list[Entry]] = {}
        self._hearing = scope.child("live chat", max_running=8, max_waiting=200)
        self._rooms: dict[str, Room] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def open(self) -> None:
        """Read back what a crash left in the queues; it waits for each room's first viewer."""
        if self._journal is None:
            return
        expired = 0
        for entry in await self._journal.open():
            if now() - entry.at >= self._limits.max_age:
                expired += 1
                self._services.meter.refused("room expired")
                self._journal.remove_soon(entry.id)
            else:
                self._left.setdefault(entry.room, []).append(entry)
        restored = sum(len(entries) for entries in self._left.values())
        log.info("room messages restored", restored=restored, rooms=len(self._left), expired=expired)

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
                self._journal,
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
        room.restore(self._left.pop(name, []))
        return room

    async def hear(self, name: str, sender_id: str, sender_name: str, text: str, priority: int) -> bool:
        """Take a message of a live chat into a room; False if nobody watches there."""
        room = self._rooms.get(name)
        if room is None or not room.viewers or room.closed:
            return False
        said = f"{sender_name}: {text}" if sender_name else text
        await room.say(said, sender_id, TurnInput(said), priority)
        return True

    def on_message(self, room: str, message: ChatMessage) -> None:
        """Hand a live chat's message to a room (`SourceRunner`'s callback); counts what it must drop."""
        try:
            self._hearing.start(
                self.hear,
                room,
                f"{message.source}/{message.sender_id}",
                message.sender_name,
                message.text,
                message.priority,
                name=f"hear {message.source}",
            )
        except (ScopeClosed, ScopeFull):
            self._services.meter.refused("live chat")

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
            room.restarting = True
            try:
                await room.close(reason)
            except Exception:
                log.exception("a room could not be closed", room=room.name)
        if self._journal is not None:
            await self._journal.close()
        await self._scope.close(reason=reason)
