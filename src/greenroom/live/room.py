"""A room: one conversation shared by many viewers, fed through its `ProxyMessageQueue` (olv-protocol §11).

The character's side of a room is an ordinary `ServiceContext`, whose socket is the whole audience. What a
viewer asks for itself (lists, a heartbeat) is answered to that viewer; what changes the stage is seen by all.
Opening a page sends `create-new-history`: in a room that must not wipe what the others are following, so it
only begins anew for a viewer who is alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from uuid import uuid4

import structlog

from greenroom.conversation.turn import START, TurnInput
from greenroom.live.journal import Entry, QueueJournal, now
from greenroom.live.proxy_message_queue import ProxyMessageQueue
from greenroom.live.queue_policy import DropReason, QueueItem, QueueLimits
from greenroom.live.viewer import Viewer
from greenroom.protocol import Message, encode
from greenroom.protocol import client_messages as c
from greenroom.protocol import server_messages as s
from greenroom.sessions.router import Router
from greenroom.sessions.service_context import ESTABLISHED, NO_GROUP, START_MIC, ServiceContext
from greenroom.sessions.services import Services
from greenroom.tasks import TaskScope

log = structlog.stdlib.get_logger("greenroom.live")

BROADCAST_SLICE = 200
"""Viewers written to before the loop gets its turn."""


class AllBut(str):
    """A frame's text for all viewers but one; it keeps its place among the others in the outbox."""

    viewer_id: str = ""


class Audience:
    """The socket of a room's context: everybody who watches. Encodes each message once."""

    def __init__(self, frame: Callable[[str], bytes]) -> None:
        self.viewers: dict[str, Viewer] = {}
        self._frame = frame
        self.broadcasts = 0

    async def send_text(self, text: str) -> None:
        frame = self._frame(text)
        self.broadcasts += 1
        all_but = text.viewer_id if isinstance(text, AllBut) else None
        for number, viewer in enumerate(tuple(self.viewers.values()), 1):
            if viewer.viewer_id != all_but:
                viewer.write(frame)
            if number % BROADCAST_SLICE == 0:
                await asyncio.sleep(0)

    def drop(self, code: int, reason: str) -> None:
        for viewer in tuple(self.viewers.values()):
            viewer.drop(code, reason)


