"""A room: one conversation shared by many viewers, fed through its `ProxyMessageQueue` (olv-protocol §11).

The character's side of a room is an ordinary `ServiceContext`, whose socket is the whole audience. What a
viewer asks for itself (lists, a heartbeat) is answered to that viewer; what changes the stage is seen by all.
Opening a page sends `create-new-history`: in a room that must not wipe what the others are following, so it
only begins anew for a viewer who is alone.

Everything the character says goes through the queue, also what it says unasked: so no two turns of a room
overlap, and the viewers see one message, its reply and its end before the next message.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from uuid import uuid4

import structlog

from greenroom.conversation.turn import CUT_OFF, END, NEW_MESSAGE, START, Turn, TurnInput
from greenroom.live.audience import Audience, all_but
from greenroom.live.head_count import HeadCount
from greenroom.live.journal import Entry, QueueJournal, now
from greenroom.live.proxy_message_queue import ProxyMessageQueue, QueueStatistics
from greenroom.live.queue_policy import DropReason, QueueItem, QueueLimits
from greenroom.live.room_router import RoomRouter
from greenroom.live.viewer import Viewer
from greenroom.protocol import Message, encode
from greenroom.protocol import server_messages as s
from greenroom.protocol.client_messages import InterruptSignal
from greenroom.sessions.message_handler import Waiter
from greenroom.sessions.service_context import ESTABLISHED, NO_GROUP, START_MIC, ServiceContext
from greenroom.sessions.services import Services
from greenroom.tasks import JobCancelled, ScopeClosed, TaskScope

log = structlog.stdlib.get_logger("greenroom.live")

END_SECONDS = 1.0
"""How long a turn that was cancelled may take to end."""
PLAYED = "frontend-playback-complete"
UNASKED = "character"
"""The sender of what the character says unasked."""
OVER = (encode(NEW_MESSAGE), encode(END))
# Both sides say it with the same message.
CUT_IN = encode(InterruptSignal("conversation-interrupted"))


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What one room may hold and do."""

    queue: QueueLimits
    conversation_seconds: float
    max_concurrent_forwards: int


@dataclass(frozen=True, slots=True)
class RoomStatistics:
    """One room now. `open_seconds`: since its first viewer came."""

    name: str
    viewers: int
    open_seconds: float
    broadcasts: int
    queue: QueueStatistics


class RoomContext(ServiceContext):
    """The character's side: knows when a conversation's end goes out, and waits for nobody's playback."""

    is_page = False
    audience: Audience
    before_start: Callable[[], None]
    before_end: Callable[[str], Awaitable[None]]

    async def say(self, message: Message, turn: Turn) -> None:
        if message is START:
            self.before_start()
        elif message is END or message is CUT_OFF:
            await self.before_end("finished" if message is END else "cut off")
        await super().say(message, turn)
        if message is START:
            # A quick agent would compose its whole reply before the viewers heard that it begins.
            await asyncio.sleep(0)

    def expect_playback(self, request_id: str) -> Waiter:
        waiter = super().expect_playback(request_id)
        if not self.audience.viewers:
            waiter.give_up()
        return waiter


