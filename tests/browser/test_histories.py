"""The list of conversations: search, titles, deleting and taking it back, also after a reload or a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def three_talks(server: ServerProcess, new_page: NewPage, name: str) -> ChatPage:
    """A page of this character with three conversations; the newest is open."""
    chat = await new_page(server.url)
    await chat.switch(name)
    for number, text in enumerate(("I like strong tea.", "What time is it?", "Tell me about the moon.")):
        if number:
            await chat.by("new-chat").click()
            await expect(chat.questions).to_have_count(0)
        await chat.say_and_hear(text)
    await expect(chat.histories).to_have_count(3)
    return chat


async def titles(chat: ChatPage) -> list[str]:
    return await chat.by("history-title").all_inner_texts()


async def delete(chat: ChatPage, number: int) -> None:
    await chat.histories.nth(number).hover()
    await chat.histories.nth(number).get_by_test_id("history-delete").click()


async def test_titles_say_what_it_was_about(server: ServerProcess, new_page: NewPage, untouched: str) -> None:
    """The first words of a conversation name it, live and after a reload; a title given by hand wins."""
    chat = await three_talks(server, new_page, untouched)
    expected = ["Tell me about the moon.", "What time is it?", "I like strong tea."]
    assert await titles(chat) == expected
    await chat.histories.nth(1).hover()
    await chat.histories.nth(1).get_by_test_id("history-rename").click()
    await expect(chat.by("title-box")).to_have_value("What time is it?")
    await chat.by("title-box").fill("About clocks")
    await chat.by("title-box").press("Enter")
    await expect(chat.by("history-title").nth(1)).to_have_text("About clocks")
    await chat.page.reload()
    await chat.ready()
    await chat.switch(untouched)
    await expect(chat.histories).to_have_count(3)
    assert await titles(chat) == [expected[0], "About clocks", expected[2]]
    # Esc leaves it as it is; an empty title gives back the first words.
    await chat.histories.nth(1).hover()
    await chat.histories.nth(1).get_by_test_id("history-rename").click()
    await chat.by("title-box").fill("Nonsense")
    await chat.by("title-box").press("Escape")
    await expect(chat.by("history-title").nth(1)).to_have_text("About clocks")
    await chat.histories.nth(1).get_by_test_id("history-rename").click()
    await chat.by("title-box").fill("")
    await chat.by("title-box").press("Enter")
    await expect(chat.by("history-title").nth(1)).to_have_text("What time is it?")


async def test_search(server: ServerProcess, new_page: NewPage, untouched: str) -> None:
    """Words are found wherever they were said, marked, and lead to the conversation; nothing found says so."""
    chat = await three_talks(server, new_page, untouched)
    await chat.by("history-search").fill("STRONG tea")
    await expect(chat.histories).to_have_count(1)
    await expect(chat.by("search-result")).to_have_text("1 found")
    assert await chat.page.locator(".history mark").all_inner_texts()
    await chat.histories.get_by_role("button").first.click()
    await expect(chat.questions).to_contain_text(["I like strong tea."])
    await chat.by("history-search").fill("no such words")
    await expect(chat.by("search-result")).to_contain_text("Nothing with")
    await expect(chat.histories).to_have_count(0)
    await chat.by("history-search").press("Escape")
    await expect(chat.histories).to_have_count(3)
    await expect(chat.by("history-search")).to_be_focused()
    # One search for each pause in typing, not for each letter.
    asked = [m["query"] for m in chat.wire.sent if m["type"] == "search-histories"]
    assert asked == ["STRONG tea", "no such words"]


async def test_a_deletion_is_undone_at_once(server: ServerProcess, new_page: NewPage, untouched: str) -> None:
    """Gone from the list, and back in its place with one click; what is on the screen stays."""
    chat = await three_talks(server, new_page, untouched)
    before = await titles(chat)
    await delete(chat, 1)
    await expect(chat.histories).to_have_count(2)
    assert await titles(chat) == [before[0], before[2]]
    await expect(chat.questions).to_have_count(1)
    await chat.by("undo").click()
    await expect(chat.histories).to_have_count(3)
    assert await titles(chat) == before
    await expect(chat.by("recently-deleted")).to_have_count(0)


async def test_the_open_conversation_is_deleted_and_taken_back(
    server: ServerProcess, new_page: NewPage, untouched: str
) -> None:
    """A new one begins in its place; undone, it is open again and remembered."""
    chat = await new_page(server.url)
    await chat.switch(untouched)
    await chat.say_and_hear("My name is Ada.")
    await delete(chat, 0)
    await expect(chat.histories).to_have_count(0)
    await expect(chat.questions).to_have_count(0)
    await chat.by("undo").click()
    await expect(chat.questions).to_contain_text(["My name is Ada."])
    assert "Ada" in await chat.say_and_hear("What is my name?")


async def test_undone_after_a_reload_and_a_restart(tmp_path: Path, new_page: NewPage) -> None:
    """What was deleted is listed with the time that is left, and comes back whole."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as first:
        port = first.port
        chat = await new_page(first.url)
        await chat.say_and_hear("I like strong tea.")
        await delete(chat, 0)
        await expect(chat.histories).to_have_count(0)
        await chat.page.reload()
        await chat.ready()
        await expect(chat.by("recently-deleted")).to_contain_text("(1)")
    async with ServerProcess(tmp_path, {"agent": FAST}, args=("--port", str(port))):
        await chat.page.reload()
        await chat.ready()
        await chat.by("recently-deleted").locator("summary").click()
        await expect(chat.by("deleted-item")).to_contain_text("I like strong tea.")
        await expect(chat.by("deleted-item")).to_contain_text("min left")
        await chat.by("restore").click()
        await expect(chat.histories).to_have_count(1)
        await expect(chat.by("recently-deleted")).to_have_count(0)
        await expect(chat.questions).to_contain_text(["I like strong tea."])


