"""A lost connection: the page says so, comes back by itself, and brings the conversation with it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import CHARACTERS, NewPage
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Notes when the page tries to connect, in milliseconds.
TRIES = """
  window.tries = [];
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...how) { super(...how); window.tries.push(performance.now()); }
  };
"""
ENDLESS = {"endless.yaml": CHARACTERS["endless.yaml"]}


def start(folder: Path, port: int = 0) -> ServerProcess:
    """A server on this port, with what an earlier one left in the folder."""
    folder.mkdir(exist_ok=True)
    return ServerProcess(folder, {"agent": FAST}, characters=ENDLESS, args=("--port", str(port)))


async def killed(server: ServerProcess, chat: ChatPage) -> None:
    """`kill -9`, and the page has noticed."""
    server.kill()
    await expect(chat.status).not_to_have_attribute("data-state", "online")


async def back(chat: ChatPage) -> None:
    """Connected again, by itself or by a click on the countdown, which saves waiting for it."""
    if await chat.status.get_attribute("data-state") == "reconnecting":
        await chat.status.dispatch_event("click")
    await expect(chat.status).to_have_attribute("data-state", "online")


async def test_the_conversation_is_brought_back(
    tmp_path: Path, context: BrowserContext, new_page: NewPage
) -> None:
    """Killed and started again: the pauses grow, the talk is there and goes on, the page says so."""
    await context.add_init_script(TRIES)
    async with start(tmp_path) as first:
        port = first.port
        chat = await new_page(first.url)
        await chat.say_and_hear("My name is Ada.")
        await killed(first, chat)
        await expect(chat.status).to_contain_text("Reconnecting")
        await expect(chat.questions).to_have_count(1)
        await chat.composer.fill("Are you back?")
        await chat.composer.press("Enter")
        await expect(chat.page.get_by_text("Your text stays here")).to_be_visible()
        await chat.page.wait_for_function("() => window.tries.length >= 4")
        times = await chat.page.evaluate("() => window.tries")
        # Each pause is at least half of 500, 1000, … ms; the first of them began before the first try.
        first_pause, second_pause = (after - before for before, after in pairwise(times[1:4]))
        assert first_pause >= 245
        assert second_pause >= 490
    async with start(tmp_path, port):
        await back(chat)
        await expect(chat.notices).to_have_attribute("data-word", "resumed")
        await expect(chat.questions).to_have_count(1)
        await expect(chat.composer).to_have_value("Are you back?")
        await expect(chat.histories).to_have_count(1)
        assert "Ada" in await chat.say_and_hear("What is my name?")
        assert not chat.unexpected("WebSocket connection to")


async def test_a_restart_is_told_as_such(tmp_path: Path, new_page: NewPage) -> None:
    """A server that is stopped politely says so: the page tells a restart from a lost connection."""
    async with start(tmp_path) as first:
        port = first.port
        chat = await new_page(first.url)
        await chat.say_and_hear("My name is Ada.")
    await expect(chat.status).not_to_have_attribute("data-state", "online")
    async with start(tmp_path, port):
        await back(chat)
        await expect(chat.notices).to_have_attribute("data-word", "restarted")
        await expect(chat.notices).to_contain_text("The server was restarted.")
        assert "Ada" in await chat.say_and_hear("What is my name?")


async def test_cut_off_in_mid_reply(tmp_path: Path, new_page: NewPage) -> None:
    """Another character's reply is cut off: character and conversation come back, with a word about it."""
    async with start(tmp_path) as first:
        port = first.port
        chat = await new_page(first.url)
        await chat.switch("Endless")
        await chat.say("Go on and on.")
        await chat.speaking()
        await killed(first, chat)
        await expect(chat.stop).to_have_count(0)
    async with start(tmp_path, port):
        await back(chat)
        await expect(chat.notices).to_have_attribute("data-word", "resumed-cut")
        await expect(chat.page.locator(".head h1")).to_have_text("Endless")
        await expect(chat.questions).to_have_count(1)
        await chat.say("Again, please.")
        await chat.speaking()


async def test_nothing_left_to_bring_back(tmp_path: Path, new_page: NewPage) -> None:
    """A server without the conversation: what was said stays readable, and a new chat begins below."""
    async with start(tmp_path / "one") as first:
        port = first.port
        chat = await new_page(first.url)
        await chat.say_and_hear("My name is Ada.")
        await killed(first, chat)
    async with start(tmp_path / "two", port):
        await back(chat)
        await expect(chat.notices).to_have_attribute("data-word", "gone")
        await expect(chat.questions).to_have_count(1)
        assert "Ada" not in await chat.say_and_hear("What is my name?")


async def test_a_page_brought_back_from_the_browsers_cache(server: ServerProcess, new_page: NewPage) -> None:
    """Leaving the page ends its connection; the back button brings a page that is connected again."""
    chat = await new_page(server.url)
    await chat.say_and_hear("My name is Ada.")
    await chat.page.goto("about:blank")
    await server.quiet(0)
    await chat.page.go_back()
    await chat.ready()
    await server.quiet(1)
    assert await chat.say_and_hear("What is my name?")
