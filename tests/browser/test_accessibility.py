"""What axe-core finds in each state of the page, light and dark, wide and narrow: nothing serious."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def findings(page: Page) -> list[str]:
    """Serious and critical findings, each with the first place where it is."""
    result: dict[str, Any] = await page.evaluate("() => axe.run({resultTypes: ['violations']})")
    assert result["testEngine"]["name"] == "axe-core"
    return [
        f"{one['id']}: {one['help']} at {one['nodes'][0]['target']} ({one['nodes'][0]['failureSummary']})"
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_on_a_desktop(
    scheme: Literal["light", "dark"], browser: Browser, new_page: NewPage, server: ServerProcess, axe: str
) -> None:
    """Empty, in a reply, interrupted, with the settings open, in a search, with a deletion that can be undone."""
    context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce", locale="en")
    chat = await new_page(server.url, within=context)
    await chat.page.evaluate(axe)
    assert not await findings(chat.page)
    await chat.switch("Endless")
    await chat.say("Go on and on.")
    await chat.speaking()
    await chat.stop.click()
    await expect(chat.page.locator(".interrupted")).to_be_visible()
    assert not await findings(chat.page)
    await chat.by("settings").click()
    await expect(chat.page.get_by_role("dialog")).to_be_visible()
    assert not await findings(chat.page)
    await chat.page.keyboard.press("Escape")
    await chat.by("history-search").fill("go on")
    await expect(chat.page.locator(".history mark").first).to_be_visible()
    assert not await findings(chat.page)
    await chat.page.keyboard.press("Escape")
    await chat.histories.first.hover()
    await chat.by("history-delete").first.click()
    await expect(chat.by("undo")).to_be_visible()
    await chat.by("recently-deleted").locator("summary").click()
    assert not await findings(chat.page)
    await context.close()


async def test_nothing_serious_in_a_room(new_page: NewPage, server: ServerProcess, axe: str) -> None:
    """With a message in line, one that was dropped, and the way in."""
    room = await new_page(f"{server.url}/?room=axe")
    await room.page.evaluate(axe)
    await room.switch("Endless")
    for text in ("Go on.", "One.", "Two.", "Three.", "Four."):
        await room.composer.fill(text)
        await room.composer.press("Enter")
    await expect(room.page.locator('[data-testid="queued"][data-state="dropped"]')).to_have_count(1)
    assert not await findings(room.page)
    chat = await new_page(server.url)
    await chat.page.evaluate(axe)
    await chat.by("join-room").click()
    await expect(chat.page.get_by_role("dialog")).to_be_visible()
    assert not await findings(chat.page)


async def test_nothing_serious_on_a_phone(
    browser: Browser, new_page: NewPage, server: ServerProcess, axe: str
) -> None:
    """With the drawer closed and open, in Chinese."""
    context = await browser.new_context(
        viewport={"width": 375, "height": 720}, has_touch=True, locale="zh-CN", reduced_motion="reduce"
    )
    chat = await new_page(server.url, within=context)
    await chat.page.evaluate(axe)
    await chat.say_and_hear("你好")
    assert not await findings(chat.page)
    await chat.by("menu").click()
    await expect(chat.by("character-card").first).to_be_visible()
    assert not await findings(chat.page)
    await context.close()


async def test_nothing_serious_while_reconnecting(chat: ChatPage, axe: str) -> None:
    """Cut off from the network."""
    await chat.page.evaluate(axe)
    await chat.page.context.set_offline(True)
    await expect(chat.status).to_have_attribute("data-state", "offline")
    assert not await findings(chat.page)
    await chat.page.context.set_offline(False)
    await chat.ready()
