"""The ops page with a past that a real server has only after hours of trouble (see `ops_stage.py`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from time import time
from typing import Any, Literal

import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Browser, BrowserContext, expect
from tests.browser import ops_stage as stages
from tests.browser.ops_page import OpsPage
from tests.browser.ops_stage import OpsStage
from tests.browser.test_accessibility import findings

from greenroom.server.ops import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 720}, "has_touch": True, "is_mobile": True}
NewOps = Callable[..., Awaitable[OpsPage]]


@pytest_asyncio.fixture(loop_scope="session")
async def new_ops(browser: Browser) -> AsyncIterator[NewOps]:
    """Opens ops pages in a profile as told. At the end none of them may have had an error in its console."""
    opened: list[tuple[BrowserContext, OpsPage]] = []

    async def make(stage: OpsStage, *, live: bool = True, **profile: Any) -> OpsPage:
        context = await browser.new_context(**{"locale": "en-GB", "reduced_motion": "reduce", **profile})
        page = await OpsPage.new(context, stage.url)
        opened.append((context, page))
        await (page.open() if live else page.page.goto(stage.url))
        return page

    yield make
    for context, page in opened:
        await context.close()
        assert not page.unexpected()


async def test_trouble_is_on_top(new_ops: NewOps) -> None:
    """Growing, in the headline and the tab; abandoned tasks before everything, with their stack."""
    async with OpsStage(stages.with_trouble()) as stage:
        ops = await new_ops(stage)
        await expect(ops.by("verdict")).to_contain_text("Yes. It gets slower with each visit.")
        await expect(ops.page).to_have_title("● Ops room · Greenroom")
        first = await ops.page.evaluate("() => document.querySelector('main > *').dataset.testid")
        assert first == "abandoned"
        tasks = ops.by("abandoned-task")
        await expect(tasks).to_have_count(2)
        await expect(tasks.first).to_contain_text("greenroom/tasks/_close.py:88 in close_scope")
        await tasks.first.get_by_test_id("stack-button").click()
        await expect(tasks.first.get_by_test_id("stack")).to_contain_text("await self._turn(message)")
        await expect(ops.by("closes").locator("tr[data-tone=bad]")).to_contain_text(
            "heavy init, model loader"
        )


async def test_what_the_stream_tells(new_ops: NewOps) -> None:
    """Samples, visits, closes, abandoned tasks, queues and soaks are shown as they come, and said aloud."""
    async with OpsStage(stages.nothing_yet()) as stage:
        ops = await new_ops(stage)
        now = round(time(), 1)
        stage.send("sample", replace(stages.sample(now, 1), rss_mb=1234.5, tasks_by_kind={"clients": 77}))
        await expect(ops.legend("memory", "rss_mb")).to_have_text("1.21 GB")
        await expect(ops.legend("tasks", "clients")).to_have_text("77")
        state = stages.half_a_day()
        stage.send(
            "visits",
            m.OpsNewVisits(stages.visits(1, 40, now), 40, state.baseline, stages.hint("flat", 120, 1)),
        )
        await expect(ops.by("verdict")).to_have_attribute("data-state", "flat")
        await expect(ops.by("announcer")).to_have_text("Verdict: not getting slower.")
        await expect(ops.by("visits")).to_contain_text("96 ms to 146 ms")
        stage.send("closes", m.OpsCloses(state.closes, 40))
        await expect(ops.by("closes").get_by_role("row")).to_have_count(11)
        await ops.by("closes").get_by_role("button", name="Show all 40").click()
        await expect(ops.by("closes").get_by_role("row")).to_have_count(41)
        stage.send("queues", m.OpsQueues(state.queues, state.providers))
        await expect(ops.by("queues")).to_contain_text("late show")
        await expect(ops.by("engines")).to_contain_text("2 of 4")
        stage.send("abandoned", m.OpsAbandonedList([stages.abandoned()], 1))
        await expect(ops.by("announcer")).to_have_text("Abandoned tasks: 1.")
        await expect(ops.by("abandoned-task")).to_contain_text("1 min 14 s")
        stage.send("sample", stages.sample(now + 60, 2))
        await expect(ops.by("abandoned-task")).to_contain_text("2 min 14 s")
        stage.send("abandoned", m.OpsAbandonedList([], 1))
        await expect(ops.by("abandoned")).to_have_count(0)


async def test_a_soak_and_its_causes(new_ops: NewOps) -> None:
    """What is asked for arrives; progress, verdict and causes are shown, in the reader's language."""
    async with OpsStage(stages.half_a_day()) as stage:
        ops = await new_ops(stage, locale="zh-CN")
        await ops.start_soak(40, "abrupt")
        await expect(ops.by("soak-running")).to_contain_text("0/40 次访问")
        assert stage.soaks == [m.OpsSoakRequest(visits=40, mode="abrupt")]
        assert stage.state.soak is not None
        run = replace(stage.state.soak, done=3, visit=[1, 2, 3], first_reply_ms=[120.0, None, 121.0])
        stage.send("soak", run)
        await expect(ops.by("soak").locator("progress")).to_have_attribute("value", "3")
        await ops.by("soak-cancel").click()
        await expect(ops.by("soak-cancel")).to_be_disabled()
        assert stage.cancelled == 1
        cause = m.OpsSoakCause(
            "speech goes on", "语音仍在继续", "the next one waits 4 s", "下一位访客等待 4 s"
        )
        verdict = m.OpsSoakVerdict("growing", "growing: worse.", "有增长：变差。", [cause], 1)
        stage.send("soak", replace(run, state="finished", verdict=verdict))
        await expect(ops.by("soak-verdict")).to_have_text("有增长：变差。")
        await expect(ops.by("soak-ended")).to_contain_text("下一位访客等待 4 s")


