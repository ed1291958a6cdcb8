"""The page in Chinese: by the browser's language, and by choice."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import NewPage
from tests.helpers.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Words of the page itself: what a character or a visitor says and names of things are not its own.
OWN_WORDS = """() => {
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const where = node.parentElement;
    if (where.closest('script, noscript, .bubble, .brand, h1, .card-name, .card-line')) continue;
    if (where.closest('.history-line, .history-found, .room-name, .backgrounds, option')) continue;
    if (where.closest('[lang]:not([lang="zh-CN"])')) continue;
    if (node.textContent.trim()) words.push(node.textContent.trim());
  }
  for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]'))
    for (const name of ['aria-label', 'title', 'placeholder'])
      if (element.getAttribute(name) && !element.closest('.backgrounds, .history-open'))
        words.push(element.getAttribute(name).replace(/“.*”/, ''));
  return words;
}"""
NAMES = re.compile(
    r"ws://\S+|White|Untouched|Never|Iris|Broken|Sakura|Bloodsucker|Endless|Heavy|Spoken|Fast|Greenroom|Enter|Shift|Esc|English"
)


@pytest_asyncio.fixture(loop_scope="session")
async def chinese(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser whose owner reads Chinese."""
    found = await browser.new_context(locale="zh-CN", reduced_motion="reduce")
    yield found
    await found.close()


async def no_english(chat: ChatPage) -> None:
    words = await chat.page.evaluate(OWN_WORDS)
    assert len(words) > 10
    assert not [word for word in words if re.search(r"[A-Za-z]{2,}", NAMES.sub("", word))]


async def test_a_visit_in_chinese(chinese: BrowserContext, new_page: NewPage, server: ServerProcess) -> None:
    """No English is left on the page, and a Chinese character answers in Chinese."""
    chat = await new_page(server.url, within=chinese)
    await expect(chat.page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(chat.by("new-chat")).to_have_text("新对话")
    await no_english(chat)
    await chat.switch("Bloodsucker")
    reply = await chat.say_and_hear("你好，你是谁？")
    assert re.search(r"[\u4e00-\u9fff]{4,}", reply)
    assert not re.search(r"[。！？，]\s", reply)
    await expect(chat.histories.first).to_be_visible()
    await no_english(chat)
    await chat.by("settings").click()
    await expect(chat.page.get_by_role("dialog", name="设置")).to_be_visible()
    await no_english(chat)


async def test_the_language_is_chosen_and_kept(chat: ChatPage) -> None:
    """Chosen in the settings, another language is there at once and after a reload."""
    await chat.by("settings").click()
    await chat.page.get_by_role("radio", name="简体中文").check()
    await expect(chat.page.locator("html")).to_have_attribute("lang", "zh-CN")
    await chat.page.reload()
    await chat.ready()
    await expect(chat.by("new-chat")).to_have_text("新对话")
