"""What the server is made of: built in order, closed in the opposite order, each part within its time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import structlog

from greenroom.agents import discovery
from greenroom.agents.base import AgentError
from greenroom.agents.factory import create_engine
from greenroom.agents.pool import EngineLease, EnginePool
from greenroom.config.characters import CharacterStore
from greenroom.config.settings import Settings
from greenroom.config.tokens import Token
from greenroom.live.rooms import Rooms
from greenroom.live.sources.factory import start_sources
from greenroom.live.sources.runner import SourceRunner
from greenroom.server.app import backgrounds_of, create_app
from greenroom.server.client_ws import ClientEndpoint
from greenroom.server.inbox import Inbox
from greenroom.server.metrics import Metrics
from greenroom.server.ops.recorder import Recorder
from greenroom.server.ops.room import OpsRoom
from greenroom.server.pressure import Pressure, PressureGate, raise_descriptor_limit
from greenroom.server.proxy_ws import ProxyEndpoint
from greenroom.server.security.door import Door
from greenroom.server.security.keyring import Keyring
from greenroom.server.security.peers import household
from greenroom.server.security.redaction import secrets
from greenroom.server.socket_protocol import text_frame
from greenroom.server.status import Status
from greenroom.server.storage import open_histories
from greenroom.server.warmup import warm_up
from greenroom.sessions.refusal_log import RefusalLog
from greenroom.sessions.seats import Seats
from greenroom.sessions.services import Services, VoicePool
from greenroom.tasks import TaskScope

log = structlog.stdlib.get_logger("greenroom.server")

LOADING_SECONDS = 2.0
"""How long the start waits for the first character's agent before it opens the doors anyway."""