async def test_a_second_soak_is_refused_in_words(new_ops: NewOps) -> None:
    """A page that has not heard of the running one yet gets the reason."""
    async with OpsStage(stages.half_a_day()) as stage:
        ops = await new_ops(stage)
        stage.state = replace(
            stage.state, soak=m.OpsSoak(1, "running", "mixed", 9, 0, time(), 0.0, [], [], None, None)
        )
        await ops.start_soak(5)
        await expect(ops.by("soak-trouble")).to_have_text("A soak is running already.")
        await expect(ops.by("soak-start")).to_be_enabled()


async def test_a_token_is_asked_for(new_ops: NewOps) -> None:
    """Without a session there is a form, a wrong token is told, and the right one opens the page at once."""
    async with OpsStage(stages.half_a_day(), token="sesame") as stage:
        ops = await new_ops(stage, live=False)
        field = ops.by("login-token")
        await expect(field).to_be_focused()
        await expect(ops.status).to_have_attribute("data-state", "locked")
        await field.fill("open")
        await field.press("Enter")
        await expect(ops.page.get_by_role("alert")).to_have_text("This token is not the right one.")
        await field.fill("sesame")
        await field.press("Enter")
        await ops.live()
        everything = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])"
        stored = await ops.page.evaluate(everything)
        assert "sesame" not in stored


async def test_half_a_day_that_has_not_begun(new_ops: NewOps) -> None:
    """The longer range of a server that has just begun is empty, and says when that will change."""
    async with OpsStage(stages.nothing_yet()) as stage:
        ops = await new_ops(stage)
        await ops.page.get_by_role("radio", name="12 h").check()
        await expect(ops.by("time")).to_contain_text("One point for each 30 s")
        await expect(ops.chart("memory")).to_contain_text("Nothing measured in this range.")
        await ops.page.get_by_role("radio", name="15 min").check()
        await expect(ops.legend("memory", "rss_mb")).to_contain_text("MB")


async def test_a_stream_that_ends_is_opened_again(new_ops: NewOps) -> None:
    """The server closes the stream; the page comes back by itself, and takes the state it is given then."""
    async with OpsStage(stages.nothing_yet()) as stage:
        ops = await new_ops(stage)
        stage.state = replace(stage.state, visits_total=17)
        stage.cut()
        await expect(ops.by("facts")).to_contain_text("Visits17")
        await ops.live()
        assert stage.streams == 1


