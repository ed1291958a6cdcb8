"""Stored conversations: listed, opened, continued, deleted; and never mixed up between two tabs."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_conversation_is_listed_left_and_opened_again(
    server: ServerProcess, new_page: NewPage, untouched: str
) -> None:
    """New chat empties the page; the earlier talk is in the list, opens, reads well and is remembered."""
    chat = await new_page(server.url)
    await chat.switch(untouched)
    await expect(chat.histories).to_have_count(0)
    first = await chat.say_and_hear("My name is Ada.")
    assert "Ada" in first
    await expect(chat.histories).to_have_count(1)
    await chat.by("new-chat").click()
    await expect(chat.questions).to_have_count(0)
    await chat.say_and_hear("What time is it?")
    await expect(chat.histories).to_have_count(2)
    older = chat.histories.nth(1)
    assert await older.get_attribute("data-current") is None
    await older.get_by_role("button").first.click()
    await expect(chat.questions).to_contain_text(["My name is Ada."])
    await expect(older).to_have_attribute("data-current", "")
    # Stored as one string without spaces between the sentences: shown as it was when it was said.
    assert await chat.reply_text() == first
    assert "Ada" in await chat.say_and_hear("What is my name?")


async def test_two_tabs_have_memories_of_their_own(
    server: ServerProcess, new_page: NewPage, untouched: str
) -> None:
    """What is told in one tab is not known in the other, not even after the other begins a new chat."""
    one, two = await new_page(server.url), await new_page(server.url)
    await one.switch(untouched)
    await two.switch(untouched)
    await one.say_and_hear("My name is Ada.")
    assert "Ada" not in await two.say_and_hear("What is my name?")
    await two.say_and_hear("My name is Grace.")
    await two.by("new-chat").click()
    await expect(two.questions).to_have_count(0)
    assert "Ada" in await one.say_and_hear("What is my name?")
    assert "Ada" not in await two.say_and_hear("What is my name?")


async def test_a_reload_finds_everything_again(
    server: ServerProcess, new_page: NewPage, untouched: str
) -> None:
    """After a reload a new chat is open, the earlier one is listed, and the half-written text is there."""
    chat = await new_page(server.url)
    await chat.switch(untouched)
    await chat.say_and_hear("Hello.")
    await chat.composer.fill("half a tho")
    await chat.page.reload()
    await chat.ready()
    await chat.switch(untouched)
    await expect(chat.histories).to_have_count(1)
    await expect(chat.questions).to_have_count(0)
    await expect(chat.composer).to_have_value("half a tho")
