"""What the chat page costs in a real browser: `python benchmarks/page.py`.

Prints its budgets, each with what was measured on this machine: the first paint of a visitor with an empty
cache, the weight of the scripts, the smoothness while a reply streams in, and the memory of a tab in which
the page is opened and closed a hundred times. Needs a Chromium.

The reply comes at 100 tokens a second, and once more at ten times that pace: so one sees, in twelve seconds,
what the longest reply costs that a turn of two minutes can hold.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from playwright.async_api import Browser, CDPSession, Page, async_playwright, expect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.chat_page import FLAGS, ChatPage  # noqa: E402
from tests.helpers.server_process import FAST, ServerProcess, slow  # noqa: E402
from tests.helpers.services import find  # noqa: E402

PAGE = ROOT / "src" / "greenroom" / "server" / "page"
OPENINGS = 15
STREAM_SECONDS = 12
PACES = (100, 1000)
CYCLES = 100
WARM = 20
"""Cycles before the first look at the heap: until then the browser still compiles and fills its caches."""

NO_CACHED_PAGES = "--disable-features=BackForwardCache"
"""The browser keeps a few pages for its back button; how many just now would drown what is looked for."""

WATCH = """() => {
  window.long = [];
  window.frames = [];
  new PerformanceObserver(list => window.long.push(...list.getEntries().map(one => one.duration)))
    .observe({type: 'longtask'});
  let before = performance.now();
  const look = now => { window.frames.push(now - before); before = now; requestAnimationFrame(look); };
  requestAnimationFrame(look);
}"""
FIRST_PAINT = """() => new Promise(resolve =>
  new PerformanceObserver(list => {
    const found = list.getEntriesByName('first-contentful-paint')[0];
    if (found) resolve(found.startTime);
  }).observe({type: 'paint', buffered: true}))"""


def show(what: str, value: float, unit: str, target: float) -> None:
    """Print one line: a budget and whether it holds."""
    held = "ok" if value <= target else "MISSED"
    print(f"{what:<58}{value:9.1f} {unit:<3} target {target:g} {unit:<3} {held}", flush=True)


def weight() -> float:
    """The chat page's scripts as they travel, in KB: the ops page's are not loaded with it."""
    names = set(
        re.findall(r'(?:src|href)="\./([^"]+\.js)"', (PAGE / "index.html").read_text(encoding="utf-8"))
    )
    assert names, "index.html names no script"
    return sum(len(gzip.compress((PAGE / name).read_bytes(), 9)) for name in names) / 1000


async def openings(browser: Browser, url: str) -> tuple[list[float], list[float]]:
    """First paints, and the times until one can talk, of visitors with an empty cache; milliseconds."""
    paints: list[float] = []
    ready: list[float] = []
    for _ in range(OPENINGS):
        context = await browser.new_context()
        chat = await ChatPage.new(context, url)
        began = perf_counter()
        await chat.open()
        ready.append((perf_counter() - began) * 1000)
        paints.append(await chat.page.evaluate(FIRST_PAINT))
        await context.close()
    return paints, ready


async def streaming(browser: Browser, url: str, pace: int) -> None:
    """Print long tasks and times between frames while a reply streams in at so many tokens a second."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    chat = await ChatPage.new(context, url)
    await chat.open()
    await chat.switch(f"pace-{pace}")
    await chat.say("Go on and on.")
    await chat.speaking()
    await chat.page.evaluate(WATCH)
    await chat.page.wait_for_timeout(STREAM_SECONDS * 1000)
    long, frames = await chat.page.evaluate("() => [window.long, window.frames.slice(1)]")
    sentences = await chat.sentences.count()
    await context.close()
    frames.sort()
    shown = {"median": statistics.median(frames), "99 of 100": frames[int(len(frames) * 0.99)]}
    show(f"{pace} tokens/s, {sentences} sentences: longest task", max(long, default=0.0), "ms", 50)
    for what, value in shown.items():
        print(f"{f'{pace} tokens/s: time between frames, {what}':<58}{value:9.1f} ms")


async def heap(session: CDPSession) -> float:
    """What the tab's scripts hold after a full garbage collection, in KB."""
    await session.send("HeapProfiler.collectGarbage")
    return (await session.send("Runtime.getHeapUsage"))["usedSize"] / 1000


async def cycles(browser: Browser, url: str) -> tuple[list[float], list[float]]:
    """The heap of one tab, every tenth time the page was opened and talked to: page open, and page gone."""
    context = await browser.new_context()
    chat = await ChatPage.new(context, url)
    session = await context.new_cdp_session(chat.page)
    opened: list[float] = []
    left: list[float] = []
    for cycle in range(1, CYCLES + 1):
        await chat.open()
        await visit(chat, cycle)
        if cycle % 10 == 0:
            opened.append(await heap(session))
        await blank(chat.page)
        if cycle % 10 == 0:
            left.append(await heap(session))
    await context.close()
    return opened, left


async def visit(chat: ChatPage, cycle: int) -> None:
    """Every fifth visitor says something, and deletes it: the others only look. So the page is the same each time."""
    chat.wire.sent.clear()
    chat.wire.received.clear()
    if cycle % 5 == 0:
        await chat.say_and_hear("Hello.")
        await chat.histories.first.hover()
        await chat.by("history-delete").first.click()
        await chat.by("confirm-delete").click()
        await expect(chat.histories).to_have_count(0)


async def blank(page: Page) -> None:
    await page.goto("about:blank")


async def main() -> None:
    """Measure and print everything."""
    program = find("chromium")
    if program is None:
        sys.exit("This benchmark needs a Chromium: scripts/setup-services installs it or says how to.")
    if not (PAGE / "index.html").is_file():
        sys.exit("The page is not built: run `make page`.")
    characters = {f"pace-{n}.yaml": {"agent": slow(words=100_000, tokens_per_second=n)} for n in PACES}
    settings = {"agent": FAST, "limits": {"history_undo_seconds": 0}}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            ServerProcess(Path(folder), settings, characters=characters) as server,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(
                executable_path=program, args=[*FLAGS, NO_CACHED_PAGES]
            )
            show("scripts, gzipped", weight(), "KB", 120)
            paints, ready = await openings(browser, server.url)
            show("first paint, empty cache, median", statistics.median(paints), "ms", 500)
            show("first paint, empty cache, worst", max(paints), "ms", 500)
            print(f"{'until one can talk, median':<58}{statistics.median(ready):9.1f} ms")
            for pace in PACES:
                await streaming(browser, server.url, pace)
            for what, heaps in zip(
                ("page open", "page gone"), await cycles(browser, server.url), strict=True
            ):
                warm = heaps[WARM // 10 - 1]
                print(
                    f"{f'heap, {what}, each tenth cycle (KB)':<58}{' '.join(f'{one:.0f}' for one in heaps)}"
                )
                show(f"{CYCLES} cycles: growth after the first {WARM}, {what}", heaps[-1] - warm, "KB", 50)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
