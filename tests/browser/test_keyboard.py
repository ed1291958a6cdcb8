"""Everything can be done without a mouse, and the focus is never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import BrowserContext, WebSocketRoute, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MOST_TABS = 200
#: Once this is on the screen, the page has taken in what was sent before it.
NEXT = '{"type": "group-operation-result", "success": true, "message": "What came next."}'


async def tab_to(chat: ChatPage, selector: str) -> None:
    """Press Tab until this has the focus; what has it must be visible at each step."""
    for _ in range(MOST_TABS):
        await chat.page.keyboard.press("Tab")
        if await chat.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert await chat.page.evaluate("() => document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"{selector} was not reached with {MOST_TABS} tabs")


async def test_a_whole_visit(chat: ChatPage, untouched: str) -> None:
    """Write, choose another character, begin a new chat, name, delete and undo: with keys only."""
    keys = chat.page.keyboard
    await expect(chat.composer).to_be_focused()
    await keys.type("Hello")
    await keys.press("Shift+Enter")
    await keys.type("there.")
    await keys.press("Enter")
    await chat.heard(1)
    assert next(m["text"] for m in chat.wire.sent if m["type"] == "text-input") == "Hello\nthere."
    await tab_to(chat, f'[data-testid="character-card"][data-name="{untouched}"]')
    await keys.press("Enter")
    await expect(chat.character(untouched)).to_have_attribute("data-state", "ready")
    await expect(chat.composer).to_be_focused()
    await keys.type("Good evening.")
    await keys.press("Enter")
    await chat.heard(2)
    await tab_to(chat, '[data-testid="new-chat"]')
    await keys.press("Enter")
    await expect(chat.questions).to_have_count(0)
    await expect(chat.composer).to_be_focused()
    await tab_to(chat, '[data-testid="history-rename"]')
    await keys.press("Enter")
    await expect(chat.by("title-box")).to_be_focused()
    await keys.type("Evening")
    await keys.press("Enter")
    await expect(chat.by("history-title")).to_have_text("Evening")
    await expect(chat.by("history-rename")).to_be_focused()
    await tab_to(chat, '[data-testid="history-delete"]')
    await keys.press("Enter")
    await expect(chat.histories).to_have_count(0)
    await expect(chat.by("new-chat")).to_be_focused()
    await tab_to(chat, '[data-testid="undo"]')
    await keys.press("Enter")
    await expect(chat.by("history-title")).to_have_text("Evening")


async def test_dialogs_keep_and_return_the_focus(chat: ChatPage) -> None:
    """The settings hold the focus while they are open, close with Esc, and give it back."""
    keys = chat.page.keyboard
    await tab_to(chat, '[data-testid="settings"]')
    await keys.press("Enter")
    dialog = chat.page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    for _ in range(12):
        await keys.press("Tab")
        # The browser's own parts count as the body: the page behind never gets the focus.
        assert await chat.page.evaluate(
            "() => document.activeElement.matches('body, dialog[open], dialog[open] *')"
        )
    await keys.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(chat.by("settings")).to_be_focused()


async def test_late_answers_leave_the_focus_alone(
    context: BrowserContext, new_page: NewPage, server: ServerProcess
) -> None:
    """An answer that comes when the visitor has moved on does not pull the focus back to the message box."""
    late: list[Callable[[], None]] = []

    def hold_back(page: WebSocketRoute) -> None:
        far = page.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if "new-history-created" in str(message):
                late.extend([lambda: page.send(message), lambda: page.send(NEXT)])
            else:
                page.send(message)

        far.on_message(pass_on)

    await context.route_web_socket("**/client-ws", hold_back)
    chat = await new_page(server.url)
    await tab_to(chat, '[data-testid="settings"]')
    await chat.until(lambda: late, "the answer that is held back")
    for send in late:
        send()
    await expect(chat.by("toast")).to_contain_text("What came next.")
    await expect(chat.by("settings")).to_be_focused()


async def test_the_way_to_the_message_box(chat: ChatPage) -> None:
    """The first link of the page offers to skip to the message box; the key `/` goes there from anywhere."""
    await tab_to(chat, ".skip")
    await expect(chat.page.locator(".skip")).to_be_in_viewport()
    await chat.page.keyboard.press("Enter")
    await expect(chat.composer).to_be_focused()
    await chat.by("settings").focus()
    await chat.page.keyboard.press("/")
    await expect(chat.composer).to_be_focused()
    await expect(chat.composer).to_have_value("")
