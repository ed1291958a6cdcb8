"""The ops page as its reader sees it. Every wait is for something to be seen, never for time to pass."""

from __future__ import annotations

from typing import Any

from playwright.async_api import BrowserContext, CDPSession, ConsoleMessage, Locator, Page, expect
from tests.browser.chat_page import PATIENCE_MS

#: Complaints of the browser about a stream that a test has cut, a server it has stopped, or a request that was refused.
EXPECTED_WHEN_CUT = ("net::ERR_", "the server responded with a status of 4")


class OpsPage:
    """One tab. `open` loads the page and waits until it is live."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    @classmethod
    async def new(cls, context: BrowserContext, url: str) -> OpsPage:
        return cls(await context.new_page(), url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def unexpected(self) -> list[str]:
        """What the browser complained about, but for what a test did on purpose."""
        return [line for line in self.complaints if not any(text in line for text in EXPECTED_WHEN_CUT)]

    async def open(self) -> OpsPage:
        await self.page.goto(self.url)
        await self.live()
        return self

    async def live(self) -> None:
        """Connected, with figures on it."""
        await expect(self.status).to_have_attribute("data-state", "live")
        await expect(self.by("verdict")).to_be_visible()

    # -- what there is --------------------------------------------------------------------------------------

    def by(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    @property
    def status(self) -> Locator:
        return self.by("status")

    def chart(self, name: str) -> Locator:
        return self.page.locator(f'[data-chart="{name}"]')

    def legend(self, chart: str, line: str) -> Locator:
        """The figure that a chart's legend shows for one of its lines."""
        return self.chart(chart).locator(f'[data-line="{line}"] b')

    def owner(self, path: str) -> Locator:
        return self.page.locator(f'[data-testid="owner"][data-path="{path}"]')

    async def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return await self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")

    async def heap(self, session: CDPSession) -> float:
        """What the tab's scripts hold after a full garbage collection, in KB."""
        await session.send("HeapProfiler.collectGarbage")
        found: dict[str, Any] = await session.send("Runtime.getHeapUsage")
        return found["usedSize"] / 1000

    # -- what one does --------------------------------------------------------------------------------------

    async def start_soak(self, visits: int, mode: str = "polite") -> None:
        await self.by("soak-visits").fill(str(visits))
        await self.by("soak-mode").select_option(mode)
        await self.by("soak-start").click()

    async def open_tree(self) -> None:
        await self.by("owners-toggle").click()
        await expect(self.by("owner").first).to_be_visible()

    async def toggle(self, path: str) -> None:
        """Open or close one owner."""
        await self.owner(path).locator("> button").click()
