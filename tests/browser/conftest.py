"""A real Chromium, a real server, a fresh profile for each test; no complaint of the browser goes unread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright
from tests.browser.chat_page import EXPECTED_WHEN_CUT, FLAGS, ChatPage
from tests.helpers.server_process import FAST, ROOT, ServerProcess, slow
from tests.helpers.services import require

PAGE_BUILT = ROOT / "src" / "greenroom" / "server" / "page" / "index.html"

#: Sentences come one by one, some tens of milliseconds apart.
TALKING = slow(tokens_per_second=150)
CHARACTERS: dict[str, Any] = {
    "endless.yaml": {"conf_name": "Endless", "agent": slow(words=2000, tokens_per_second=120)},
    "heavy.yaml": {"conf_name": "Heavy", "agent": slow(init_seconds=1.0)},
    "never.yaml": {"conf_name": "Never", "agent": slow(init_seconds=60)},
    "iris.yaml": {
        "conf_name": "Iris",
        "agent": FAST,
        "wake_words": {
            "enabled": True,
            "wake": {"en": ["hey iris"], "zh": ["小艾"]},
            "end": {"en": ["goodbye iris"]},
            "idle_seconds": 600,
        },
    },
    "spoken.yaml": {
        "conf_name": "Spoken",
        "agent": {
            "kind": "builtin",
            "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 12},
        },
        "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.2}},
    },
    "broken.yaml": {
        "conf_name": "Broken",
        "agent": {
            "kind": "openai",
            "openai": {"base_url": "http://127.0.0.1:9/v1", "model": "m", "retries": 0},
        },
    },
    "fast.yaml": {"conf_name": "Fast", "agent": FAST},
}

#: Characters that nobody has talked to yet: each test of what is stored takes one for itself.
UNTOUCHED = [f"Untouched {number}" for number in range(20)]
CHARACTERS.update(
    {f"untouched{n}.yaml": {"conf_name": name, "agent": FAST} for n, name in enumerate(UNTOUCHED)}
)

NewPage = Callable[..., Awaitable[ChatPage]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests."""
    program = require("chromium")
    assert PAGE_BUILT.is_file(), "the page is not built: run `make page`"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """White talks at reading pace; the others are for what White cannot show."""
    folder = tmp_path_factory.mktemp("browser")
    async with ServerProcess(
        folder, {"agent": TALKING, "limits": {"init_seconds": 3}}, characters=CHARACTERS
    ) as running:
        yield running
        assert not running.complaints()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile of its own, in English, without animations."""
    found = await browser.new_context(locale="en-GB", reduced_motion="reduce")
    yield found
    await found.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(context: BrowserContext) -> AsyncIterator[NewPage]:
    """Opens pages. At the end none of them may have had an error in its console."""
    pages: list[ChatPage] = []

    async def make(url: str, *, within: BrowserContext | None = None) -> ChatPage:
        page = await ChatPage.new(within or context, url)
        pages.append(page)
        return await page.open()

    yield make
    for page in pages:
        assert not page.unexpected(*EXPECTED_WHEN_CUT)


@pytest_asyncio.fixture(loop_scope="session")
async def chat(new_page: NewPage, server: ServerProcess) -> ChatPage:
    """One page of the common server, ready to talk."""
    return await new_page(server.url)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    path = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
    assert path.is_file(), "axe-core is not installed: run `make page`"
    return Path(path).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def untouched_names() -> Iterator[str]:
    return iter(UNTOUCHED)


@pytest.fixture
def untouched(untouched_names: Iterator[str]) -> str:
    """The name of a character of the common server without any conversation yet."""
    return next(untouched_names)


@pytest_asyncio.fixture(loop_scope="session")
async def own_server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that nobody else visits, for tests of what it holds."""
    characters = {"endless.yaml": CHARACTERS["endless.yaml"]}
    async with ServerProcess(tmp_path, {"agent": FAST}, characters=characters) as running:
        yield running
        assert not running.complaints()
