"""What a real browser makes of our headers: the page works under its strict policy, and nothing else runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, expect
from tests.browser.conftest import NewPage
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "visitors-token-0123456789"
INJECTED = """() => new Promise((resolve) => {
  document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  document.body.append(script);
  setTimeout(() => resolve(window.ran ? "ran" : "nothing"), 2000);
})"""
KNOCK = """(address) => new Promise((resolve) => {
  const socket = new WebSocket(address);
  socket.onopen = () => resolve("open");
  socket.onclose = (event) => resolve(`closed ${event.code}`);
})"""
RUNNING_SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg'><title>still</title>"
    "<script>document.querySelector('title').textContent = 'ran'</script></svg>"
)


async def test_the_page_talks_under_a_strict_policy(new_page: NewPage, server: ServerProcess) -> None:
    """No `unsafe-inline`, no complaint in the console while somebody talks; a script put into it does not run."""
    policy = (await server.get("/")).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    chat = await new_page(server.url)
    await chat.say("Hello there")
    assert not chat.unexpected()
    # With what the page itself may do, not with what the test's own hand may.
    assert await chat.page.evaluate(INJECTED) == "script-src-elem"
    chat.complaints.clear()


@pytest.mark.parametrize("path", ["/avatars/mine.svg", "/live2d-models/page.html"])
async def test_a_file_opened_by_itself_runs_nothing(
    tmp_path: Path, context: BrowserContext, path: str
) -> None:
    """A picture that is a program, and a page in a folder of models."""
    for name, text in {
        "avatars/mine.svg": RUNNING_SVG,
        "live2d-models/page.html": "<title>still</title><script>document.title = 'ran'</script>",
    }.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(text, encoding="utf-8")
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        page = await context.new_page()
        await page.goto(f"{server.url}{path}")
        assert "still" in await page.content()
        assert "<title>ran" not in await page.content()


async def test_a_page_of_another_site_gets_no_socket(context: BrowserContext, server: ServerProcess) -> None:
    """As a real browser sends its origin; the page itself gets one."""
    await context.route(
        "http://evil.example/**",
        lambda route: route.fulfill(body="<title>Evil</title>", content_type="text/html"),
    )
    page = await context.new_page()
    await page.goto("http://evil.example/")
    assert await page.evaluate(KNOCK, server.ws_url) == "closed 1006"
    own = await context.new_page()
    await own.goto(f"{server.url}/login")
    assert await own.evaluate(KNOCK, server.ws_url) == "open"


async def test_logging_in_with_javascript_switched_off(tmp_path: Path, browser: Browser) -> None:
    """In Chinese, wrong first; then the page is there, and its address holds no token."""
    settings = {"agent": FAST, "security": {"token": TOKEN}}
    async with ServerProcess(tmp_path, settings) as server:
        context = await browser.new_context(locale="zh-CN", java_script_enabled=False)
        try:
            page = await context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text))
            await page.goto(server.url)
            await expect(page).to_have_title("登录 · Greenroom")
            await page.get_by_label("令牌").fill("not-the-right-token")
            await page.get_by_role("button", name="登录").click()
            await expect(page.get_by_role("alert")).to_contain_text("不是本服务器的令牌")
            await page.get_by_label("令牌").fill(TOKEN)
            await page.get_by_role("button", name="登录").click()
            await expect(page).to_have_title("Greenroom")
            assert TOKEN not in page.url
            assert [text for text in complaints if "401" not in text] == []
        finally:
            await context.close()


async def test_a_token_in_the_pages_address(tmp_path: Path, new_page: NewPage) -> None:
    """As a kiosk opens it: the page talks, and neither its address nor its history has the token."""
    settings = {"agent": FAST, "security": {"token": TOKEN}}
    async with ServerProcess(tmp_path, settings) as server:
        chat = await new_page(f"{server.url}/?token={TOKEN}")
        await chat.say("Hello there")
        assert TOKEN not in chat.page.url
        assert TOKEN not in "".join(chat.wire.urls)
        assert TOKEN not in server.log_text()
