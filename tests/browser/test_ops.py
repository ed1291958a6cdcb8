"""The ops page of a real server: a soak, two readers, a reload, a lost connection, the tree of owners."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect
from tests.browser.conftest import NewPage
from tests.browser.ops_page import OpsPage
from tests.browser.test_reconnect import start
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NewOps = Callable[..., Awaitable[OpsPage]]
SOAK_MS = 60_000
"""A short soak starts a Python process and pays its visits."""


@pytest_asyncio.fixture(loop_scope="session")
async def new_ops(context: BrowserContext) -> AsyncIterator[NewOps]:
    """Opens ops pages. At the end none of them may have had an error in its console."""
    pages: list[OpsPage] = []

    async def make(url: str, *, within: BrowserContext | None = None) -> OpsPage:
        page = await OpsPage.new(within or context, f"{url}/ops")
        pages.append(page)
        return await page.open()

    yield make
    for page in pages:
        assert not page.unexpected()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ops_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """One server for the tests that do not mind what others did to it."""
    async with start(tmp_path_factory.mktemp("ops")) as running:
        yield running
        assert not running.complaints()


async def test_a_soak_from_the_page(
    own_server: ServerProcess, new_ops: NewOps, context: BrowserContext
) -> None:
    """Two pages see it run and end; a reload keeps its verdict, the visits and the charts; so does Chinese."""
    ops = await new_ops(own_server.url)
    other = await new_ops(own_server.url)
    await expect(ops.by("verdict")).to_have_attribute("data-state", "not_enough")
    await expect(ops.by("visits")).to_contain_text("No visits yet")
    await ops.start_soak(6)
    for page in (ops, other):
        await expect(page.by("soak-running")).to_contain_text("of 6 visits")
    await expect(ops.by("announcer")).to_have_text("The soak has begun.")
    for page in (ops, other):
        await expect(page.by("soak-verdict")).to_be_visible(timeout=SOAK_MS)
        await expect(page.by("facts")).to_contain_text("Visits6")
        await expect(page.chart("visits").locator('[data-line="first"] b')).to_contain_text("ms")
        await expect(page.by("closes").get_by_role("row")).not_to_have_count(0)
    verdict = await ops.by("soak-verdict").inner_text()
    samples = len(
        await other.page.evaluate("() => fetch('ops/state').then(r => r.json()).then(s => s.samples.t)")
    )
    assert samples > 3

    await ops.page.reload()
    await ops.live()
    assert await ops.by("soak-verdict").inner_text() == verdict
    await expect(ops.by("facts")).to_contain_text("Visits6")
    await ops.chart("visits").get_by_role("button").click()
    await expect(ops.chart("visits").get_by_role("row")).to_have_count(7)

    await ops.by("language").click()
    await expect(ops.by("soak-verdict")).to_have_text(re.compile("访问"))
    await expect(ops.page.locator("html")).to_have_attribute("lang", "zh-CN")


async def test_a_soak_is_cancelled(ops_server: ServerProcess, new_ops: NewOps) -> None:
    """By its button, for all pages; another one can be started then."""
    ops = await new_ops(ops_server.url)
    other = await new_ops(ops_server.url)
    await ops.start_soak(200)
    await expect(ops.by("soak-running")).to_be_visible()
    await ops.by("soak-cancel").click()
    await expect(ops.by("soak")).to_have_attribute("data-state", "cancelled")
    await expect(other.by("soak-ended")).to_contain_text("Nothing was judged")
    await expect(ops.by("soak-start")).to_be_enabled()


async def test_a_wrong_number_is_told_at_once(ops_server: ServerProcess, new_ops: NewOps) -> None:
    """The field says what it takes; nothing is asked of the server."""
    ops = await new_ops(ops_server.url)
    await ops.start_soak(201)
    await expect(ops.by("soak-trouble")).to_have_text("Give a number from 1 to 200.")
    await expect(ops.by("soak-visits")).to_have_attribute("aria-invalid", "true")
    await expect(ops.by("soak-running")).to_have_count(0)


async def test_the_tree_and_a_stack(ops_server: ServerProcess, new_ops: NewOps, new_page: NewPage) -> None:
    """The turn of a chat page is found below its client, with the lines of code where it stands."""
    chat = await new_page(ops_server.url)
    await chat.switch("Endless")
    await chat.say("Go on and on.")
    await chat.speaking()
    ops = await new_ops(ops_server.url)
    await expect(ops.legend("clients", "clients")).to_have_text("1")
    await ops.open_tree()
    await ops.toggle("server/clients")
    client = ops.page.locator('[data-path^="server/clients/client "]').first
    await expect(client).to_contain_text("running")
    path = await client.get_attribute("data-path")
    await ops.toggle(f"{path}")
    await ops.toggle(f"{path}/turns")
    turn = ops.owner(f"{path}/turns").get_by_test_id("task")
    await expect(turn).to_contain_text("Started at greenroom/")
    await turn.get_by_test_id("stack-button").click()
    stack = turn.get_by_test_id("stack")
    await expect(stack.get_by_role("listitem").first).to_contain_text("greenroom/")
    await expect(stack.get_by_role("listitem").first).to_contain_text("await ")
    await turn.get_by_test_id("stack-button").click()
    await chat.stop.click()
    await expect(turn).to_have_count(0, timeout=12_000)  # the tree is read again by itself


async def test_lost_and_back(tmp_path: Path, new_ops: NewOps) -> None:
    """Killed and started again: the page says how old its figures are, comes back, and says that it is another one."""
    async with start(tmp_path) as first:
        port = first.port
        ops = await new_ops(first.url)
        first.kill()
        await expect(ops.status).to_have_attribute("data-state", "reconnecting")
        await expect(ops.by("stale")).to_contain_text("These figures are from")
        await expect(ops.by("announcer")).to_have_text("Connection lost. Reconnecting.")
        await expect(ops.by("verdict")).to_be_visible()
    async with start(tmp_path, port):
        # By itself, or by a click on the countdown, which saves waiting for it.
        if await ops.status.get_attribute("data-state") == "reconnecting":
            await ops.status.dispatch_event("click")
        await ops.live()
        await expect(ops.by("stale")).to_have_count(0)
        await expect(ops.by("restarted")).to_contain_text("started again at")


async def test_without_a_network(ops_server: ServerProcess, new_ops: NewOps, context: BrowserContext) -> None:
    """The browser says that it is offline; the page waits for it, and is back at once."""
    ops = await new_ops(ops_server.url)
    await context.set_offline(True)
    await expect(ops.status).to_have_attribute("data-state", "offline")
    await context.set_offline(False)
    await ops.live()


async def test_back_from_the_browsers_cache(ops_server: ServerProcess, new_ops: NewOps) -> None:
    """The back button brings a page that is live again."""
    ops = await new_ops(ops_server.url)
    await ops.page.goto("about:blank")
    await ops.page.go_back()
    await ops.live()


async def test_the_export(ops_server: ServerProcess, new_ops: NewOps) -> None:
    """One click saves the state and the tree, in a file with its date in its name."""
    ops = await new_ops(ops_server.url)
    async with ops.page.expect_download() as waiting:
        await ops.by("export").click()
    download = await waiting.value
    assert re.fullmatch(r"greenroom-ops-\d{4}-\d\d-\d\d-\d{6}\.json", download.suggested_filename)
    content = json.loads(Path(await download.path()).read_text(encoding="utf-8"))
    assert content["state"]["samples"]["t"]
    assert content["tree"]["owners"][0]["path"] == "server"


async def test_language_and_theme_are_kept_and_shared(
    ops_server: ServerProcess, new_ops: NewOps, new_page: NewPage, browser: Browser
) -> None:
    """What is chosen here is there after a reload, and on the chat page."""
    context = await browser.new_context(locale="en-GB", color_scheme="light", reduced_motion="reduce")
    ops = await new_ops(ops_server.url, within=context)
    background = "() => getComputedStyle(document.body).backgroundColor"
    light = await ops.page.evaluate(background)
    await ops.by("theme").click()
    await ops.by("language").click()
    await ops.page.reload()
    await ops.live()
    assert await ops.page.evaluate(background) != light
    await expect(ops.page.get_by_role("heading", level=1)).to_contain_text("运行监控")
    chat = await new_page(ops_server.url, within=context)
    await expect(chat.by("new-chat")).to_have_text("新对话")
    await expect(chat.page.locator("html")).to_have_attribute("data-theme", "dark")
    await context.close()


async def test_the_door(tmp_path: Path, context: BrowserContext) -> None:
    """A token for operators: log-in and back, a soak gets in, a session that has ended is renewed on the page."""
    token = "an-ops-token-of-thirty-letters"
    settings = {"agent": FAST, "security": {"ops_token": token, "trust_loopback": False}}
    async with ServerProcess(tmp_path, settings) as first:
        port = first.port
        ops = OpsPage(await context.new_page(), f"{first.url}/ops")
        await ops.page.goto(ops.url)
        await ops.page.get_by_label("Token").fill(token)
        await ops.page.get_by_role("button", name="Log in").click()
        await ops.live()
        await ops.start_soak(2)
        await expect(ops.by("soak-verdict")).to_be_visible(timeout=SOAK_MS)
        await expect(ops.by("soak")).to_have_attribute("data-state", "finished")
        await context.clear_cookies()
        first.kill()
    async with ServerProcess(tmp_path, settings, args=("--port", str(port))):
        await expect(ops.by("login")).to_be_visible(timeout=20_000)
        await ops.by("login-token").fill(token)
        await ops.by("login-submit").click()
        await ops.live()
        await ops.open_tree()
        assert not ops.unexpected()
