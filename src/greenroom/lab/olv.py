"""A visitor that behaves like the page of Open-LLM-VTuber: greeting, four questions, turns, playback."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections import deque
from time import perf_counter
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from greenroom.lab.plan import MANNERS
from greenroom.lab.record import Visit
from greenroom.lab.visitors import (
    FAILURES,
    Bystanding,
    Gone,
    PingBystander,
    Visitor,
    dial,
    why_unreachable,
)

QUESTIONS = ("fetch-backgrounds", "fetch-configs", "fetch-history-list", "create-new-history")
ANSWERS = frozenset({"background-files", "config-files", "history-list", "new-history-created"})
SPOKEN = ("audio", "audio-stream-start", "audio-stream-chunk")
MAX_HELD = 20
"""Half-open connections kept at the same time."""
SAY = "Tell me something about your day, please, with a few details."


class OlvPage:
    """One connection; fills in a visit as it goes."""

    def __init__(self, visit: Visit, patience: float) -> None:
        self.visit = visit
        self.patience = patience
        self.configs: list[str] = []
        self.socket: ClientConnection
        self._asked = 0.0
        self._parts: list[float] = []

    async def connect(self, url: str) -> None:
        began = perf_counter()
        self.socket = await dial(url, self.patience)
        self.visit.connect = perf_counter() - began

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def receive(self) -> dict[str, Any]:
        """The next message; keeps the visit's counts, and plays sound at once."""
        message: dict[str, Any] = json.loads(await self.socket.recv())
        kind = message.get("type")
        if kind == "control" and message.get("text") == "conversation-chain-start":
            self.visit.starts += 1
        elif kind == "control" and message.get("text") == "conversation-chain-end":
            self.visit.ends += 1
        elif kind in SPOKEN:
            self._part(message)
        elif kind == "backend-synth-complete":
            await self.send("frontend-playback-complete")
        elif kind == "config-files":
            configs = message.get("configs") or []
            self.configs = [str(entry["filename"]) for entry in configs if "filename" in entry]
        elif kind == "error" and self.visit.error is None:
            self.visit.error = str(message.get("message", "error"))[:200]
        return message

    def _part(self, message: dict[str, Any]) -> None:
        now = perf_counter()
        if message.get("audio"):
            self.visit.sound = True
        if self.visit.first_reply is None and self._asked:
            self.visit.first_reply = now - self._asked
        self._parts.append(now)

    async def open(self) -> None:
        """Wait for the character, ask what a page asks, and wait for the four answers."""
        began = perf_counter()
        while (await self.receive()).get("type") != "set-model-and-conf":
            pass
        for kind in QUESTIONS:
            await self.send(kind)
        missing = set(ANSWERS)
        while missing:
            missing.discard(str((await self.receive()).get("type")))
        self.visit.opened = perf_counter() - began

    async def ask(self, text: str) -> None:
        if not self._asked:
            self._asked = perf_counter()
        self.visit.sent += 1
        await self.send("text-input", text=text, images=[])

    async def until_started(self) -> None:
        """The turn is under way: it was announced, or the reply has begun."""
        while not self.visit.starts and self.visit.first_reply is None:
            await self.receive()

    async def until_first(self) -> None:
        while self.visit.first_reply is None:
            await self.receive()

    async def until_ends(self, count: int) -> None:
        """Wait for so many ends of turns."""
        while self.visit.ends < count:
            await self.receive()
        self.visit.whole_reply = perf_counter() - self._asked

    def finish(self) -> None:
        """Note the pace of the reply."""
        gaps = [later - earlier for earlier, later in zip(self._parts, self._parts[1:], strict=False)]
        if len(gaps) >= 2:
            self.visit.pace = statistics.median(gaps)

    def vanish(self) -> None:
        """Cut the connection, as a killed browser does."""
        self.socket.transport.abort()


