"""A room: many pages, one conversation; who waits sees where, and who is turned away sees why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import CHARACTERS, NewPage
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ENDLESS = {"endless.yaml": CHARACTERS["endless.yaml"]}


@pytest_asyncio.fixture(loop_scope="session")
async def theatre(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server whose queues take one message of each sender, and five in all."""
    settings = {"agent": FAST, "queue": {"per_sender": 1, "max_waiting": 5}}
    async with ServerProcess(tmp_path, settings, characters=ENDLESS) as running:
        yield running
        assert not running.complaints()


def room(server: ServerProcess, name: str = "tea") -> str:
    return f"{server.url}/?room={name}"


async def put(chat: ChatPage, text: str) -> None:
    """Write a message; in a room it need not be shown at once."""
    await chat.composer.fill(text)
    await chat.composer.press("Enter")
    await expect(chat.composer).to_have_value("")


def queued(chat: ChatPage, state: str) -> Locator:
    return chat.page.locator(f'[data-testid="queued"][data-state="{state}"]')


async def test_several_viewers_follow_one_conversation(theatre: ServerProcess, new_page: NewPage) -> None:
    """All see the message, whose it is, the reply, and how many they are; another room sees nothing."""
    pages = [await new_page(room(theatre)) for _ in range(3)]
    elsewhere = await new_page(room(theatre, "milk"))
    for page in pages:
        await expect(page.by("viewers")).to_have_text("3 viewers")
        await expect(page.by("room-tag")).to_contain_text("tea")
        await expect(page.by("new-chat")).to_have_count(0)
    await expect(elsewhere.by("viewers")).to_have_text("Only you are here")
    await put(pages[0], "Hello, everybody.")
    for page in pages:
        await expect(page.questions).to_contain_text(["Hello, everybody."])
        await page.heard(1)
    replies = {await page.reply_text() for page in pages}
    assert len(replies) == 1
    assert await pages[0].questions.first.get_attribute("data-other") is None
    assert await pages[1].questions.first.get_attribute("data-other") == ""
    await expect(elsewhere.questions).to_have_count(0)
    await pages[2].page.close()
    await expect(pages[0].by("viewers")).to_have_text("2 viewers")


async def test_places_in_line(theatre: ServerProcess, new_page: NewPage) -> None:
    """A message waits where it can be seen, moves up, and is shown when its turn comes; typing cuts nobody off."""
    one, two, three = [await new_page(room(theatre)) for _ in range(3)]
    await one.switch("Endless")
    await put(one, "Go on and on.")
    await one.speaking()
    await put(two, "Me next?")
    await expect(queued(two, "waiting")).to_contain_text("Next in line")
    await put(three, "And me?")
    await expect(queued(three, "waiting")).to_contain_text("Place 2 of 2 in line")
    await expect(three.questions).to_have_count(1)
    # Esc stops nothing that all listen to; the button does, for everybody.
    await two.page.keyboard.press("Escape")
    assert "interrupt-signal" not in two.wire.types_sent()
    await one.stop.click()
    await expect(queued(two, "waiting")).to_have_count(0)
    await expect(two.questions).to_contain_text(["Go on and on.", "Me next?"])
    await expect(queued(three, "waiting")).to_contain_text("Next in line")
    for page in (one, two, three):
        await expect(page.page.locator(".interrupted")).to_have_count(1)
    await two.stop.click()
    await expect(three.questions).to_contain_text(["Go on and on.", "Me next?", "And me?"])


async def test_turned_away_and_tried_again(theatre: ServerProcess, new_page: NewPage) -> None:
    """Who says too much is told so, may try again after the pause, and may let it go."""
    one = await new_page(room(theatre))
    await one.switch("Endless")
    await put(one, "Go on and on.")
    await one.speaking()
    await put(one, "Second")
    await put(one, "Third")
    dropped = queued(one, "dropped")
    await expect(dropped).to_contain_text("enough of your messages wait already")
    retry = dropped.get_by_test_id("queue-retry")
    await expect(retry).to_contain_text("Try again")
    await one.stop.click()
    await expect(one.questions).to_have_count(2)
    await expect(retry).to_have_text("Try again", timeout=30_000)
    await retry.click()
    await expect(queued(one, "waiting")).to_contain_text("Third")
    await put(one, "Fourth")
    await dropped.get_by_role("button", name="Remove").click()
    await expect(dropped).to_have_count(0)


async def test_back_in_the_room(tmp_path: Path, new_page: NewPage) -> None:
    """After a restart of the server the page is in the room again and says so; what was read stays."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as first:
        port = first.port
        chat = await new_page(room(first))
        await put(chat, "Hello.")
        await chat.heard(1)
        first.kill()
        await expect(chat.status).not_to_have_attribute("data-state", "online")
    async with ServerProcess(tmp_path, {"agent": FAST}, args=("--port", str(port))):
        await chat.status.dispatch_event("click")
        await expect(chat.notices).to_have_attribute("data-word", "room-back")
        await expect(chat.questions).to_have_count(1)
        await expect(chat.by("viewers")).to_have_text("Only you are here")
        await put(chat, "And again.")
        await chat.heard(2)


async def test_the_way_in_and_out(theatre: ServerProcess, new_page: NewPage) -> None:
    """A name opens a room, a wrong one says what is wrong; Leave goes back to a conversation of one's own."""
    chat = await new_page(theatre.url)
    await chat.by("join-room").click()
    await chat.by("room-name").fill("two words")
    await expect(chat.by("room-name")).to_have_attribute("aria-invalid", "true")
    await chat.by("room-name").fill("茶室")
    await chat.by("room-name").press("Enter")
    await chat.page.wait_for_url("**/?room=*")
    await chat.ready()
    await expect(chat.by("room")).to_contain_text("茶室")
    await put(chat, "Hello?")
    await chat.heard(1)
    await chat.by("leave-room").click()
    await chat.ready()
    await expect(chat.by("new-chat")).to_be_visible()


async def test_a_name_that_is_none(theatre: ServerProcess, new_page: NewPage, context: object) -> None:
    """An address with an impossible room says so in words, and does not pretend to wait for somebody."""
    page = await (await new_page(theatre.url)).page.context.new_page()
    await page.goto(f"{theatre.url}/?room=a%20b")
    await expect(page.get_by_test_id("unreachable")).to_contain_text("letters, digits")
    await page.close()
