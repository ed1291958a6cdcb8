"""The router: what each message of a client does. One message at a time, in order; turns run beside it.

Nothing a client sends closes its socket: what cannot be understood is answered with an `error` that names the
field and the fix, an unknown type is logged and left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import structlog

from greenroom.conversation.turn import END, TurnInput
from greenroom.history import HistoryError
from greenroom.protocol import InvalidMessage, Message, UnknownType, decode, wire_type
from greenroom.protocol import client_messages as c
from greenroom.protocol import server_messages as s
from greenroom.sessions.history_requests import HistoryRequests
from greenroom.sessions.pictures import BadPicture, checked_picture
from greenroom.sessions.rate_limit import RateLimit, size_of
from greenroom.sessions.service_context import ServiceContext
from greenroom.sessions.wake_word_manager import WakeResult, WakeWordManager

log = structlog.stdlib.get_logger("greenroom.sessions")

HEARTBEAT_ACK = s.HeartbeatAck()
MAX_SLOWDOWN = 5.0
"""Seconds that reading may pause for a client that sends too fast."""
IMAGES = (c.TextInput, c.MicAudioEnd, c.AiSpeakSignal)
AUDIO = (c.MicAudioData, c.RawAudioData)


class Router(HistoryRequests):
    """Reads one client's messages into its context.

    `reply` takes the answers; by default they go to the context's own client.
    """

    def __init__(
        self, context: ServiceContext, reply: Callable[[Message], Awaitable[None]] | None = None
    ) -> None:
        limits = context.services.settings.limits
        self._context = context
        self._reply = reply or context.send
        self._limits = limits
        self._rate = RateLimit(limits.messages_per_second, limits.message_burst, monotonic())
        self._byte_rate = RateLimit(limits.bytes_per_second, limits.byte_burst, monotonic())
        self._too_fast = self._too_much = False
        self._told_no_ears = False

    async def _error(self, text: str, *, code: str | None = None, field: str | None = None) -> None:
        await self._reply(s.Error(text, code=code, field=field))

    async def receive(self, data: str | bytes) -> None:
        """Handle one frame. Raises only `OutboxClosed` (the client has gone) and cancellation."""
        context = self._context
        size = size_of(data)
        await self._keep_amount(size)
        try:
            message = decode(data)
        except UnknownType as error:
            await self._keep_pace()
            log.debug("unknown message type", client=context.client_uid[:8], type=error.type)
            return
        except InvalidMessage as error:
            await self._keep_pace()
            context.services.meter.refused("invalid")
            await self._reply(s.Error(error.message, code=error.code, field=error.field))
            return
        if not isinstance(message, AUDIO):
            await self._keep_pace()
        if size > self._limits.max_text_bytes and not await self._size_allowed(message, size):
            return
        handler = HANDLERS.get(type(message))
        if handler is None:
            return
        self._report_crooked(message)
        try:
            # By name: in a room some of them are others.
            await getattr(self, handler.__name__)(message)
        except HistoryError as error:
            context.services.refusals.warn(
                log,
                f"history {error.kind}",
                "a question about histories failed",
                client=context.client_uid[:8],
                error=str(error),
            )
            await self._reply(
                s.Error(f"Histories: {error.public}", code="history", request=wire_type(message))
            )

    def _report_crooked(self, message: Any) -> None:
        """A name that tries to be a path finds nothing, since names are looked up and never opened; but tell it."""
        for field in ("file", "history_uid"):
            name = getattr(message, field, None)
            if name and ("/" in name or "\\" in name or ".." in name or "\0" in name):
                services, client = self._context.services, self._context.client_uid[:8]
                services.meter.refused("path")
                services.refusals.warn(
                    log, "path", "refused", reason="path", client=client, field=field, name=name[:60]
                )

    async def _keep_pace(self) -> None:
        wait = self._rate.take(monotonic())
        if not wait:
            self._too_fast = False
            return
        if not self._too_fast:
            self._too_fast = True
            self._context.services.meter.refused("too fast")
            rate = self._limits.messages_per_second
            await self._error(
                f"Too many messages: {rate:g} a second are read, the rest waits.", code="too-fast"
            )
        await asyncio.sleep(min(wait, MAX_SLOWDOWN))

    async def _keep_amount(self, size: int) -> None:
        """Before anything is decoded: what takes long to read, sound and nonsense alike, has its bound by bytes."""
        wait = self._byte_rate.take(monotonic(), size)
        if not wait:
            self._too_much = False
            return
        if not self._too_much:
            self._too_much = True
            self._context.services.meter.refused("too much")
            rate = self._limits.bytes_per_second
            await self._error(
                f"Too much data: {rate} bytes a second are read, the rest waits.", code="too-fast"
            )
        await asyncio.sleep(min(wait, MAX_SLOWDOWN))

    async def _size_allowed(self, message: Any, size: int) -> bool:
        limits = self._limits
        allowed = limits.max_text_bytes
        field = "text"
        if isinstance(message, AUDIO):
            allowed, field = limits.max_audio_bytes, "audio"
        elif isinstance(message, IMAGES):
            # The images have a limit of their own; what is left is the text.
            size -= sum(size_of(image.data) for image in message.images)
        if size <= allowed:
            return True
        self._context.services.meter.refused("too large")
        await self._error(
            f"{field}: {size} bytes are too many; a message may have {allowed}.",
            code="too-large",
            field=field,
        )
        return False

    # -- talking -------------------------------------------------------------------------------------------

    async def text_input(self, message: c.TextInput) -> None:
        if not message.text.strip() and not message.images:
            await self._error("text: is empty; say something.", code="invalid-message", field="text")
            return
        images = await self._images(message.images)
        if images is None:
            return
        text: str | None = message.text
        manager = self._context.wake_word_manager
        if manager is not None:
            text = await self._awake(manager, message.text)
        if text is not None:
            await self.say(message, TurnInput(text, images))

    async def say(self, message: c.TextInput, given: TurnInput) -> None:
        """The visitor's words, ready to be answered."""
        await self._begin(given)

    async def _begin(self, given: TurnInput) -> None:
        if self._context.turns.begin(given):
            # Turns have a bound of their own: a client that waits for each reply is never too fast.
            self._rate.give_back()
            return
        self._context.services.meter.refused("busy")
        waiting = self._limits.turns_waiting
        await self._error(
            f"Still busy with your earlier messages ({waiting} are waiting). Interrupt, or wait for a reply.",
            code="busy",
        )

    async def _awake(self, manager: WakeWordManager, text: str) -> str | None:
        result: WakeResult = manager.hear(text)
        if result.action != "pass":
            await self._reply(
                s.WakeWordState(
                    client_uid=self._context.client_uid,
                    action=result.action,
                    matched_word=result.matched_word,
                    language=result.language,
                    current_state=manager.state,
                    stats=manager.stats(),
                )
            )
        return result.message

    async def _images(self, images: list[c.Image]) -> tuple[str, ...] | None:
        """The pictures for the agent; None after an error. URLs are never fetched: only data counts."""
        limits, meter, kept = self._limits, self._context.services.meter, []
        problem, field, code = "", "images", "too-large"
        if len(images) > limits.max_images:
            problem = f"images: {len(images)} are too many; send {limits.max_images} at most."
        for number, image in enumerate(images if not problem else ()):
            if not image.data.startswith("data:"):
                # Never fetched: it could be an address that only this machine can reach.
                meter.refused("image address")
                self._context.services.refusals.warn(
                    log,
                    "image address",
                    "refused",
                    reason="image address",
                    client=self._context.client_uid[:8],
                )
                continue
            try:
                kept.append(checked_picture(image.data, limits.max_image_bytes, limits.max_image_pixels))
            except BadPicture as error:
                problem, field, code = f"images[{number}].data: {error}", f"images[{number}].data", error.code
                break
        if problem:
            meter.refused("image")
            await self._error(problem, code=code, field=field)
            return None
        return tuple(kept)

    async def ai_speak_signal(self, message: c.AiSpeakSignal) -> None:
        images = await self._images(message.images)
        if images is not None:
            await self._begin(TurnInput(self._context.character.proactive_prompt, images, proactive=True))

    async def interrupt_signal(self, message: c.InterruptSignal) -> None:
        await self._context.turns.interrupt(message.text)

    async def frontend_playback_complete(self, message: c.FrontendPlaybackComplete) -> None:
        self._context.message_handler.handle("frontend-playback-complete", message.request_id)

    async def no_ears(self, message: Any) -> None:
        """Sound, without speech recognition: say so once an utterance, and close the microphone."""
        if not self._told_no_ears:
            self._told_no_ears = True
            await self._reply(s.Control("stop-mic"))
            await self._error(
                "This server has no speech recognition; please type instead.", code="no-speech-recognition"
            )
        if isinstance(message, c.MicAudioEnd):
            self._told_no_ears = False
            if self._context.turns.current is None:
                # The page waits for the reply to what it recorded; but not while another reply is under way.
                await self._reply(END)

    # -- characters and looks ------------------------------------------------------------------------------

    async def fetch_configs(self, message: c.FetchConfigs) -> None:
        entries = self._context.services.characters.entries()
        await self._reply(
            s.ConfigFiles(
                [
                    s.ConfigFile(
                        entry.filename,
                        entry.name,
                        avatar=entry.avatar or None,
                        language=entry.language or None,
                        description=entry.description or None,
                        greeting=entry.greeting or None,
                    )
                    for entry in entries
                ]
            )
        )
        if message.watch:
            await self.watch_character()

    async def watch_character(self) -> None:
        """Tell this client from now on how its characters get ready."""
        await self._context.watch()

    async def switch_config(self, message: c.SwitchConfig) -> None:
        if message.file:
            await self._context.handle_config_switch(message.file)

    async def fetch_backgrounds(self, message: c.FetchBackgrounds) -> None:
        await self._reply(s.BackgroundFiles(self._context.services.backgrounds()))

    async def request_init_config(self, message: c.RequestInitConfig) -> None:
        await self._reply(self._context.announcement())

    # -- the rest ------------------------------------------------------------------------------------------

    async def heartbeat(self, message: c.Heartbeat) -> None:
        await self._reply(HEARTBEAT_ACK)

    async def watch_room(self, message: c.WatchRoom) -> None:
        """A page of its own is no room; see `live.room_router`."""

    async def request_group_info(self, message: c.RequestGroupInfo) -> None:
        await self._reply(s.GroupUpdate([], False))

    async def no_groups(self, message: Any) -> None:
        await self._reply(s.GroupOperationResult(False, "This server has no groups."))


