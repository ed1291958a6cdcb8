"""Draws the pictures of the pages in docs/screenshots: `python -m tests.browser.screenshots`, or only `chat` or `ops`.

A fresh server with the shipped characters and the built-in agent, so that they show what a new user sees. Those of
the ops page show a soak that has just ended; only the one named `trouble` has a past made for it (`ops_stage.py`).
Needs fonts for Chinese and Japanese (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect
from tests.browser.chat_page import FLAGS, ChatPage
from tests.browser.ops_page import OpsPage
from tests.browser.ops_stage import OpsStage, with_trouble
from tests.helpers.server_process import ROOT, ServerProcess, slow
from tests.helpers.services import find

FOLDER = ROOT / "docs" / "screenshots"
MAX_BYTES = 200_000
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


@dataclass(frozen=True)
class OpsPicture:
    """One picture of the ops page: on what, in which language, and how far down it is scrolled."""

    name: str
    screen: dict[str, Any]
    scheme: str
    locale: str
    scroll_to: str = ""
    """A `data-testid`; empty: the top."""


OPS_DESKTOP = {"viewport": {"width": 1280, "height": 1180}}
OPS_PICTURES = (
    OpsPicture("ops-light-en", OPS_DESKTOP, "light", "en-GB"),
    OpsPicture("ops-dark-zh", OPS_DESKTOP, "dark", "zh-CN"),
    OpsPicture("ops-phone-light-zh", PHONE, "light", "zh-CN"),
    OpsPicture("ops-phone-dark-en", PHONE, "dark", "en-GB", "visits"),
    OpsPicture("ops-owners-light-en", OPS_DESKTOP, "light", "en-GB", "owners"),
)
TROUBLE = OpsPicture("ops-trouble-light-en", OPS_DESKTOP, "light", "en-GB")
SOAK_VISITS = 100
SOAK_MS = 600_000
MODEST: dict[str, Any] = {
    "agent": {
        "kind": "builtin",
        "builtin": {"first_token_seconds": 0.12, "tokens_per_second": 250, "words": 40, "slots": 4},
    },
    "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.04, "slots": 1}},
}
"""An agent and a voice that take their time, as those of a real character do."""


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
    await shoot(chat.page, picture.name)
    await context.close()


async def shoot(page: Page, name: str) -> None:
    """What the page shows, once it is still, into a file."""
    await page.mouse.move(0, 0)
    await page.evaluate(
        "() => new Promise(done => { document.activeElement.blur();"
        " requestAnimationFrame(() => requestAnimationFrame(done)) })"
    )
    file = FOLDER / f"{name}.png"
    await page.screenshot(path=str(file))
    size = file.stat().st_size
    print(f"{file.relative_to(ROOT)}: {size / 1000:.0f} KB")
    assert size <= MAX_BYTES, "too large for the repository"


async def draw_room(browser: Browser, url: str) -> None:
    """A room with four viewers, in which our message waits in line."""
    context = await browser.new_context(
        color_scheme="light", locale="en-GB", reduced_motion="reduce", **DESKTOP
    )
    viewers = [await ChatPage.new(context, f"{url}/?room=balcony") for _ in range(4)]
    for viewer in viewers:
        await viewer.open()
    ours, *others = viewers
    said = ("Good evening, everybody!", "What do you see up there?", "Who else is here?")
    for number, (viewer, text) in enumerate(zip(others, said, strict=True)):
        await viewer.composer.fill(text)
        await viewer.composer.press("Enter")
        if number == 0:
            await ours.heard(1)
    await ours.composer.fill("And what are you drinking?")
    await ours.composer.press("Enter")
    await expect(ours.by("queued")).to_contain_text("in line")
    await expect(ours.sentences.last).to_be_visible()
    await expect(ours.by("viewers")).to_contain_text("4")
    await shoot(ours.page, "room-light-en")
    await context.close()


async def draw_ops(browser: Browser, url: str, picture: OpsPicture) -> None:
    """One picture of the ops page at this address, as it is now."""
    context = await browser.new_context(
        color_scheme="dark" if picture.scheme == "dark" else "light",
        locale=picture.locale,
        reduced_motion="reduce",
        **picture.screen,
    )
    ops = await OpsPage.new(context, url)
    await ops.open()
    if picture.scroll_to == "owners":
        await ops.open_tree()
        await ops.page.locator(".owners-tools button").first.click()
        await ops.by("stack-button").last.click()
        await expect(ops.by("stack")).to_contain_text("await")
    if picture.scroll_to:
        await ops.by(picture.scroll_to).evaluate(
            "(element) => scrollBy(0, element.getBoundingClientRect().top - 76)"
        )
    await shoot(ops.page, picture.name)
    await context.close()


async def chat_pictures(browser: Browser, folder: Path) -> None:
    """Those of the chat page."""
    async with ServerProcess(folder, {"agent": AT_ONCE}) as server:
        for picture in PICTURES:
            await draw(browser, server.url, picture)
    room = folder / "room"
    room.mkdir()
    async with ServerProcess(room, {"agent": slow(tokens_per_second=9)}) as server:
        await draw_room(browser, server.url)


async def ops_pictures(browser: Browser, folder: Path) -> None:
    """Those of the ops page, after a soak from it, while somebody talks."""
    async with ServerProcess(folder, MODEST) as server:
        url = f"{server.url}/ops"
        context = await browser.new_context(locale="en-GB", reduced_motion="reduce")
        ops = await OpsPage.new(context, url)
        await ops.open()
        await ops.start_soak(SOAK_VISITS, "mixed")
        await expect(ops.by("soak-verdict")).to_be_visible(timeout=SOAK_MS)
        chat = await ChatPage.new(context, server.url)
        await chat.open()
        for picture in OPS_PICTURES:
            await chat.say("Tell me a long story.")
            await draw_ops(browser, url, picture)
        await context.close()
    async with OpsStage(with_trouble()) as stage:
        await draw_ops(browser, stage.url, TROUBLE)


async def main() -> None:
    """All pictures."""
    program = find("chromium")
    if program is None:
        sys.exit("Screenshots need a Chromium: scripts/setup-services installs it or says how to.")
    FOLDER.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or ["chat", "ops"]
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
            for name, draw_all in {"chat": chat_pictures, "ops": ops_pictures}.items():
                if name in wanted:
                    place = Path(folder, name)
                    place.mkdir()
                    await draw_all(browser, place)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
