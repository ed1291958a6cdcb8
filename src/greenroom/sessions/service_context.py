"""`ServiceContext`: everything one client owns, and nothing that another one could notice.

It owns a task scope (writer, turns, agent init), a character, an agent with its memory, the current history,
those who wait for the client's answers, and the wake-word state. Closing it, from any state, ends all of that
and says in one log line what it released.

The character switch is the hard part. The answer goes out at once; the heavy init runs in a `LatestSlot`, so
a newer switch cancels it before it can install anything. Until an init has succeeded, the character before it
(with agent, memory and history) stands by in `_earlier`, and comes back if the init fails.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import structlog

from greenroom.agents.agent import Agent
from greenroom.agents.base import AgentError, ChatMessage
from greenroom.agents.memory import ChatMemory
from greenroom.agents.pool import EngineLease
from greenroom.config.character import Character
from greenroom.config.errors import ConfigError
from greenroom.conversation.turn import Turn
from greenroom.history import Breaks, HistoryError, Role, new_history_uid
from greenroom.protocol import Message, encode
from greenroom.protocol.server_messages import (
    CharacterState,
    ConfigSwitched,
    Control,
    Error,
    FullText,
    GroupUpdate,
    SetModelAndConf,
)
from greenroom.sessions.announcement import announcement_of, character_state_of
from greenroom.sessions.connection import Connection, Piecewise
from greenroom.sessions.context_report import ContextReport
from greenroom.sessions.message_handler import MessageHandler, Waiter
from greenroom.sessions.outbox import Outbox, OutboxClosed
from greenroom.sessions.services import Services
from greenroom.sessions.turns import Turns
from greenroom.sessions.wake_word_manager import WakeWordManager
from greenroom.tasks import LatestSlot, ScopeClosed, TaskScope
from greenroom.voice import SpeechEngine

log = structlog.stdlib.get_logger("greenroom.sessions")

NO_GROUP = encode(GroupUpdate([], False))
ESTABLISHED = encode(FullText("Connection established"))
START_MIC = encode(Control("start-mic"))
WARM_UP = "warm-up"
"""The address of visits that the server makes to itself before it opens."""
STORE_SECONDS = 2.0
"""How long a turn waits for its message to be safe before it goes on and says that it may not be."""


@dataclass(slots=True)
class Earlier:
    """The character that stands by while another one loads."""

    character: Character
    agent: Agent | None
    """None if it was never needed: nobody had spoken yet."""
    history_uid: str | None
    remembered: tuple[ChatMessage, ...]
    wake_words: WakeWordManager | None


class ServiceContext:
    """One client's session. `open`, then `receive` (see `router`), finally `close`."""

    is_page = True
    """Whether its first turn is a visitor's; a room's is that of many."""

    def __init__(self, services: Services, connection: Connection, client_uid: str, address: str) -> None:
        limits = services.settings.limits
        self.services = services
        self.client_uid = client_uid
        self.address = address
        self.character: Character = services.default_character()
        self.history_uid: str | None = None
        self.opened_at = monotonic()
        self.scope: TaskScope = services.scope.child(
            f"client {client_uid[:8]}", close_timeout=limits.close_seconds
        )
        self.outbox = Outbox(
            connection.send_text,
            max_messages=limits.outbox_messages,
            max_bytes=limits.outbox_bytes,
            drain_seconds=limits.outbox_drain_seconds,
            on_stall=self._stalled,
            sink=connection.sink() if isinstance(connection, Piecewise) else None,
        )
        self.message_handler = MessageHandler()
        self.wake_word_manager: WakeWordManager | None = None
        self.turns = Turns(self, limits)
        self._connection = connection
        self._init = LatestSlot(self.scope, "agent-init")
        self._agent: Agent | None = None
        self._earlier: Earlier | None = None
        self._remembered: tuple[ChatMessage, ...] = ()
        self._init_failures = 0
        self._init_error: AgentError | None = None
        self._report: ContextReport | None = None
        self._watched = False
        self._told_not_kept = False
        self._set_wake_words()

    # -- opening -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the writer and greet (olv-protocol §3)."""
        self.scope.start(self.outbox.write, name="writer")
        put = self.outbox.put
        await put(NO_GROUP)
        await put(ESTABLISHED)
        await self.send(self.announcement())
        await put(NO_GROUP)
        await put(START_MIC)

    def announcement(self) -> SetModelAndConf:
        """Who is on stage."""
        return announcement_of(self)

    # -- sending -------------------------------------------------------------------------------------------

    async def send(self, message: Message, tag: object = None) -> None:
        """Queue a message for the client. Raises `OutboxClosed` once it has gone."""
        await self.outbox.put(encode(message), tag)

    async def send_error(self, text: str, *, code: str | None = None, field: str | None = None) -> None:
        await self.send(Error(text, code=code, field=field))

    def _stalled(self) -> None:
        seconds = self.services.settings.limits.outbox_drain_seconds
        facts = {"client": self.client_uid, "waiting": self.outbox.unsent, "seconds": seconds}
        self.services.refusals.warn(log, "slow client", "client does not read", **facts)
        self._connection.drop(1013, f"did not read for {seconds:g} s")

    # -- the character -------------------------------------------------------------------------------------

    async def handle_config_switch(self, file: str) -> None:
        """Put another character on stage: answered at once, loaded in the background; the latest wins."""
        try:
            character = self.services.characters.load(file)
        except ConfigError as error:
            await self.send_error(
                f"Error switching configuration: {error}", code="switch-failed", field="file"
            )
            await self.send(self.announcement())
            return
        await self.turns.cut("the character was switched")
        if self._earlier is None:
            # With one there, who is on stage now has not been ready yet: no one to come back to.
            self._earlier = Earlier(
                self.character, self._agent, self.history_uid, self._remembered, self.wake_word_manager
            )
        self._agent = None
        self._remembered = ()
        self.history_uid = None
        self.character = character
        self._set_wake_words()
        self._start_init()
        await self._tell_state(CharacterState(character.conf_uid, "loading"))
        await self.send(self.announcement())
        await self.send(ConfigSwitched(f"Switched to config: {file}"))

    def _start_init(self) -> None:
        try:
            self._init.start(self._init_while_open, self.character)
        except ScopeClosed:
            raise OutboxClosed("the page was closed") from None

    async def _init_while_open(self, character: Character) -> None:
        with suppress(OutboxClosed):  # the page went meanwhile: there is nobody to tell
            await self._finish_heavy_init(character)

    async def _finish_heavy_init(self, character: Character) -> None:
        """The slow part of a switch. Installs its result without a pause, so a cancel leaves nothing."""
        seconds = self.services.settings.limits.init_seconds
        try:
            async with asyncio.timeout(seconds):
                lease = await self.services.engines.acquire(self.services.agent_settings(character.agent))
        except TimeoutError:
            error = AgentError(f"{character.conf_name} was not ready after {seconds:g} s.", retryable=True)
            await self._init_failed(character, error)
        except AgentError as error:
            await self._init_failed(character, error)
        except Exception as error:
            log.exception("agent init failed unexpectedly", client=self.client_uid)
            reason = AgentError(f"{type(error).__name__}.", hint="The server's log says more.")
            await self._init_failed(character, reason)
        else:
            self._install(character, lease)
            await self._tell_state(CharacterState(character.conf_uid, "ready"))

    async def watch(self) -> None:
        """Tell the client how the character on stage gets ready: now, and whenever it changes."""
        if self.is_page:
            self._watched = True
            await self.send(character_state_of(self))

    async def _tell_state(self, state: CharacterState) -> None:
        if self._watched:
            await self.send(state)

    def _install(self, character: Character, lease: EngineLease) -> None:
        memory = ChatMemory(self.services.settings.limits.memory_tokens)
        self._agent = Agent(
            lease,
            memory,
            character.persona_prompt,
            language=character.language,
            character_name=character.character_name,
            human_name=character.human_name,
        )
        self._init_error = None
        memory.load(self._remembered)
        self._remembered = ()
        earlier, self._earlier = self._earlier, None
        if earlier is not None and earlier.agent is not None:
            earlier.agent.close()

    async def _init_failed(self, character: Character, error: AgentError) -> None:
        self._init_failures += 1
        self._init_error = error
        earlier, self._earlier = self._earlier, None
        facts = {"client": self.client_uid, "character": character.conf_name, "error": str(error)}
        self.services.refusals.warn(log, "agent init", "agent init failed", **facts)
        if earlier is not None:
            self.character = earlier.character
            self._agent = earlier.agent
            self.history_uid = earlier.history_uid
            self._remembered = earlier.remembered
            self.wake_word_manager = earlier.wake_words
        await self._tell_state(CharacterState(character.conf_uid, "failed", str(error)))
        await self.send_error(f"{character.conf_name} could not be loaded: {error}", code="init-failed")
        if earlier is not None:
            await self.send(self.announcement())

    async def ready_agent(self) -> Agent:
        """The agent of the character on stage, waiting for its init. Raises `AgentError` if that fails."""
        failures = self._init_failures
        while self._agent is None or self._init.current is not None:
            if self._init.current is None:
                self._start_init()
            await self._init.settled()
            if self._init_failures != failures and self._init_error is not None:
                raise self._init_error
        return self._agent

    @property
    def loading(self) -> bool:
        """Whether an agent is being made."""
        return self._init.current is not None

    @property
    def agent(self) -> Agent | None:
        """The agent, if it is ready."""
        return self._agent if self._init.current is None else None

    @property
    def speech_engine(self) -> SpeechEngine | None:
        return self.services.voices.get(self.character.voice)

    def _set_wake_words(self) -> None:
        words = self.character.wake_words
        if words is None or not words.enabled:
            self.wake_word_manager = None
            return
        self.wake_word_manager = WakeWordManager(
            words.wake, words.end, idle_seconds=words.idle_seconds, clock=monotonic
        )

    # -- histories -----------------------------------------------------------------------------------------

    def new_history(self) -> str:
        """Begin a new conversation; nothing is stored before its first message."""
        history_uid = new_history_uid(datetime.now())
        self.set_history(history_uid)
        return history_uid

    def set_history(self, history_uid: str | None, talk: tuple[ChatMessage, ...] = ()) -> None:
        """Go on with a stored conversation (None: with none); an agent that still loads gets it later."""
        self.history_uid = history_uid
        if self._agent is not None:
            self._agent.memory.clear()
            self._agent.memory.load(talk)
        else:
            self._remembered = talk

    def history_of_turn(self) -> str:
        """Where a turn is stored; bots never ask for a history, and get one with their first message."""
        return self.history_uid or self.new_history()

    async def store(
        self, character: Character, uid: str, role: Role, content: str, *, wait: bool, breaks: Breaks | None
    ) -> None:
        """Store a line of the conversation; with `wait`, return when it is safe, or say that it is not."""
        if self.services.not_kept is not None and not self._told_not_kept:
            self._told_not_kept = True
            why = self.services.not_kept.public
            await self.send_error(f"Conversations last until the server stops: {why}", code="not-kept")
        try:
            stored = self.services.histories.append_nowait(
                character.conf_uid,
                uid,
                role,
                content,
                name=character.character_name if role == "ai" else None,
                avatar=(character.avatar or None) if role == "ai" else None,
                breaks=breaks,
            )
        except HistoryError as error:
            log.error("a line was not stored", client=self.client_uid, error=str(error))
            await self._tell_not_stored(error.public)
            return
        stored.add_done_callback(self._stored)
        if not wait:
            return
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await asyncio.shield(stored)
        except TimeoutError:
            log.warning("a line is not safe yet", client=self.client_uid, seconds=STORE_SECONDS)
            await self._tell_not_stored(f"not safe after {STORE_SECONDS:g} s")
        except HistoryError as error:
            await self._tell_not_stored(error.public)

    def _stored(self, stored: asyncio.Future[None]) -> None:
        if not stored.cancelled() and (error := stored.exception()) is not None:
            log.error("a line was not stored", client=self.client_uid, error=str(error))

    async def _tell_not_stored(self, why: str) -> None:
        await self.send_error(f"This message could not be stored: {why}", code="not-stored")

    # -- the turn's view (conversation.turn.Stage) -----------------------------------------------------------

    async def say(self, message: Message, turn: Turn) -> None:
        await self.send(message, turn)

    def expect_playback(self, request_id: str) -> Waiter:
        return self.message_handler.expect("frontend-playback-complete", request_id)

    # -- closing -------------------------------------------------------------------------------------------

    async def close(self, reason: str = "the page was closed") -> ContextReport:
        """End and release everything, in any state; idempotent. Raises nothing but cancellation."""
        if self._report is not None:
            return self._report
        began = monotonic()
        unsent = self.outbox.close()
        failures: list[str] = []
        waiters = self.message_handler.close()
        try:
            tasks = await self.scope.close(reason=reason)
        except asyncio.CancelledError:
            # The scope's close goes on without us; what is not in it is let go of now, or it never is.
            self._release(failures)
            raise
        engines = self._release(failures)
        wake_words, self.wake_word_manager = self.wake_word_manager, None
        seconds = monotonic() - began
        if self._report is None:
            self._report = ContextReport(
                seconds, tasks, waiters, engines, wake_words is not None, unsent, tuple(failures)
            )
            self.services.meter.client_closed(seconds, tasks.clean and not failures)
            stayed = monotonic() - self.opened_at
            quiet = self.address == WARM_UP
            self._report.log(client=self.client_uid, reason=reason, stayed=stayed, quiet=quiet)
        return self._report

    def _release(self, failures: list[str]) -> int:
        """Give the engines back and leave the registry; returns how many engines there were. Idempotent."""
        agents = [self._agent, self._earlier.agent if self._earlier is not None else None]
        self._agent = None
        self._earlier = None
        released = 0
        for agent in agents:
            if agent is None:
                continue
            released += 1
            try:
                agent.close()
            except Exception as error:  # noqa: BLE001 - one that fails must not keep the others from closing
                failures.append(f"agent: {error}")
        self.services.registry.remove(self)
        return released


__all__ = ["Connection", "ContextReport", "OutboxClosed", "ServiceContext"]
