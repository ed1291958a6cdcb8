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
from greenroom.lab.vanished import Vanished
from greenroom.lab.visitors import (
    FAILURES,
    Access,
    Bystanding,
    Gone,
    PingBystander,
    Unreachable,
    Visitor,
    dial,
    linger,
    shown,
    why_unreachable,
)

QUESTIONS = ("fetch-backgrounds", "fetch-configs", "fetch-history-list", "create-new-history")
ANSWERS = frozenset({"background-files", "config-files", "history-list", "new-history-created"})
SPOKEN = ("audio", "audio-stream-start", "audio-stream-chunk")
PLACEHOLDERS = frozenset({"Thinking...", "AI wants to speak something...", "Connection established"})
OPEN_SECONDS = 10.0
"""How long the first page waits for what a page asks when it opens; what has not come then never does."""
SAY = "Tell me something about your day, please, with a few details."


class OlvPage:
    """One connection; fills in a visit as it goes."""

    def __init__(self, visit: Visit, visitor: OlvVisitor) -> None:
        self.visit = visit
        self.patience = visitor.patience
        self.configs: list[str] = []
        self._visitor = visitor
        self.greeted = False
        self.missing: set[str] = set()
        """Answers that are still to come."""
        self.socket: ClientConnection
        self._asked = 0.0
        self._parts: list[float] = []
        self._texts: list[float] = []
        """When subtitles came: the reply, if nothing is spoken."""

    async def connect(self, url: str) -> None:
        began = perf_counter()
        self.socket = await dial(url, self.patience, access=self._visitor.access)
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
            if message.get("audio"):
                self.visit.sound = True
            self._part()
        elif kind == "full-text" and self._asked and message.get("text") not in PLACEHOLDERS:
            self._texts.append(perf_counter())
            if self._visitor.by_text:
                self._part()
        elif kind == "backend-synth-complete":
            await self.send("frontend-playback-complete")
        elif kind == "config-files":
            configs = message.get("configs") or []
            self.configs = [str(entry["filename"]) for entry in configs if "filename" in entry]
        elif kind == "error" and self.visit.error is None:
            self.visit.error = str(message.get("message", "error"))[:200]
        return message

    def _part(self) -> None:
        now = perf_counter()
        if self.visit.first_reply is None and self._asked:
            self.visit.first_reply = now - self._asked
        self._parts.append(now)

    async def open(self) -> None:
        """Wait for the character, ask what a page asks, and wait for the four answers."""
        began = perf_counter()
        while (await self.receive()).get("type") != "set-model-and-conf":
            pass
        self.greeted = True
        for kind in QUESTIONS:
            await self.send(kind)
        self.missing = set(self._visitor.answers)
        while self.missing:
            self.missing.discard(str((await self.receive()).get("type")))
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
        if self.visit.first_reply is None and self._texts:
            self._visitor.by_text = True
            self.visit.first_reply = self._texts[0] - self._asked

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
        access: what it takes to be let in.
    """

    manners: ClassVar[frozenset[str]] = frozenset(MANNERS)

    def __init__(
        self, url: str, patience: float = 60.0, think: float = 0.0, access: Access | None = None
    ) -> None:
        self._url = url
        self.patience = patience
        self.access = access or Access()
        self.notes = []
        self.answers = ANSWERS
        """What this server answers when a page opens; the bystander finds out."""
        self.by_text = False
        """Whether replies come as subtitles only; the first visit finds out."""
        self._think = think
        self.vanished = Vanished()
        self._slowest_turn = 0.5
        """Of the whole replies so far: how long an end that never comes is waited for."""
        self._quickest = patience
        self._latest: deque[float] = deque(maxlen=3)
        """First replies of the latest polite visits; abrupt ones wait one and a half times the quickest."""
        self._shortest: float | None = None
        """From the first reply to the whole one, at least."""

    async def pay(self, visit: Visit) -> None:
        page = OlvPage(visit, self)
        connected = left = False
        try:
            async with asyncio.timeout(self.patience):
                await page.connect(self._room_url() if visit.manner == "room" else self._url)
                connected = True
                await page.open()
                self.on_opened()
                await self._behave(page, visit)
            left = visit.manner in ("early", "late", "patient", "switch", "flip", "half-open")
        except TimeoutError:
            visit.timed_out = True
            visit.error = visit.error or f"no answer within {self.patience:g} s"
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
                self._latest.append(visit.first_reply or self.patience)
                lasts = (visit.whole_reply or 0.0) - (visit.first_reply or 0.0)
                self._shortest = min(lasts, self._shortest or lasts)
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
                self.vanished.add(page.socket)
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
        await self._listen(page, self._think + linger(None if patient else self._shortest))
        page.vanish()

    async def _listen(self, page: OlvPage, seconds: float) -> None:
        """Hear more of the reply."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await page.receive()
        except TimeoutError:
            pass

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

    async def _room(self, page: OlvPage) -> None:
        """A second viewer watches what the first one asks."""
        viewer = OlvPage(Visit(page.visit.number, "room"), self)
        await viewer.connect(self._room_url())
        try:
            await viewer.open()
            await page.ask(SAY)
            viewer._asked = perf_counter()
            while not viewer.visit.ends:
                await viewer.receive()
            # Both are sent the same; what the other viewer heard was heard while it came.
            page.visit.first_reply, page.visit.pace = viewer.visit.first_reply, viewer.visit.pace
            await page.until_ends(1)
        finally:
            await viewer.socket.close()

    def _room_url(self) -> str:
        parts = urlsplit(self._url)
        return urlunsplit((parts.scheme, parts.netloc, "/proxy-ws", parts.query, ""))

    async def bystander(self) -> Bystanding:
        """A page that sends heartbeats; protocol pings, where the server knows no heartbeat."""
        page = OlvPage(Visit(0, "bystander"), self)
        try:
            await page.connect(self._url)
        except FAILURES as error:
            raise why_unreachable(self._url, error) from error
        try:
            async with asyncio.timeout(min(self.patience, OPEN_SECONDS)):
                await page.open()
        except TimeoutError as error:
            if not page.greeted:
                raise Unreachable(
                    f"{shown(self._url)} lets a page in but does not greet it with set-model-and-conf: it speaks "
                    "another protocol than Open-LLM-VTuber's; describe it in a script (--script)"
                ) from error
            self.answers -= page.missing
            self.notes.append(f"this server does not answer a page with {', '.join(sorted(page.missing))}")
        except (*FAILURES, ConnectionClosed, ValueError) as error:
            raise why_unreachable(self._url, error) from error
        found = _HeartbeatBystander(page)
        try:
            async with asyncio.timeout(2.0):
                await found.round_trip()
        except TimeoutError:
            return PingBystander(page.socket)
        return found

    async def check(self, mode: str) -> None:
        if mode != "room":
            return
        page = OlvPage(Visit(0, "bystander"), self)
        try:
            await page.connect(self._room_url())
        except FAILURES as error:
            reason = why_unreachable(self._room_url(), error)
            raise Unreachable(f"this server has no rooms to visit: {reason}") from error
        await page.socket.close()

    async def finish(self) -> None:
        self.vanished.cut()


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