async def test_every_chart_is_a_table_too(new_ops: NewOps) -> None:
    """Each picture has words for those who do not see it, and the same figures as a table."""
    async with OpsStage(stages.half_a_day()) as stage:
        ops = await new_ops(stage)
        charts = ops.by("chart")
        assert await charts.count() == 9
        for number in range(9):
            chart = charts.nth(number)
            label = await chart.get_by_role("img").get_attribute("aria-label")
            assert label is not None
            assert "now" in label
            await chart.get_by_role("button").click()
            rows = chart.get_by_role("row")
            await expect(rows).to_have_count(13)
            assert "–" not in await rows.nth(12).inner_text() or number == 1
            await chart.get_by_role("button").click()
        await expect(ops.chart("memory").get_by_role("img")).to_be_visible()


async def test_the_keyboard_reaches_everything(new_ops: NewOps) -> None:
    """The skip link comes first and works; the tree is opened, and a branch of it, with the keyboard alone."""
    async with OpsStage(stages.half_a_day()) as stage:
        ops = await new_ops(stage)
        await ops.page.keyboard.press("Tab")
        assert await ops.page.evaluate("() => document.activeElement.className") == "skip"
        await ops.page.keyboard.press("Enter")
        assert await ops.page.evaluate("() => document.activeElement.id") == "verdict"
        await ops.by("owners-toggle").focus()
        await ops.page.keyboard.press("Enter")
        clients = ops.owner("server/clients")
        await clients.get_by_role("button").first.focus()
        await ops.page.keyboard.press("Space")
        await expect(clients.get_by_role("button").first).to_have_attribute("aria-expanded", "true")
        await expect(ops.owner("server/clients/client 00000000")).to_contain_text("Being cancelled")


#: Words of the page itself: names, reasons and lines of code are the server's.
OWN_WORDS = """() => {
  const words = [];
  const theirs = 'code, pre, strong, dd, .frame-place, .owner-name, .task-name, .task-site, .task-cancelled,'
    + ' .ops-brand-name, [data-column="reason"], [data-column="name"], [data-column="room"], [data-column="abandoned"]';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest(`script, noscript, [lang="en"], ${theirs}`)) words.push(node.textContent);
  }
  for (const element of document.querySelectorAll('[aria-label], [title], [data-label]'))
    words.push(element.ariaLabel ?? '', element.title, element.dataset.label ?? '');
  return words.map(word => word.trim()).filter(word => word);
}"""
UNITS = re.compile(
    r"\b(?:ms|s|MB|GB|CPU|JSON|Python)\b|heavy init|model loader|http server|log cleaner|writer|turns?"
)


