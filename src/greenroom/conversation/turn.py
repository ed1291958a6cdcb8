"""One turn: input, streamed reply, speech, playback, end (olv-protocol §6).

Whatever happens, a turn ends: `conversation-chain-end` follows success, an error and a time-out; after an
interruption nothing follows, for the client has already turned to something else.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Protocol
from uuid import uuid4

from greenroom.agents.agent import Agent
from greenroom.agents.base import AgentError
from greenroom.config.character import Character
from greenroom.conversation.sentences import Piece, SentenceSplitter
from greenroom.conversation.speakable import SpeechFilters, expressions, spoken_text
from greenroom.conversation.speech import Line, SpeechLine
from greenroom.history import MAX_BREAKS, Breaks, Role, laid_out
from greenroom.protocol import Message
from greenroom.protocol.server_messages import (
    Audio,
    BackendSynthComplete,
    Control,
    DisplayText,
    Error,
    ForceNewMessage,
    FullText,
    UserInputTranscription,
)
from greenroom.tasks import TaskScope, current_job
from greenroom.voice import SpeechEngine

log = logging.getLogger("greenroom.conversation")

INTERRUPTED = "interrupted"
"""Prefix of the reason a turn is cancelled with when the visitor cut in: the visitor's word on what was heard
follows, so the turn itself stores nothing."""
Phase = Literal["waiting", "replying", "playing", "ending", "ended"]
Silence = Literal["none", "but its end", "all"]
START, END = Control("conversation-chain-start"), Control("conversation-chain-end")
CUT_OFF = Control("conversation-chain-end")
"""The same on the wire as `END`, which a stage may listen for: it ends a turn that came to its own end."""
NEW_MESSAGE = ForceNewMessage()
THINKING, WANTS_TO_SPEAK = FullText("Thinking..."), FullText("AI wants to speak something...")


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What starts a turn. `proactive`: the character speaks unasked, `text` being the prompt for it."""

    text: str
    images: tuple[str, ...] = ()
    proactive: bool = False
    transcription: str | None = None


class PlaybackWait(Protocol):
    """A waiter for the client's `frontend-playback-complete`; made before the message it answers is sent."""

    async def wait(self, seconds: float) -> bool: ...
    def cancel(self) -> None: ...


class ClientGone(Exception):
    """Nobody is there any more to send to; what a `Stage` raises then ends the turn like a closed page."""


