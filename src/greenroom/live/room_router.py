"""What a viewer's messages do in a room: most as for a page, but talk goes through the room's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.conversation.turn import TurnInput
from greenroom.live.sources.moderation import clean
from greenroom.live.viewer import Viewer
from greenroom.protocol import client_messages as c
from greenroom.protocol import server_messages as s
from greenroom.sessions.outbox import OutboxClosed
from greenroom.sessions.router import Router

if TYPE_CHECKING:
    from greenroom.live.room import Room


class RoomRouter(Router):
    """Reads one viewer's messages into the room."""

    def __init__(self, room: Room, viewer: Viewer) -> None:
        super().__init__(room.context, reply=viewer.send)
        self._room = room
        self._viewer = viewer

    async def _keep_pace(self) -> None:
        await super()._keep_pace()
        if self._too_fast and self._viewer.gone:
            # Thousands may lie unread, at fifty a second: one who has left must not haunt the room for minutes.
            raise OutboxClosed("left while it sent too fast")

    async def say(self, message: c.TextInput, given: TurnInput) -> None:
        viewer, name = self._viewer, clean(message.name or "")
        text = f"{name}: {given.text}" if name else given.text
        sender, priority = viewer.viewer_id, 0
        if viewer.trusted:
            # A bot speaks for many people: each of them is a sender, not the bot. From afar a name is only
            # shown: else one viewer with a thousand names would take a thousand turns.
            sender = f"{sender}/{name}" if name else sender
            priority = message.priority or 0
        await self._room.say(text, sender, TurnInput(text, given.images), priority, message.request_id)

    async def ai_speak_signal(self, message: c.AiSpeakSignal) -> None:
        # Each page has a clock of its own: the first one whose time is up speaks for all.
        images = await self._images(message.images)
        if images is not None:
            prompt = self._context.character.proactive_prompt
            self._room.say_unasked(TurnInput(prompt, images, proactive=True))

    async def watch_room(self, message: c.WatchRoom) -> None:
        self._room.head_count.watch(self._viewer)

    async def interrupt_signal(self, message: c.InterruptSignal) -> None:
        await self._room.interrupt(self._viewer, message.text)

    async def create_new_history(self, message: c.CreateNewHistory) -> None:
        queue = self._room.queue
        if self._room.viewers <= 1 and not queue.conversation_active and not queue.has_pending_messages():
            await super().create_new_history(message)
            return
        await self._reply(s.NewHistoryCreated(self._context.history_of_turn()))