async def test_no_english_is_left_in_chinese(new_ops: NewOps) -> None:
    """With trouble, a running soak, tree, stack and table: every word of the page is Chinese."""
    async with OpsStage(stages.with_trouble()) as stage:
        ops = await new_ops(stage, locale="zh-CN")
        await ops.start_soak(30)
        await expect(ops.by("soak-running")).to_be_visible()
        await ops.open_tree()
        await ops.page.locator(".owners-tools button").first.click()
        await ops.by("stack-button").first.click()
        await expect(ops.by("stack")).to_contain_text("最外层调用在前")
        await ops.chart("tasks").get_by_role("button").click()
        words = await ops.page.evaluate(OWN_WORDS)
        assert len(words) > 200
        left = [word for word in words if re.search(r"[A-Za-z]{2,}", UNITS.sub("", word))]
        assert not left


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [320, 768, 1024, 1920])
async def test_nothing_sticks_out(new_ops: NewOps, width: int, locale: str) -> None:
    """With trouble, the tree open, a stack and a table shown, no screen has to be scrolled sideways."""
    async with OpsStage(stages.with_trouble()) as stage:
        ops = await new_ops(stage, viewport={"width": width, "height": 800}, locale=locale)
        await ops.open_tree()
        await ops.page.locator(".owners-tools button").first.click()
        await ops.by("stack-button").first.click()
        await expect(ops.by("stack")).to_be_visible()
        await ops.chart("tasks").get_by_role("button").click()
        assert await ops.overflow() <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "screen", [{"viewport": {"width": 1280, "height": 800}}, PHONE], ids=["desktop", "phone"]
)
async def test_nothing_serious_for_axe(
    new_ops: NewOps, axe: str, scheme: Literal["light", "dark"], screen: dict[str, Any]
) -> None:
    """Empty; with trouble, tree, stack and table; while a soak runs; stale; locked."""
    async with OpsStage(stages.nothing_yet()) as stage:
        ops = await new_ops(stage, color_scheme=scheme, **screen)
        await ops.page.evaluate(axe)
        assert not await findings(ops.page)
        stage.state = stages.with_trouble()
        stage.cut()
        await expect(ops.by("abandoned-task")).to_have_count(2)
        await ops.open_tree()
        await ops.page.locator(".owners-tools button").first.click()
        await ops.by("stack-button").first.click()
        await expect(ops.by("stack")).to_be_visible()
        await ops.chart("tasks").get_by_role("button").click()
        await ops.start_soak(30)
        await expect(ops.by("soak-running")).to_be_visible()
        assert not await findings(ops.page)
        await ops.page.context.set_offline(True)
        await expect(ops.by("stale")).to_be_visible()
        assert not await findings(ops.page)
        await ops.page.context.set_offline(False)
        await ops.live()
        stage.token = "sesame"
        stage.cut()
        await expect(ops.by("login")).to_be_visible()
        assert not await findings(ops.page)


async def test_the_heap_stays_flat(new_ops: NewOps) -> None:
    """A thousand more samples hold no more than those they replaced, nor do charts that are made anew."""
    async with OpsStage(stages.half_a_day()) as stage:
        ops = await new_ops(stage)
        session = await ops.page.context.new_cdp_session(ops.page)
        now = stage.state.started_at + 43_200
        tick = 0

        async def live_on(samples: int) -> float:
            nonlocal tick
            for _ in range(samples):
                tick += 1
                stage.send("sample", stages.sample(now + tick, tick))
            tick += 1
            stage.send("sample", replace(stages.sample(now + tick, tick), rss_mb=float(tick % 900)))
            await expect(ops.legend("memory", "rss_mb")).to_have_text(f"{tick % 900} MB", timeout=30_000)
            return await ops.heap(session)

        async def draw_anew(times: int) -> float:
            for _ in range(times):
                await ops.by("theme").click()
                await ops.by("language").click()
            await expect(ops.page.locator("canvas")).to_have_count(9)
            return await ops.heap(session)

        async def flat(what: str, once: Callable[[], Awaitable[float]], most: float) -> None:
            # The browser compiles when it likes, and lets go when it likes: what leaks grows each time.
            seen = [await once()]
            for _ in range(4):
                seen.append(await once())
                if seen[-1] < seen[-2] + most:
                    return
            raise AssertionError(f"{what}: {', '.join(f'{size:.0f}' for size in seen)} KB")

        await live_on(900)
        await flat("samples", lambda: live_on(1000), 200)
        # Nine charts that were not let go would be some hundred KB each time.
        await flat("charts", lambda: draw_anew(8), 700)


async def test_reloads_leave_nothing_behind(new_ops: NewOps) -> None:
    """After twenty more reloads the tab holds what it held, and the server has one stream."""
    async with OpsStage(stages.half_a_day()) as stage:
        ops = await new_ops(stage)
        session = await ops.page.context.new_cdp_session(ops.page)

        async def reloads(count: int) -> float:
            for _ in range(count):
                await ops.page.reload()
                await ops.live()
            return await ops.heap(session)

        before = await reloads(5)
        after = await reloads(20)
        assert after < before + 400, f"{before:.0f} KB, then {after:.0f} KB"
        assert stage.streams == 1