class Room:
    """One room. `enter` and `leave` viewers; `receive` what they send; `close` it."""

    def __init__(
        self,
        name: str,
        services: Services,
        scope: TaskScope,
        forwards: TaskScope,
        frame: Callable[[str], bytes],
        limits: QueueLimits,
        conversation_seconds: float,
        journal: QueueJournal | None = None,
    ) -> None:
        self.name = name
        self._journal = journal
        self.opened_at = monotonic()
        self._frame = frame
        self._audience = Audience(frame)
        self.context = ServiceContext(services, self._audience, str(uuid4()), "room")
        self._scope = scope
        self._services = services
        self.queue = ProxyMessageQueue(
            name,
            scope,
            forwards,
            self._converse,
            self,
            limits=limits,
            conversation_seconds=conversation_seconds,
        )
        self.closed = False
        self.restarting = False
        """Set when the server stops: what waits then is answered after the restart."""

    async def say(self, text: str, sender: str, given: TurnInput, priority: int) -> None:
        """Somebody in the room, or a live chat, says something: it takes its place in the queue."""
        item = QueueItem(uuid4().hex, sender, text, given, priority)
        if self._journal is not None:
            # Pictures are not kept: what a crash interrupts is answered by its words.
            await self._journal.add(Entry(item.id, self.name, sender, text, priority, now()))
        self.queue.queue_item(item)

    def restore(self, entries: list[Entry]) -> None:
        """Take back what a crash left in this room's queue."""
        for entry in entries:
            given = TurnInput(entry.text)
            self.queue.queue_item(
                QueueItem(entry.id, entry.sender, entry.text, given, entry.priority), age=now() - entry.at
            )

    async def open(self) -> None:
        self._services.registry.add(self.context)
        await self.context.open()
        self.queue.start()

    # -- viewers -------------------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        return len(self._audience.viewers)

    def enter(self, viewer: Viewer) -> None:
        """Greet a viewer and let it watch; one who comes in mid-reply sees that one is running."""
        for text in (NO_GROUP, ESTABLISHED, encode(self.context.announcement()), NO_GROUP, START_MIC):
            viewer.write(self._frame(text))
        if self.context.turns.current is not None:
            viewer.send_now(START)
        self._audience.viewers[viewer.viewer_id] = viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; what it has waiting stays in the queue: it was said in public."""
        self._audience.viewers.pop(viewer.viewer_id, None)

    def router_for(self, viewer: Viewer) -> RoomRouter:
        return RoomRouter(self, viewer)

    # -- the queue's ends ------------------------------------------------------------------------------------

    async def _converse(self, item: QueueItem) -> None:
        """One conversation: everybody sees the message, then the reply, then its end."""
        given: TurnInput = item.message
        said = AllBut(encode(s.UserInputTranscription(given.text)))
        said.viewer_id = item.sender_id
        await self.context.outbox.put(said)
        await self.context.turns.hold(given)
        if self._journal is not None:
            await self._journal.remove(item.id)

    def _tell(self, item: QueueItem, message: Message) -> None:
        viewer = self._audience.viewers.get(item.sender_id.partition("/")[0])
        if viewer is not None:
            viewer.send_now(message)

    def queued(self, item: QueueItem, position: int, waiting: int) -> None:
        self._tell(item, s.QueueState(position=position, waiting=waiting))

    def merged(self, item: QueueItem) -> None:
        self._forget(item)

    def moved(self, positions: list[tuple[QueueItem, int]], waiting: int) -> None:
        for item, position in positions:
            self._tell(item, s.QueueState(position=position, waiting=waiting))

    def started(self, item: QueueItem) -> None:
        log.debug("conversation started", room=self.name, waited=round(monotonic() - item.queued_at, 3))

    def dropped(self, item: QueueItem, reason: DropReason, retry_after: float) -> None:
        self._tell(item, s.QueueDropped(reason=reason, retry_after=retry_after))
        self._services.meter.refused(f"room {reason}")
        self._forget(item)

    def _forget(self, item: QueueItem) -> None:
        if self._journal is not None and not self.restarting:
            self._journal.remove_soon(item.id)

    def ended(self, item: QueueItem, how: str, seconds: float) -> None:
        if how in ("failed", "timed out"):
            self._forget(item)
        log.debug("conversation ended", room=self.name, how=how, seconds=round(seconds, 3))

    # -- closing -------------------------------------------------------------------------------------------

    async def close(self, reason: str) -> None:
        """End the conversation, tell the senders who wait, release the character. Idempotent."""
        if self.closed:
            return
        self.closed = True
        dropped = self.queue.close()
        await self._scope.close(reason=reason)
        await self.context.close(reason)
        self._audience.drop(1001, "the room was closed")
        log.info(
            "room closed",
            room=self.name,
            reason=reason,
            stayed_s=round(monotonic() - self.opened_at, 1),
            dropped=dropped,
        )


class RoomRouter(Router):
    """What a viewer's messages do: most as for a page, but talk goes through the queue."""

    def __init__(self, room: Room, viewer: Viewer) -> None:
        super().__init__(room.context, reply=viewer.send)
        self._room = room
        self._viewer = viewer

    async def say(self, message: c.TextInput, given: TurnInput) -> None:
        # A bot speaks for many viewers: each of them is a sender, not the bot.
        sender = f"{self._viewer.viewer_id}/{message.name}" if message.name else self._viewer.viewer_id
        text = f"{message.name}: {given.text}" if message.name else given.text
        await self._room.say(text, sender, TurnInput(text, given.images), message.priority or 0)

    async def create_new_history(self, message: c.CreateNewHistory) -> None:
        if self._room.viewers <= 1 and not self._room.queue.conversation_active:
            await super().create_new_history(message)
            return
        await self._reply(s.NewHistoryCreated(self._context.history_of_turn()))
