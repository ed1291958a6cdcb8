"""What all clients share: no conversation state lives here (invariant 9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from greenroom.agents.pool import EnginePool
from greenroom.config.character import Character
from greenroom.config.characters import CharacterStore
from greenroom.config.errors import ConfigError
from greenroom.config.settings import AgentSettings, Settings, VoiceSettings
from greenroom.history import HistoryBin, HistoryError, HistoryStore
from greenroom.sessions.first_pages import FirstPages
from greenroom.sessions.refusal_log import RefusalLog
from greenroom.sessions.registry import Registry
from greenroom.sessions.seats import Seats
from greenroom.tasks import TaskScope
from greenroom.voice import SpeechEngine, create_speech_engine

log = structlog.stdlib.get_logger("greenroom.sessions")


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """A turn that has ended, in seconds."""

    how: str
    """`finished`, `cut off` or `client gone`."""
    first_reply_seconds: float | None
    """From its start to its first sentence; None if none came."""
    seconds: float
    visit: bool
    """Whether it was the first one of a page."""
    character: str
    """Its `conf_name`."""


class Meter(Protocol):
    """Counts what clients do; the server puts its metrics behind it."""

    def turn_began(self) -> None: ...
    def turn_ended(self, turn: TurnEnd) -> None: ...
    def client_closed(self, seconds: float, clean: bool) -> None: ...
    def refused(self, what: str) -> None: ...


class NoMeter:
    """Counts nothing."""

    def turn_began(self) -> None:
        pass

    def turn_ended(self, turn: TurnEnd) -> None:
        pass

    def client_closed(self, seconds: float, clean: bool) -> None:
        pass

    def refused(self, what: str) -> None:
        pass


class VoicePool:
    """Speech engines by their settings: as many as there are distinct settings among the characters."""

    def __init__(self, scope: TaskScope) -> None:
        self._scope = scope
        self._engines: dict[VoiceSettings, SpeechEngine | None] = {}

    def get(self, settings: VoiceSettings) -> SpeechEngine | None:
        """The engine for these settings; None for a silent character."""
        if settings not in self._engines:
            self._engines[settings] = create_speech_engine(settings, self._scope)
        return self._engines[settings]

    def engines(self) -> tuple[SpeechEngine, ...]:
        return tuple(engine for engine in self._engines.values() if engine is not None)


@dataclass(slots=True)
class Services:
    """The shared parts a `ServiceContext` is given."""

    settings: Settings
    scope: TaskScope
    """Parent of all clients."""
    characters: CharacterStore
    engines: EnginePool
    voices: VoicePool
    histories: HistoryStore
    backgrounds: Callable[[], list[str]]
    agent: AgentSettings
    """What `auto` stands for on this machine."""
    not_kept: HistoryError | None = None
    """Why conversations end with this process; None: they are kept."""
    registry: Registry = field(default_factory=lambda: Registry())
    seats: Seats = field(default_factory=Seats)
    meter: Meter = field(default_factory=NoMeter)
    refusals: RefusalLog = field(default_factory=RefusalLog)
    searching: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """One search at a time, so that a thread of the store is always free for the pages that open."""
    bin: HistoryBin = field(init=False)
    first_pages: FirstPages = field(init=False)
    _default: Character | None = None

    def __post_init__(self) -> None:
        self.bin = HistoryBin(self.histories, self.scope, self.settings.limits.history_undo_seconds)
        self.first_pages = FirstPages(self.histories, self.bin)

    def agent_settings(self, wanted: AgentSettings) -> AgentSettings:
        """The concrete settings of a character: what `auto` means was decided when the server started."""
        if wanted.kind != "auto":
            return wanted
        if self.agent.kind == "builtin":
            return wanted.model_copy(update={"kind": "builtin"})
        found = self.agent.openai
        update: dict[str, object] = {"model": wanted.openai.model or found.model}
        if wanted.openai.base_url is None:
            # With the address goes the key meant for it, and no other: none reaches a server of chance.
            update |= {"base_url": found.base_url, "api_key_env": found.api_key_env, "api_key": found.api_key}
        openai = wanted.openai.model_copy(update=update)
        return wanted.model_copy(update={"kind": "openai", "openai": openai})

    def default_character(self) -> Character:
        """The character a new client meets; the last good one while its file is being edited."""
        try:
            self._default = self.characters.load(self.characters.default)
        except ConfigError as error:
            if self._default is None:
                raise
            log.warning("the first character's file is broken", error=str(error))
        return self._default
