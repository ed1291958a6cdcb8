"""A server that asks for a token: the way in, and what a page says whose session has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, WebSocketRoute, expect
from tests.browser.chat_page import ChatPage
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "a-token-of-twenty-letters"
REFUSED = "no-token: This server needs a token. Log in at /login, or send Authorization: Bearer."


async def test_logging_in_and_being_asked_again(tmp_path: Path, context: BrowserContext) -> None:
    """The page is led to the log-in and back; when the session has ended it says so and leads there again."""
    settings = {
        "agent": FAST,
        "security": {"tokens": [{"name": "friends", "token": TOKEN}], "trust_loopback": False},
    }
    async with ServerProcess(tmp_path, settings) as server:
        chat = ChatPage(await context.new_page(), f"{server.url}/?room=tea")
        await chat.page.goto(chat.url)
        await chat.page.get_by_label("Token").fill(TOKEN)
        await chat.page.get_by_role("button", name="Log in").click()
        await chat.ready()
        await expect(chat.by("room")).to_contain_text("tea")

        async def refuse(route: WebSocketRoute) -> None:
            await route.close(code=4401, reason=REFUSED)

        await context.route_web_socket("**/proxy-ws*", refuse)
        await chat.page.reload()
        await expect(chat.by("unreachable")).to_contain_text("This server asks for a token")
        await expect(chat.by("login")).to_have_attribute("href", f"{server.url}/login?next=%3Froom%3Dtea")
        await expect(chat.status).to_contain_text("Log in again")
        await chat.page.close()
