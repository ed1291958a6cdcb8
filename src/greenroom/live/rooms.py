"""All rooms: made with their first viewer, closed a grace time after the last one left."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from time import monotonic

import structlog

from greenroom.config.errors import ConfigError
from greenroom.conversation.turn import TurnInput
from greenroom.live.journal import Entry, QueueJournal, on_clock
from greenroom.live.queue_policy import QueueLimits
from greenroom.live.room import Room, RoomLimits, RoomStatistics
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
        clock: for the ages of messages, in seconds.
    """

    def __init__(
        self,
        services: Services,
        scope: TaskScope,
        frame: Callable[[str], bytes],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        settings = services.settings
        self._services = services
        self._settings = settings.rooms
        self._limits = RoomLimits(
            QueueLimits(
                max_waiting=settings.queue.max_waiting,
                per_sender=settings.queue.per_sender,
                max_age=settings.queue.max_age_seconds,
                merge_window=settings.queue.merge_seconds,
                drop=settings.queue.drop,
            ),
            settings.rooms.conversation_seconds,
            settings.rooms.max_concurrent_forwards,
        )
        self._frame = frame
        self._clock = clock
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
        self._left_timer: asyncio.TimerHandle | None = None
        self._stopping = False

    async def open(self) -> None:
        """Read back what a crash left in the queues; it waits for each room's first viewer.

        Raises `ConfigError` if the journal cannot be used.
        """
        if self._journal is None:
            return
        entries = await self._journal.open()
        for entry in entries:
            self._left.setdefault(entry.room, []).append(on_clock(entry, self._clock()))
        expired = self._expire_left()
        log.info("room messages restored", restored=len(entries) - expired, expired=expired)

    def _expire_left(self) -> int:
        """Report what nobody came for in time, and set the clock for the next."""
        expired = 0
        now = self._clock()
        oldest: float | None = None
        for name, entries in tuple(self._left.items()):
            due = now - self._limits.queue.max_age
            young = [entry for entry in entries if entry.at > due]
            for entry in entries if len(young) < len(entries) else ():
                if entry.at <= due:
                    expired += 1
                    self._services.meter.refused("room expired")
                    log.warning("a restored message expired", room=name, waited=round(now - entry.at, 1))
                    if self._journal is not None:
                        self._journal.remove_soon(entry.id)
            if young:
                self._left[name] = young
                oldest = min(oldest or young[0].at, *(entry.at for entry in young))
            else:
                del self._left[name]
        if oldest is not None:
            # A moment later than due, for the loop's clock may be coarser.
            delay = max(0.0, oldest + self._limits.queue.max_age - now) + 0.05
            self._left_timer = asyncio.get_running_loop().call_later(delay, self._expire_left)
        return expired

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def statistics(self) -> list[RoomStatistics]:
        """All open rooms."""
        return [room.statistics() for room in self]

    def get(self, name: str) -> Room | None:
        return self._rooms.get(name)

    def enter(self, name: str, viewer: Viewer) -> Room:
        """Let a viewer in, opening the room if need be. Raises `RoomRefused`."""
        if self._stopping:
            raise RoomRefused(1012, "the server is restarting")
        if NAME.fullmatch(name) is None:
            raise RoomRefused(1008, "room: use 1 to 64 letters, digits, dots, dashes or underscores")
        room = self._rooms.get(name)
        if room is not None and not room.usable:
            self._stay(name)
            self._let_go(room, "it reached nobody any more")
            room = None
        if room is None:
            room = self._open(name)
        if room.viewers >= self._settings.max_viewers:
            raise RoomRefused(1013, f"this room has {room.viewers} viewers, which is the limit")
        self._stay(name)
        room.enter(viewer)
        return room

    def _open(self, name: str) -> Room:
        # No await in here: nobody may find a room that is half open.
        if len(self._rooms) >= self._settings.max_rooms and not self._make_place():
            raise RoomRefused(1013, f"{len(self._rooms)} rooms are open, which is the limit")
        try:
            scope = self._scope.child(f"room {name}")
        except ScopeClosed:
            raise RoomRefused(1012, "the server is restarting") from None
        try:
            room = Room(
                name,
                self._services,
                scope,
                self._forwards,
                self._frame,
                self._limits,
                self._journal,
                self._clock,
            )
        except (ConfigError, ScopeClosed) as error:
            log.error("a room could not be opened", room=name, error=str(error))
            self._scope.start(scope.close, name=f"close room {name}")
            raise RoomRefused(1013, "the server cannot open a room now") from None
        self._rooms[name] = room
        room.open(self._left.pop(name, []))
        log.info("room opened", room=name)
        return room

    def _make_place(self) -> bool:
        """Close the empty room that has nothing to do and was left first; False if there is none.

        Else whoever comes in and out under names made up at random keeps all others out of new rooms.
        """
        for name in self._timers:
            room = self._rooms[name]
            if not room.queue.conversation_active and not room.queue.has_pending_messages():
                self._stay(name)
                self._let_go(room, "its place was needed")
                return True
        return False

    async def hear(self, name: str, sender_id: str, sender_name: str, text: str, priority: int) -> bool:
        """Take a message of a live chat into a room; False if nobody watches there."""
        room = self._rooms.get(name)
        if room is None or not room.viewers or room.closed:
            self._services.meter.refused("live chat without viewers")
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
        if not room.viewers and self._rooms.get(room.name) is room:
            self._let_go(room, "nobody watches")

    def _let_go(self, room: Room, why: str) -> None:
        # Gone from the map first: whoever comes now gets a new room.
        del self._rooms[room.name]
        try:
            self._scope.start(room.close, why, name=f"close room {room.name}", on_close="finish")
        except (ScopeClosed, ScopeFull) as error:
            log.warning("a room is closed with the server", room=room.name, error=str(error))

    def stop(self) -> None:
        """First step of a shutdown: nobody comes in, no conversation begins, what waits is kept."""
        self._stopping = True
        for room in self:
            room.stop()

    async def close(self, reason: str) -> None:
        """Close all rooms, at the same time and each whatever happens to the others."""
        self.stop()
        for name in tuple(self._timers):
            self._stay(name)
        if self._left_timer is not None:
            self._left_timer.cancel()
        rooms, self._rooms = list(self._rooms.values()), {}
        jobs = [
            self._scope.start(room.close, reason, name=f"close room {room.name}", on_close="finish")
            for room in rooms
        ]
        for job in jobs:
            await job.wait()
        if self._journal is not None:
            await self._journal.close()
        await self._scope.close(reason=reason)
