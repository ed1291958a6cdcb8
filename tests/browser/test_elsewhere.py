"""The page works wherever it is served from, and another client's page served by us finds its way too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect
from tests.browser.conftest import NewPage
from tests.helpers.server_process import FAST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: A client with fixed addresses, which keeps others in the browser's storage as Open-LLM-VTuber's does.
OTHER_CLIENT = """<!doctype html>
<html><head><title>Another client</title>
<script type="module">
  const kept = (key, otherwise) => JSON.parse(localStorage.getItem(key) ?? JSON.stringify(otherwise));
  window.base = kept("baseUrl", "http://127.0.0.1:1");
  window.types = [];
  const socket = new WebSocket(kept("wsUrl", "ws://127.0.0.1:1/client-ws"));
  socket.onmessage = (event) => window.types.push(JSON.parse(event.data).type);
  socket.onopen = () => {
    for (const type of ["fetch-backgrounds", "fetch-configs", "fetch-history-list", "create-new-history"])
      socket.send(JSON.stringify({type}));
  };
</script></head><body></body></html>"""


@asynccontextmanager
async def forwarded(host: str, port: int) -> AsyncIterator[int]:
    """Another port of this machine that leads to this one, as a container's or a router's does."""
    open_now: set[asyncio.StreamWriter] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        open_now.update((writer, far_writer))
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    listener = await asyncio.start_server(joined, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in open_now:
            writer.close()
        await listener.wait_closed()


async def test_another_name_for_this_machine(server: ServerProcess, new_page: NewPage) -> None:
    """Opened as `localhost`, the page talks to `localhost`, and its pictures come from there."""
    chat = await new_page(f"http://localhost:{server.port}/")
    assert chat.wire.urls == [f"ws://localhost:{server.port}/client-ws"]
    assert await chat.say_and_hear("Hello.")
    picture = chat.character("White").locator("img")
    await expect(picture).to_have_attribute("src", f"http://localhost:{server.port}/avatars/white.svg")


async def test_another_port(server: ServerProcess, new_page: NewPage) -> None:
    """Behind a forwarded port the page stays on that port, without any setting."""
    async with forwarded(server.host, server.port) as port:
        chat = await new_page(f"http://127.0.0.1:{port}/")
        assert chat.wire.urls == [f"ws://127.0.0.1:{port}/client-ws"]
        assert await chat.say_and_hear("Hello.")
        await chat.page.close()


async def test_a_link_to_another_server(server: ServerProcess, new_page: NewPage) -> None:
    """`?ws=` leads to another server, and the page says whose it is."""
    chat = await new_page(f"http://localhost:{server.port}/?ws={server.ws_url}")
    assert chat.wire.urls == [server.ws_url]
    await expect(chat.by("elsewhere")).to_contain_text(f"{server.host}:{server.port}")
    assert await chat.say_and_hear("Hello.")


async def test_another_server_in_the_settings(
    tmp_path: Path, server: ServerProcess, new_page: NewPage
) -> None:
    """An address written in the settings is used, kept and shown; a wrong one is refused; the way back is a click."""
    settings = {"agent": FAST, "security": {"allowed_origins": [f"http://{server.host}:{server.port}"]}}
    async with ServerProcess(tmp_path, settings) as other:
        chat = await new_page(server.url)
        await chat.by("settings").click()
        await chat.by("server-address").fill("no address")
        await expect(chat.by("server-address")).to_have_attribute("aria-invalid", "true")
        await chat.by("server-address").fill(f"{other.host}:{other.port}")
        await chat.by("server-address").press("Enter")
        await expect(chat.by("elsewhere")).to_contain_text(f"{other.host}:{other.port}")
        await chat.ready()
        assert chat.wire.urls[-1] == other.ws_url
        await chat.page.reload()
        await chat.ready()
        assert chat.wire.urls[-1] == other.ws_url
        await chat.by("elsewhere").get_by_role("link").click()
        await chat.until(lambda: chat.wire.urls[-1] == server.ws_url, "the page's own server")
        await chat.ready()
        await expect(chat.by("elsewhere")).to_have_count(0)


async def test_a_server_that_is_not_there(
    server: ServerProcess, new_page: NewPage, context: BrowserContext
) -> None:
    """The page says which address does not answer, tries again on request, and offers to change it."""
    page = await context.new_page()
    await page.goto(f"{server.url}/?ws=ws://127.0.0.1:9/client-ws")
    trouble = page.get_by_test_id("unreachable")
    await expect(trouble).to_contain_text("The server does not answer")
    await expect(trouble).to_contain_text("ws://127.0.0.1:9/client-ws")
    await trouble.get_by_role("button", name="Change the address").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Server")
    await page.close()


async def test_another_clients_page(tmp_path: Path, context: BrowserContext) -> None:
    """A client that starts with fixed addresses gets ours before its own code runs, and connects."""
    folder = tmp_path / "their page"
    folder.mkdir()
    (folder / "index.html").write_text(OTHER_CLIENT, encoding="utf-8")
    settings = {"agent": FAST, "server": {"page_dir": str(folder)}}
    async with ServerProcess(tmp_path, settings) as server:
        page = await context.new_page()
        await page.goto(f"http://localhost:{server.port}/")
        await page.wait_for_function("() => window.types.includes('new-history-created')")
        assert await page.evaluate("() => window.base") == f"http://localhost:{server.port}"
        # Whoever has set an address by hand keeps it.
        await page.evaluate(
            "address => localStorage.setItem('wsUrl', JSON.stringify(address))", server.ws_url
        )
        async with page.expect_websocket() as socket:
            await page.reload()
        assert (await socket.value).url == server.ws_url
        await page.close()