class Stage(Protocol):
    """What a turn needs of the client it runs for."""

    @property
    def character(self) -> Character: ...
    @property
    def scope(self) -> TaskScope: ...
    @property
    def speech_engine(self) -> SpeechEngine | None: ...
    async def say(self, message: Message, turn: Turn) -> None:
        """Send a message of the turn. Raises `ClientGone`."""
        ...

    async def ready_agent(self) -> Agent: ...
    def expect_playback(self, request_id: str) -> PlaybackWait:
        """Wait for the answer to the `backend-synth-complete` with this id; one without an id counts too."""
        ...

    def history_of_turn(self) -> str: ...
    async def store(
        self, character: Character, uid: str, role: Role, content: str, *, wait: bool, breaks: Breaks | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Seconds for the reply and for playback beyond the length of the sound; sentences spoken at once."""

    reply_seconds: float = 120.0
    playback_grace_seconds: float = 30.0
    speech_jobs: int = 2


class Turn:
    """Runs once. `phase`, `heard` and `agent` tell an interruption what to do."""

    def __init__(self, stage: Stage, given: TurnInput, limits: TurnLimits) -> None:
        self.phase: Phase = "waiting"
        self.agent: Agent | None = None
        self.history_uid = ""
        self.silence: Silence = "none"
        """Set when it is cut off: from then on nothing of it is sent, or nothing but its end."""
        self.first_reply_seconds: float | None = None
        """From the start of the turn to its first sentence on the way to the client."""
        self._stage = stage
        self._given = given
        self._limits = limits
        self._began = monotonic()
        self._announced = False
        self._shown: list[str] = []
        self._shown_length = 0
        self._breaks: list[tuple[int, str]] = []
        self._raw: list[str] = []
        self._character = stage.character

    @property
    def character(self) -> Character:
        """Who answers."""
        return self._character

    @property
    def shown(self) -> str:
        """All text handed to the client so far."""
        return "".join(self._shown)

    async def run(self) -> None:
        try:
            await self._live()
        except (asyncio.CancelledError, ClientGone):
            stored = self.phase == "ending"
            self.phase = "ended"
            if not stored:
                await self._cut_off()
            if self._announced and self.silence == "but its end" and self._stage.scope.open:
                # By the turn itself, so that no later one can begin before the client has heard of it.
                await self._tell_end(CUT_OFF)
            raise
        except Exception as error:
            log.exception("a turn failed")
            await self._send(
                Error(f"Conversation error: {type(error).__name__}. The server's log says more.")
            )
            await self._tell_end()
        self.phase = "ended"

    async def _live(self) -> None:
        line: SpeechLine | None = None
        clock = asyncio.timeout(self._limits.reply_seconds)
        try:
            try:
                async with clock:
                    await self._open()
                    self.agent = await self._meet_agent()
                    self.phase = "replying"
                    line = SpeechLine(
                        self._stage.scope, self._stage.speech_engine, self._deliver, self._limits.speech_jobs
                    )
                    await self._reply(self.agent, line)
            except AgentError as error:
                await self._send(Error(f"Error processing agent response: {error}", code="agent"))
            except TimeoutError:
                if not clock.expired():
                    raise
                seconds = self._limits.reply_seconds
                await self._send(
                    Error(f"The reply took longer than {seconds:g} s and was stopped.", code="turn-timeout")
                )
                if line is not None:
                    await line.finish_silently()
            if line is not None and line.seconds:
                await self._play(line.seconds)
        finally:
            if line is not None:
                await line.close()
        await self._finish()

    async def _open(self) -> None:
        given = self._given
        # Safe before anything is said about it: whatever a client was answered survives a crash.
        await self._join_conversation()
        if given.proactive:
            await self._send(WANTS_TO_SPEAK)
        self._announced = True
        await self._send(START)
        await self._send(THINKING)
        if given.transcription is not None:
            await self._send(UserInputTranscription(given.transcription))

    async def _join_conversation(self) -> None:
        """Make the conversation that is on now the turn's own, and store what the visitor said there."""
        self._character = self._stage.character
        self.history_uid = self._stage.history_of_turn()
        if not self._given.proactive:
            store, said = self._stage.store, self._given.text
            await store(self._character, self.history_uid, "human", said, wait=True, breaks=None)

    async def _meet_agent(self) -> Agent:
        """Wait for the agent; if the visitor chose another character or conversation meanwhile, move there.

        Nothing may be awaited between the last look and the agent's taking the message into its memory.
        """
        while True:
            agent = await self._stage.ready_agent()
            home = (self._stage.character.conf_uid, self._stage.history_of_turn())
            if home == (self._character.conf_uid, self.history_uid):
                self._character = self._stage.character
                return agent
            await self._join_conversation()

    async def _reply(self, agent: Agent, line: SpeechLine) -> None:
        given = self._given
        splitter = SentenceSplitter(faster_first=self._character.faster_first_response)
        try:
            async with aclosing(agent.reply(given.text, given.images, not given.proactive)) as stream:
                async for token in stream:
                    self._raw.append(token)
                    for piece in splitter.feed(token):
                        await line.say(self._line(piece))
        except AgentError as error:
            # What came before it is part of the talk: it is shown and spoken to its end.
            await self._send(Error(f"Error processing agent response: {error}", code="agent"))
        for piece in splitter.flush():
            await line.say(self._line(piece))
        await line.drained()

    def _line(self, piece: Piece) -> Line:
        actions: dict[str, object] = {}
        spoken = ""
        if piece.kind == "text":
            found = expressions(piece.text, self._character.emotion_map)
            if found:
                actions["expressions"] = found
            if self._stage.speech_engine is not None:
                spoken = spoken_text(piece.text, filters_of(self._character))
        return Line(piece.text, spoken, actions, piece.before)

    async def _deliver(self, line: Line) -> None:
        character = self._character
        speech = line.speech
        message = Audio(
            audio=base64.b64encode(speech.wav).decode("ascii") if speech is not None else None,
            volumes=list(speech.volumes) if speech is not None else [],
            slice_length=speech.slice_ms if speech is not None else 20,
            display_text=DisplayText(line.display, character.character_name, character.avatar),
            actions=line.actions,
            before=line.before if self._shown else "",
        )
        first = self.first_reply_seconds is None
        if first:
            self.first_reply_seconds = monotonic() - self._began
        if self._shown and line.before and len(self._breaks) <= MAX_BREAKS:
            self._breaks.append((self._shown_length, line.before))
        self._shown.append(line.display)
        self._shown_length += len(line.display)
        await self._send(message)
        if first:
            # When many ask in the same instant, everybody's first sentence goes before anybody's second: one
            # step aside lets the others compose theirs, the second lets the writers of all of them write.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def _play(self, seconds: float) -> None:
        """Wait until the client has played everything, never longer than that takes plus the grace time."""
        self.phase = "playing"
        # With an id, so that a late answer to the turn before does not end this one's wait.
        request_id = uuid4().hex
        waiter = self._stage.expect_playback(request_id)
        try:
            await self._send(BackendSynthComplete(request_id))
            await waiter.wait(seconds + self._limits.playback_grace_seconds)
        finally:
            waiter.cancel()

    async def _finish(self) -> None:
        self.phase = "ending"
        shown = self.shown
        if self.agent is not None:
            self.agent.remember("".join(self._raw))
        if shown:
            await self._store_reply(shown, wait=True)
        await self._tell_end()

    async def _cut_off(self) -> None:
        """Cancelled. If not by the visitor's interruption, keep what was said so far."""
        job = current_job()
        reason = (job.cancelled_by if job is not None else None) or ""
        if reason.startswith(INTERRUPTED) or self.history_uid == "":
            return
        shown = self.shown
        if self.agent is not None:
            self.agent.interrupted(laid_out(shown, self._breaks_of(shown)), self._character.interrupt_method)
        if shown:
            await self._store_reply(shown, wait=False)

    async def interrupted(self, heard: str) -> None:
        """The visitor cut in after hearing `heard` (the turn has ended by now)."""
        if not self._shown:
            # Whatever that was, it was none of this reply.
            heard = ""
        if self.agent is not None:
            self.agent.interrupted(laid_out(heard, self._breaks_of(heard)), self._character.interrupt_method)
        if self.history_uid:
            if heard:
                await self._store_reply(heard, wait=False)
            note = "[Interrupted by user]"
            await self._stage.store(
                self._character, self.history_uid, "system", note, wait=False, breaks=None
            )

    def _breaks_of(self, text: str) -> Breaks | None:
        """The white space inside the reply, or inside what of it was heard; not known of other words."""
        if len(self._breaks) > MAX_BREAKS or not self.shown.startswith(text):
            return None
        return tuple(one for one in self._breaks if one[0] < len(text))

    async def _store_reply(self, text: str, *, wait: bool) -> None:
        breaks = self._breaks_of(text)
        await self._stage.store(self._character, self.history_uid, "ai", text, wait=wait, breaks=breaks)

    async def _send(self, message: Message) -> None:
        if self.silence == "none":
            await self._stage.say(message, self)

    async def _tell_end(self, end: Control = END) -> None:
        if self.silence != "all":
            await self._stage.say(NEW_MESSAGE, self)
            await self._stage.say(end, self)


def filters_of(character: Character) -> SpeechFilters:
    """The character's filters for spoken text."""
    wanted = character.speech_filters
    return SpeechFilters(
        asterisks=wanted.ignore_asterisks,
        brackets=wanted.ignore_brackets,
        parentheses=wanted.ignore_parentheses,
        angle_brackets=wanted.ignore_angle_brackets,
        special_characters=wanted.remove_special_char,
    )
