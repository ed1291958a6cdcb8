"""Draws the pictures of the page in docs/screenshots: `python -m tests.browser.screenshots`.

A fresh server with the shipped characters and the built-in agent, so that they show what a new user sees.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright, expect
from tests.browser.chat_page import FLAGS, ChatPage
from tests.helpers.server_process import ROOT, ServerProcess
from tests.helpers.services import find

FOLDER = ROOT / "docs" / "screenshots"
MAX_BYTES = 150_000
DESKTOP = {"viewport": {"width": 1200, "height": 750}}
PHONE = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 1.5,
    "has_touch": True,
    "is_mobile": True,
}
AT_ONCE = {"kind": "builtin", "builtin": {"first_token_seconds": 0, "tokens_per_second": 0}}


@dataclass(frozen=True)
class Picture:
    """One picture: who reads it, on what, and what is talked about, conversation by conversation."""

    name: str
    screen: dict[str, Any]
    scheme: str
    locale: str
    character: str
    talks: tuple[tuple[str, ...], ...]


PICTURES = (
    Picture(
        "chat-light-en",
        DESKTOP,
        "light",
        "en-GB",
        "White",
        (("What time is it?",), ("Hello! My name is Mira.", "What can you do?", "And what is my name?")),
    ),
    Picture(
        "chat-dark-zh",
        DESKTOP,
        "dark",
        "zh-CN",
        "Bloodsucker",
        (("现在几点？",), ("晚上好，我叫小林。", "你是谁？", "我叫什么名字？")),
    ),
    Picture("phone-light-zh", PHONE, "light", "zh-CN", "Bloodsucker", (("你好！", "今晚的月亮真好看。"),)),
    Picture("phone-dark-en", PHONE, "dark", "en-GB", "White", (("Good evening!", "I had a long day."),)),
)


async def draw(browser: Browser, url: str, picture: Picture) -> None:
    """One picture into its file."""
    context = await browser.new_context(
        color_scheme="dark" if picture.scheme == "dark" else "light",
        locale=picture.locale,
        reduced_motion="reduce",
        **picture.screen,
    )
    chat = await ChatPage.new(context, url)
    await chat.open()
    if await chat.page.locator(".head h1").inner_text() != picture.character:
        if picture.screen is PHONE:
            await chat.by("menu").click()
        await chat.character(picture.character).click()
        await expect(chat.page.locator(".head h1")).to_have_text(picture.character)
    for number, talk in enumerate(picture.talks):
        if number:
            await chat.by("new-chat").click()
        for line in talk:
            await chat.say_and_hear(line)
    await chat.page.mouse.move(0, 0)
    await chat.page.evaluate(
        "() => new Promise(done => { document.activeElement.blur();"
        " requestAnimationFrame(() => requestAnimationFrame(done)) })"
    )
    file = FOLDER / f"{picture.name}.png"
    await chat.page.screenshot(path=str(file))
    size = file.stat().st_size
    print(f"{file.relative_to(ROOT)}: {size / 1000:.0f} KB")
    assert size <= MAX_BYTES, "too large for the repository"
    await context.close()


async def main() -> None:
    """All pictures."""
    program = find("chromium")
    if program is None:
        sys.exit("Screenshots need a Chromium: scripts/setup-services installs it or says how to.")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            ServerProcess(Path(folder), {"agent": AT_ONCE}) as server,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
            for picture in PICTURES:
                await draw(browser, server.url, picture)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