class Room:
    """One room. `enter` and `leave` viewers; `close` it."""

    def __init__(
        self,
        name: str,
        services: Services,
        scope: TaskScope,
        forwards: TaskScope,
        frame: Callable[[str], bytes],
        limits: RoomLimits,
        journal: QueueJournal | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self.opened_at = monotonic()
        self.closed = False
        self.restarting = False
        """Set when the server stops: what waits then is answered after the restart."""
        self.interrupter: str | None = None
        """The viewer who cut in first on the conversation that runs."""
        self._journal = journal
        self._frame = frame
        self._audience = Audience(frame)
        self.head_count = HeadCount(name, self._audience, frame)
        self._scope = scope
        self._services = services
        self._ended: str | None = None
        """How the conversation that runs ended, once its end is on its way to the viewers."""
        self._talk: QueueItem | None = None
        """What the conversation that runs is about."""
        self._struck_out = False
        self._clock = clock
        self.context = RoomContext(services, self._audience, str(uuid4()), "room")
        self.context.audience = self._audience
        self.context.before_start = self._before_start
        self.context.before_end = self._before_end
        self.queue = ProxyMessageQueue(
            name,
            scope,
            forwards,
            self._converse,
            self,
            limits=limits.queue,
            max_concurrent_forwards=limits.max_concurrent_forwards,
            conversation_seconds=limits.conversation_seconds,
            clock=clock,
        )

    def open(self, left: list[Entry]) -> None:
        """Begin; `left` is what a crash left in this room's queue. It waits for a viewer."""
        self._services.registry.add(self.context)
        self.context.scope.start(self.context.outbox.write, name="writer")
        self.queue.pause()
        self.queue.start()
        for entry in left:
            item = QueueItem(entry.id, entry.sender, entry.text, TurnInput(entry.text), entry.priority)
            self.queue.queue_item(item, age=self._clock() - entry.at)

    # -- viewers -------------------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        return len(self._audience.viewers)

    @property
    def usable(self) -> bool:
        """False once it cannot reach anybody any more; whoever comes needs a new room."""
        return not self.closed and not self._audience.dropped

    def enter(self, viewer: Viewer) -> None:
        """Greet a viewer and let it watch; one who comes in mid-reply sees that one is running."""
        for text in (NO_GROUP, ESTABLISHED, encode(self.context.announcement()), NO_GROUP, START_MIC):
            viewer.write(self._frame(text))
        if self._audience.talking:
            viewer.send_now(START)
        self._audience.viewers[viewer.viewer_id] = viewer
        self.head_count.changed()
        self.queue.resume()

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; what it has waiting stays in the queue: it was said in public.

        With nobody left no conversation begins, and nobody's playback is waited for.
        """
        self._audience.viewers.pop(viewer.viewer_id, None)
        self.head_count.forget(viewer)
        self.head_count.changed()
        if not self._audience.viewers:
            self.queue.pause()
            self.context.message_handler.handle(PLAYED)

    def router_for(self, viewer: Viewer) -> RoomRouter:
        return RoomRouter(self, viewer)

    # -- into the queue ------------------------------------------------------------------------------------

    async def say(
        self,
        text: str,
        sender: str,
        given: TurnInput,
        priority: int,
        request_id: str | int | None = None,
    ) -> None:
        """Somebody in the room, or a live chat, says something: it takes its place in the queue.

        `request_id`: the sender's own name for it, repeated in all that is said about its place.
        """
        size = len(text) + sum(map(len, given.images))
        item = QueueItem(uuid4().hex, sender, text, given, priority, size=size, request_id=request_id)
        # What is turned away costs no disk.
        if self._journal is not None and self.queue.would_take(item):
            try:
                # Pictures are not kept: what a crash interrupts is answered by its words.
                await self._journal.add(Entry(item.id, self.name, sender, text, priority, now()))
            except (sqlite3.Error, JobCancelled) as error:
                log.error("a message may not survive a crash", room=self.name, error=str(error))
                why = f"This message is not safe from a crash of the server: {error}"
                self._tell(item, s.Error(why, code="not-stored"))
            except ScopeClosed:
                # The server stops, and has not accepted it: say so.
                self._tell_dropped(item, "room-closed", 0.0)
                return
        self.queue.queue_item(item)

    def say_unasked(self, given: TurnInput) -> None:
        """The character speaks of its own accord, unless a conversation runs or waits."""
        if not self.queue.conversation_active and not self.queue.has_pending_messages():
            self.queue.queue_message("", UNASKED, given)

    # -- out of the queue ----------------------------------------------------------------------------------

    async def _converse(self, item: QueueItem) -> str | None:
        """One conversation: everybody sees the message, then the reply, then its end."""
        given: TurnInput = item.message
        self._talk, self._ended, self._struck_out, self.interrupter = item, None, False, None
        try:
            if not given.proactive:
                said = encode(s.UserInputTranscription(given.text))
                await self.context.outbox.put(all_but(_viewer_of(item), said))
            if not await self.context.turns.hold(given):
                raise RuntimeError("earlier turns of this room do not end")
            if self._ended is not None:
                return self._ended
            if self.interrupter is None:
                # Cut off before it was announced: there is no end to tell.
                return "cut off"
            await self._strike_out(item)
            for text in (CUT_IN, *OVER):
                await self.context.outbox.put(all_but(self.interrupter, text))
            return "interrupted"
        except BaseException:
            if not self.closed and self._ended is None:
                await self._tell_failure()
            raise
        finally:
            await self._strike_out(item)
            self._talk = None

    async def _tell_failure(self) -> None:
        text = "The conversation took too long, or failed; the next one begins."
        await self.context.outbox.put(encode(s.Error(text, code="conversation")))
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self.context.turns.idle()
        if self._ended is None:
            # The turn had not begun, or does not end.
            if self._talk is not None:
                await self._strike_out(self._talk)
            for text in OVER:
                await self.context.outbox.put(text)

    async def interrupt(self, viewer: Viewer, heard: str) -> None:
        """A viewer cuts in on the conversation; of several at once the first is heard."""
        if self.interrupter is None:
            self.interrupter = viewer.viewer_id
        await self.context.turns.interrupt(heard)

    def _before_start(self) -> None:
        # Who cut in before there was anything to cut off has not ended this conversation.
        self.interrupter = None

    async def _before_end(self, how: str) -> None:
        """Once a viewer has seen the end of a conversation, no crash may bring it back."""
        self._ended = how
        if self._talk is not None:
            await self._strike_out(self._talk)

    async def _strike_out(self, item: QueueItem) -> None:
        if self._journal is None or self._struck_out or self.restarting or item.sender_id == UNASKED:
            return
        self._struck_out = True
        try:
            await self._journal.remove(item.id)
        except (sqlite3.Error, ScopeClosed, JobCancelled) as error:
            log.error("an answered message was not struck out", room=self.name, error=str(error))

    # -- the queue's listener --------------------------------------------------------------------------------

    def _tell(self, item: QueueItem, message: Message) -> None:
        viewer = self._audience.viewers.get(_viewer_of(item))
        if viewer is not None:
            viewer.send_now(message)

    def _tell_dropped(self, item: QueueItem, reason: DropReason, retry_after: float) -> None:
        self._tell(item, s.QueueDropped(reason, round(retry_after, 1), item.request_id))

    def queued(self, item: QueueItem, position: int, waiting: int) -> None:
        self._tell(item, s.QueueState(position, waiting, item.request_id))

    def merged(self, item: QueueItem, twin: QueueItem, retry_after: float) -> None:
        if twin is self._talk or (item.request_id is not None and item.request_id != twin.request_id):
            self._tell_dropped(item, "duplicate", retry_after)
        self._forget(item)

    def moved(self, positions: list[tuple[QueueItem, int]], waiting: int) -> None:
        for item, position in positions:
            self.queued(item, position, waiting)

    def started(self, item: QueueItem) -> None:
        if item.request_id is not None:
            self.queued(item, 0, self.queue.waiting)

    def dropped(self, item: QueueItem, reason: DropReason, retry_after: float) -> None:
        if reason == "room-closed" and self.restarting and self._journal is not None:
            return  # Not dropped at all: it is answered after the restart.
        self._tell_dropped(item, reason, retry_after)
        self._services.meter.refused(f"room {reason}")
        self._forget(item)

    def ended(self, item: QueueItem, how: str, seconds: float) -> None:
        log.debug("conversation ended", room=self.name, how=how, seconds=round(seconds, 3))

    def _forget(self, item: QueueItem) -> None:
        if self._journal is not None and item.sender_id != UNASKED:
            self._journal.remove_soon(item.id)

    # -- closing -------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The server stops: begin nothing new. Without a journal those who wait are told now."""
        self.restarting = True
        self.queue.pause()
        if self._journal is None:
            self.queue.close()

    async def close(self, reason: str) -> None:
        """End the conversation, tell the senders who wait, release the character. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self.head_count.close()
        dropped = self.queue.close()
        try:
            await self._scope.close(reason=reason)
        finally:
            await self.context.close(reason)
            self._audience.drop(1001, "the room was closed")
        log.info(
            "room closed",
            room=self.name,
            reason=reason,
            stayed_s=round(monotonic() - self.opened_at, 1),
            waiting=dropped,
        )

    def statistics(self) -> RoomStatistics:
        return RoomStatistics(
            self.name,
            self.viewers,
            round(monotonic() - self.opened_at, 3),
            self._audience.broadcasts,
            self.queue.statistics(),
        )


def _viewer_of(item: QueueItem) -> str:
    """A bot speaks for many senders: `viewer/name`."""
    return item.sender_id.partition("/")[0]