class OlvVisitor(Visitor):
    """Pays visits to an OLV server.

    Args:
        url: of the client WebSocket.
        patience: seconds after which a visit gives up.
        think: seconds a visitor looks at the page before asking, and at the reply before leaving.
    """

    manners: ClassVar[frozenset[str]] = frozenset(MANNERS)

    def __init__(self, url: str, patience: float = 60.0, think: float = 0.0) -> None:
        self._url = url
        self._patience = patience
        self._think = think
        self._held: deque[OlvPage] = deque()
        self._slowest_turn = 0.5
        """Of the whole replies so far: how long an end that never comes is waited for."""
        self._quickest = patience
        self._latest: deque[float] = deque(maxlen=3)
        """First replies of the latest polite visits; abrupt ones wait one and a half times the quickest."""

    async def pay(self, visit: Visit) -> None:
        page = OlvPage(visit, self._patience)
        connected = left = False
        try:
            async with asyncio.timeout(self._patience):
                await page.connect(self._room_url() if visit.manner == "room" else self._url)
                connected = True
                await page.open()
                self.on_opened()
                await self._behave(page, visit)
            left = visit.manner in ("early", "late", "patient", "switch", "flip", "half-open")
        except TimeoutError:
            visit.timed_out = True
            visit.error = visit.error or f"no answer within {self._patience:g} s"
        except ConnectionClosed as error:
            visit.error = f"the server closed the connection: {error}"
        except (*FAILURES, ValueError) as error:
            visit.error = f"{type(error).__name__}: {error}"
        finally:
            page.finish()
            self._quickest = min(self._quickest, visit.first_reply or self._quickest)
            if connected and not left:
                await page.socket.close()

    async def _behave(self, page: OlvPage, visit: Visit) -> None:
        if self._think:
            await asyncio.sleep(self._think)
        match visit.manner:
            case "silent":
                pass
            case "polite":
                await page.ask(SAY)
                await page.until_ends(1)
                self._slowest_turn = max(self._slowest_turn, visit.whole_reply or 0.0)
                self._latest.append(visit.first_reply or self._patience)
            case "early":
                await page.ask(SAY)
                await page.until_started()
                page.vanish()
            case "late" | "patient":
                await page.ask(SAY)
                await self._leave_late(page, visit.manner == "patient")
            case "burst":
                await self._burst(page)
            case "switch" | "flip":
                await self._switch(page, visit.manner == "switch")
            case "half-open":
                await page.ask(SAY)
                self._hold(page)
            case "room":
                await self._room(page)
            case _:
                raise ValueError(f"no manner {visit.manner!r}: it is one of {', '.join(MANNERS)}")

    async def _leave_late(self, page: OlvPage, patient: bool) -> None:
        try:
            async with asyncio.timeout(None if patient else 1.5 * min(self._latest, default=self._quickest)):
                await page.until_first()
        except TimeoutError:
            pass  # Nobody waits that long.
        if self._think:
            await asyncio.sleep(self._think)
        page.vanish()

    async def _burst(self, page: OlvPage) -> None:
        """Two messages at once. A server may queue, join or supersede them; what it begins it must end."""
        await page.ask(SAY)
        await page.ask("And what did you like best?")
        await page.until_ends(1)
        try:
            async with asyncio.timeout(1.0 + 3 * max(self._slowest_turn, page.visit.whole_reply or 0.0)):
                await page.until_ends(2)
        except TimeoutError:
            pass  # Its counts say which ends are missing.

    async def _switch(self, page: OlvPage, asks: bool) -> None:
        files = page.configs[:2] or ["conf.yaml"]
        began = perf_counter()
        for index in (1, 0, 1):
            await page.send("switch-config", file=files[index % len(files)])
        while (await page.receive()).get("type") not in ("config-switched", "error"):
            pass
        page.visit.switched = perf_counter() - began
        if asks:
            await page.ask(SAY)
            await self._leave_late(page, True)
        else:
            page.vanish()

    def _hold(self, page: OlvPage) -> None:
        page.socket.transport.pause_reading()
        self._held.append(page)
        if len(self._held) > MAX_HELD:
            self._held.popleft().vanish()

    async def _room(self, page: OlvPage) -> None:
        """A second viewer watches what the first one asks."""
        viewer = OlvPage(Visit(page.visit.number, "room"), self._patience)
        await viewer.connect(self._room_url())
        try:
            await viewer.open()
            await page.ask(SAY)
            viewer._asked = perf_counter()
            while not viewer.visit.ends:
                await viewer.receive()
            await page.until_ends(1)
        finally:
            await viewer.socket.close()

    def _room_url(self) -> str:
        parts = urlsplit(self._url)
        return urlunsplit((parts.scheme, parts.netloc, "/proxy-ws", "", ""))

    async def bystander(self) -> Bystanding:
        """A page that sends heartbeats; protocol pings, where the server knows no heartbeat."""
        page = OlvPage(Visit(0, "bystander"), self._patience)
        try:
            await page.connect(self._url)
            async with asyncio.timeout(self._patience):
                await page.open()
        except (*FAILURES, ConnectionClosed, ValueError) as error:
            raise why_unreachable(self._url, error) from error
        found = _HeartbeatBystander(page)
        try:
            async with asyncio.timeout(2.0):
                await found.round_trip()
        except TimeoutError:
            return PingBystander(page.socket)
        return found

    async def finish(self) -> None:
        while self._held:
            self._held.popleft().vanish()


class _HeartbeatBystander(Bystanding):
    def __init__(self, page: OlvPage) -> None:
        self._page = page

    async def round_trip(self) -> None:
        try:
            await self._page.send("heartbeat")
            while (await self._page.receive()).get("type") != "heartbeat-ack":
                pass
        except ConnectionClosed as error:
            raise Gone(str(error)) from error

    async def leave(self) -> None:
        await self._page.socket.close()