class Lifetime:
    """The running parts. `open` builds them, `close` takes them down again."""

    def __init__(self, settings: Settings, tokens: tuple[Token, ...] = ()) -> None:
        self.settings = settings
        self._tokens = tokens
        self.recorder = Recorder(settings.ops.visits, settings.ops.closes)
        self.metrics = Metrics(self.recorder)
        self.refusals = RefusalLog()
        limits = settings.limits
        self.inbox = Inbox(
            limits.inbox_bytes_total, limits.upload_seconds, self.metrics.refused, self._dropped
        )
        self.metrics.watch_inbox(self.inbox)
        self.pressure = Pressure(settings.limits.max_rss_mb, raise_descriptor_limit())
        self.root = TaskScope("server", observer=self.metrics, close_timeout=settings.limits.close_seconds)
        self.services: Services
        self.status: Status
        self.clients: ClientEndpoint
        self.rooms: Rooms
        self.sources: list[SourceRunner] = []
        self.ops: OpsRoom | None = None
        self.door: Door
        self.app: Any
        self._lease: EngineLease | None = None

    def _dropped(self, what: str, home: str, reason: str) -> None:
        self.refusals.warn(log, what, "connection dropped", address=home, reason=reason)

    async def open(self) -> None:
        """Build everything and warm it up.

        Raises:
            ConfigError: the data folder or a character cannot be used.
            HistoryError: the histories cannot be opened.
        """
        settings = self.settings
        histories, not_kept = await open_histories(settings)
        maintenance = self.root.child("maintenance")
        agent, why = await discovery.choose(settings.agent, scope=maintenance)
        characters = CharacterStore.for_settings(settings, on_key=secrets.add)
        first = characters.load(characters.default)
        for problem in (*characters.problems, *characters.warnings):
            log.warning("character file", problem=str(problem))
        limits = settings.limits
        backgrounds = backgrounds_of(settings)
        self.services = Services(
            settings=settings,
            scope=self.root.child("clients"),
            characters=characters,
            engines=EnginePool(
                self.root.child("engines"), create_engine, limits.engines_idle_seconds, close_seconds=2
            ),
            voices=VoicePool(self.root.child("voices")),
            histories=histories,
            backgrounds=backgrounds.names,
            agent=agent,
            not_kept=not_kept,
            meter=self.metrics,
            refusals=self.refusals,
            seats=Seats(household),
        )
        self.services.bin.open()
        self.metrics.watch(self.services.registry, self.root)
        self.status = Status(self.services, self.root, self.metrics, self.pressure)
        self.clients = ClientEndpoint(self.services)
        self.rooms = Rooms(self.services, self.root.child("rooms"), text_frame)
        await self.rooms.open()
        self.status.rooms = self.rooms
        self.metrics.watch_rooms(self.rooms.statistics)
        proxy = ProxyEndpoint(self.services, self.rooms) if settings.rooms.enabled else None
        if settings.ops.enabled:
            self.ops = OpsRoom(settings, self.root, self.services, self.rooms, self.recorder)
        app = create_app(
            self.services, self.clients, proxy, self.status, backgrounds, self.ops, Keyring(self._tokens)
        )
        gated = PressureGate(app, self.pressure, self.metrics.refused, self.refusals)
        self.app = self.door = Door(
            gated, settings.security, self._tokens, self.metrics, refusals=self.refusals
        )
        if self.ops is not None:
            self.ops.soak.door = self.door
        await warm_up(self.services)
        log.info("agent chosen", agent=agent.kind, why=why)
        self.status.not_ready = f"loading the agent of {first.conf_name}"
        self.sources = start_sources(
            settings.sources, self.root.child("sources"), self.rooms.on_message, os.environ
        )
        if self.ops is not None:
            self.ops.start()
        loading = maintenance.start(self._load, first.conf_name, name="load first agent")
        await loading.wait(LOADING_SECONDS)

    async def _load(self, name: str) -> None:
        """Start the first character's agent and keep it: the first visitor must not be the one who waits."""
        first = self.services.default_character()
        try:
            self._lease = await self.services.engines.acquire(self.services.agent_settings(first.agent))
        except AgentError as error:
            log.warning("the first agent is not there yet", character=name, error=str(error))
        if self.clients.accepting:
            self.status.not_ready = None

    def stop_accepting(self) -> None:
        """First step of a shutdown: refuse new clients, tell balancers."""
        self.clients.accepting = False
        self.rooms.stop()
        if self.ops is not None:
            self.ops.stop()
        self.status.not_ready = "shutting down"

    async def close(self, seconds: float) -> None:
        """End everything within about `seconds`; each part has its share, and says what kept it."""
        began = monotonic()
        self.services.bin.close()
        await self._stage("rooms", self._close_rooms, seconds / 2)
        if self.ops is not None:
            await self._stage("ops", self.ops.close, seconds / 2)
        report = await self.root_close(seconds / 2)
        if self._lease is not None:
            self._lease.release()
        await self._stage("engines", self.services.engines.aclose, seconds / 4)
        await self._stage("histories", self._close_histories, seconds / 2)
        await self.root.close(0.2, reason="shutdown")
        log.info(
            "server closed",
            seconds=round(monotonic() - began, 2),
            clients=self.services.registry.closed,
            abandoned=report,
        )

    async def root_close(self, seconds: float) -> int:
        """Close all clients that are left; returns how many tasks had to be abandoned."""
        report = await self.services.scope.close(seconds, reason="shutdown")
        for context in self.services.registry:
            await context.close("the server shuts down")
        return len(report.abandoned)

    async def _close_rooms(self) -> None:
        await self.rooms.close("the server shuts down")

    async def _close_histories(self) -> None:
        await self.services.histories.aclose(deadline=self.settings.limits.shutdown_seconds / 2)

    async def _stage(self, name: str, close: Callable[[], Awaitable[object]], seconds: float) -> None:
        began = monotonic()
        try:
            async with asyncio.timeout(seconds):
                await close()
        except TimeoutError:
            log.error("shutdown stage timed out", stage=name, seconds=round(monotonic() - began, 2))
        except Exception as error:  # noqa: BLE001 - the other stages must still run
            log.error("shutdown stage failed", stage=name, error=f"{type(error).__name__}: {error}")