HANDLERS: dict[type, Callable[[Router, Any], Awaitable[None]]] = {
    c.TextInput: Router.text_input,
    c.AiSpeakSignal: Router.ai_speak_signal,
    c.InterruptSignal: Router.interrupt_signal,
    c.FrontendPlaybackComplete: Router.frontend_playback_complete,
    c.MicAudioData: Router.no_ears,
    c.RawAudioData: Router.no_ears,
    c.MicAudioEnd: Router.no_ears,
    c.FetchConfigs: Router.fetch_configs,
    c.SwitchConfig: Router.switch_config,
    c.FetchBackgrounds: Router.fetch_backgrounds,
    c.RequestInitConfig: Router.request_init_config,
    c.FetchHistoryList: Router.fetch_history_list,
    c.CreateNewHistory: Router.create_new_history,
    c.FetchAndSetHistory: Router.fetch_and_set_history,
    c.DeleteHistory: Router.delete_history,
    c.RestoreHistory: Router.restore_history,
    c.RenameHistory: Router.rename_history,
    c.SearchHistories: Router.search_histories,
    c.Heartbeat: Router.heartbeat,
    c.RequestGroupInfo: Router.request_group_info,
    c.WatchRoom: Router.watch_room,
    c.AddClientToGroup: Router.no_groups,
    c.RemoveClientFromGroup: Router.no_groups,
}
