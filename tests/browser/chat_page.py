"""The chat page as its user sees it: what can be read, clicked and typed, and what went over the wire.

Every wait is for something to be seen, never for time to pass.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from time import monotonic
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, WebSocket, expect

#: How Chromium is started: without a screen, without anything that calls home, and with a microphone that beeps.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE_MS = 8_000
KEPT_FRAMES = 20_000
expect.set_options(timeout=PATIENCE_MS)

#: Complaints of the browser about a connection that a test has cut, or a server it has stopped, on purpose.
EXPECTED_WHEN_CUT = ("WebSocket connection to", "net::ERR_CONNECTION_REFUSED")


class Wire:
    """Messages of the page's WebSockets, in order."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.urls: list[str] = []

    def follow(self, socket: WebSocket) -> None:
        self.urls.append(socket.url)
        socket.on("framesent", lambda data: self._take(self.sent, data))
        socket.on("framereceived", lambda data: self._take(self.received, data))

    def _take(self, frames: list[dict[str, Any]], data: str | bytes) -> None:
        assert len(frames) < KEPT_FRAMES, "more messages than any of these tests should need"
        frames.append(json.loads(data))

    def types_sent(self) -> list[str]:
        return [message["type"] for message in self.sent]

    def types_received(self) -> list[str]:
        return [message["type"] for message in self.received]


class ChatPage:
    """One tab. `open` loads the page and waits until a character is on stage."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wire = Wire()
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("websocket", self.wire.follow)

    @classmethod
    async def new(cls, context: BrowserContext, url: str) -> ChatPage:
        return cls(await context.new_page(), url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            where = message.location.get("url", "")
            self.complaints.append(f"{message.type}: {message.text} ({where})")

    def unexpected(self, *allowed: str) -> list[str]:
        """What the browser complained about, but for lines that hold one of these texts."""
        return [line for line in self.complaints if not any(text in line for text in allowed)]

    async def open(self) -> ChatPage:
        await self.page.goto(self.url)
        await self.ready()
        return self

    async def ready(self) -> None:
        """Connected, with a character on stage: a message sent now is answered."""
        await expect(self.status).to_have_attribute("data-state", "online")
        await expect(self.page.locator(".head h1")).not_to_be_empty()

    # -- what there is --------------------------------------------------------------------------------------

    def by(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    @property
    def status(self) -> Locator:
        return self.by("status")

    @property
    def composer(self) -> Locator:
        return self.by("composer")

    @property
    def stop(self) -> Locator:
        return self.by("stop")

    @property
    def replies(self) -> Locator:
        return self.by("message-ai")

    @property
    def questions(self) -> Locator:
        return self.by("message-human")

    @property
    def sentences(self) -> Locator:
        return self.page.locator(".sentence")

    @property
    def notices(self) -> Locator:
        return self.by("notice")

    @property
    def histories(self) -> Locator:
        return self.by("history-item")

    def character(self, name: str) -> Locator:
        return self.page.locator(f'[data-testid="character-card"][data-name="{name}"]')

    async def reply_text(self) -> str:
        """The words of the newest reply."""
        return await self.replies.last.locator(".bubble").inner_text()

    # -- what one does --------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        await self.composer.fill(text)
        await self.composer.press("Enter")
        await expect(self.questions.last).to_contain_text(text)

    async def say_and_hear(self, text: str) -> str:
        """Send a message and wait for the whole reply."""
        turns = self.wire.received.count(TURN_END)
        await self.say(text)
        await self.heard(turns + 1)
        return await self.reply_text()

    async def heard(self, turns: int) -> None:
        """So many turns have ended, and the page has taken it in."""
        await self.until(lambda: self.wire.received.count(TURN_END) >= turns, f"the end of turn {turns}")
        await expect(self.stop).to_have_count(0)

    async def switch(self, name: str) -> None:
        """Choose a character and wait until it is on stage, with a conversation of its own."""
        await self.character(name).click()
        await expect(self.character(name)).to_have_attribute("data-state", "ready")
        await expect(self.page.locator(".head h1")).to_have_text(name)

    async def speaking(self) -> None:
        """A reply is running and some of it can be read."""
        await expect(self.stop).to_be_visible()
        await expect(self.sentences.first).to_be_visible()

    async def until(self, check: Callable[[], object], what: str) -> None:
        """Wait for something on the wire."""
        deadline = monotonic() + PATIENCE_MS / 1000
        while not check():
            assert monotonic() < deadline, f"not within {PATIENCE_MS / 1000:g} s: {what}"
            await asyncio.sleep(0.005)

    async def focused(self) -> str:
        """The `data-testid`, class or tag of what has the focus."""
        return await self.page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.dataset.testid || e.className || e.tagName.toLowerCase() }"
        )


TURN_END = {"type": "control", "text": "conversation-chain-end"}