async def test_too_late(tmp_path: Path, new_page: NewPage) -> None:
    """When the time is up the server has deleted it for good, and the page says so."""
    settings = {"agent": FAST, "limits": {"history_undo_seconds": 0.3}}
    async with ServerProcess(tmp_path, settings) as server:
        chat = await new_page(server.url)
        await chat.say_and_hear("I like strong tea.")
        await delete(chat, 0)
        await expect(chat.by("undo")).to_be_visible()
        await chat.page.wait_for_timeout(600)
        await chat.by("undo").click()
        await expect(chat.by("toast")).to_contain_text("It is too late")
        await chat.page.reload()
        await chat.ready()
        await expect(chat.histories).to_have_count(0)
        await expect(chat.by("recently-deleted")).to_have_count(0)


async def test_where_nothing_can_be_undone_one_is_asked_first(tmp_path: Path, new_page: NewPage) -> None:
    """Kept on Esc; gone from the list and from the server on yes, and a new one begins."""
    settings = {"agent": FAST, "limits": {"history_undo_seconds": 0}}
    async with ServerProcess(tmp_path, settings) as server:
        chat = await new_page(server.url)
        await chat.say_and_hear("Remember the milk.")
        await delete(chat, 0)
        await expect(chat.page.get_by_role("alertdialog")).to_contain_text("for good")
        await chat.page.keyboard.press("Escape")
        await expect(chat.page.get_by_role("alertdialog")).to_have_count(0)
        await expect(chat.histories).to_have_count(1)
        await delete(chat, 0)
        await chat.by("confirm-delete").click()
        await expect(chat.histories).to_have_count(0)
        await expect(chat.questions).to_have_count(0)
        again = await new_page(server.url)
        await expect(again.histories).to_have_count(0)


async def test_deleted_in_another_tab(
    chat: ChatPage, new_page: NewPage, server: ServerProcess, untouched: str
) -> None:
    """The other tab learns of it when it is looked at; one that was faster is told, and can begin anew."""
    await chat.switch(untouched)
    await chat.say_and_hear("I like strong tea.")
    await chat.by("new-chat").click()
    await chat.say_and_hear("I like weak coffee.")
    other = await new_page(server.url)
    await other.switch(untouched)
    await expect(other.histories).to_have_count(2)
    await delete(chat, 1)
    await other.histories.nth(1).locator("button").first.click()
    await expect(other.by("toast")).to_contain_text("no longer there")
    await expect(other.histories).to_have_count(1)
    await expect(other.by("recently-deleted")).to_be_visible()
    await other.say_and_hear("Here I am.")
    await delete(chat, 0)
    await other.page.evaluate("dispatchEvent(new Event('focus'))")
    await expect(other.histories).to_have_count(1)
    await expect(other.histories).to_contain_text("Here I am.")
