"""Behind nginx and Caddy, as the examples set them up: page, socket, rooms, log-in, and who a visitor really is."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.helpers.server_process import FAST, ServerProcess
from tests.integration.proxies.front import Front, caddy, nginx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "visitors-token-0123456789"
OPS_TOKEN = "operators-token-9876543210"
FRONTS: dict[str, Callable[..., AbstractAsyncContextManager[Front]]] = {"nginx": nginx, "caddy": caddy}
Pair = tuple[ServerProcess, Front]


def settings(**security: Any) -> dict[str, Any]:
    section = {"trusted_proxies": ["127.0.0.1"], "token": TOKEN, "ops_token": OPS_TOKEN, **security}
    return {"agent": FAST, "limits": {"max_connections_per_address": 2}, "security": section}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(FRONTS))
async def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """A server, and a proxy before it."""
    folder = tmp_path_factory.mktemp("behind")
    (folder / "proxy").mkdir()
    async with ServerProcess(folder, settings()) as server:
        async with FRONTS[request.param](folder / "proxy", server) as front:
            yield server, front
            assert not server.complaints()
            for text in (server.log_text(), front.log_text()):
                assert TOKEN not in text
                assert OPS_TOKEN not in text
            assert "/client-ws" in front.log_text()


async def dial(front: Front, target: str, source: str = "127.0.0.1", **options: Any) -> ClientConnection:
    """A WebSocket through the proxy, from one of this machine's addresses."""
    plain = socket.socket()
    plain.bind((source, 0))
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", front.port))
    url = f"wss://localhost:{front.port}{target}"
    return await connect(url, sock=plain, ssl=front.context, ping_interval=None, **options)


async def until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (message := json.loads(await socket.recv()))["type"] != kind:
            pass
    return message


async def test_the_page_after_logging_in(pair: Pair) -> None:
    """Led to the log-in, in, and the page with its script; the cookie is Secure since the visitor's side is."""
    _, front = pair
    async with httpx.AsyncClient(
        base_url=front.origin, verify=front.context, follow_redirects=True, headers={"Accept": "text/html"}
    ) as web:
        page = await web.get("/")
        assert page.url.path == "/login"
        done = await web.post("/login", data={"token": TOKEN, "next": ""}, headers={"Origin": front.origin})
        assert (done.status_code, done.url.path) == (200, "/")
        cookie = done.history[0].headers["set-cookie"]
        assert "Secure" in cookie
        assert (await web.get("/bg/ceiling-window-room-night.jpeg")).status_code == 200
    options = {"origin": front.origin, "additional_headers": {"Cookie": cookie.partition(";")[0]}}
    async with await dial(front, "/client-ws", **options) as page_socket:
        await until(page_socket, "set-model-and-conf")
        await page_socket.send(json.dumps({"type": "text-input", "text": "Hello", "images": []}))
        assert (await until(page_socket, "audio"))["display_text"]["text"]


async def test_without_a_token_nobody_comes_in(pair: Pair) -> None:
    """Although the connection comes from this machine."""
    _, front = pair
    async with httpx.AsyncClient(base_url=front.origin, verify=front.context) as web:
        for path in ("/", "/metrics", "/ops/statistics.json"):
            assert (await web.get(path)).status_code == 401
        forged = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
        assert (await web.get("/ops/statistics.json", headers=forged)).status_code == 401
        answer = await web.get("/ops/statistics.json", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 403
        answer = await web.get("/ops/statistics.json", headers={"Authorization": f"Bearer {OPS_TOKEN}"})
        assert answer.status_code == 200
    with pytest.raises(InvalidStatus) as refused:
        await dial(front, "/client-ws")
    assert refused.value.response.status_code == 401


async def test_a_foreign_page_is_refused_behind_it_too(pair: Pair) -> None:
    """The page's origin is compared with the name that the visitor's browser used."""
    _, front = pair
    with pytest.raises(InvalidStatus) as refused:
        await dial(front, f"/client-ws?token={TOKEN}", origin="https://evil.example")
    assert refused.value.response.status_code == 403


async def test_rooms(pair: Pair) -> None:
    """Bots and viewers come in with the token in the address."""
    _, front = pair
    async with await dial(front, f"/proxy-ws?room=hall&token={TOKEN}") as viewer:
        await until(viewer, "set-model-and-conf")
        await viewer.send(json.dumps({"type": "text-input", "text": "Hello", "name": "Ann"}))
        assert (await until(viewer, "audio"))["display_text"]["text"]


async def test_the_limit_per_address_is_the_visitors(pair: Pair) -> None:
    """Two from one address, the third is refused; another address is not, and no invented one helps."""
    server, front = pair
    target = f"/client-ws?token={TOKEN}"
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(await dial(front, target, "127.0.0.2"))
        forged = {"X-Forwarded-For": "203.0.113.9"}
        for headers in ({}, forged):
            async with await dial(front, target, "127.0.0.2", additional_headers=headers) as third:
                await third.wait_closed()
                assert third.close_code == 1008
        async with await dial(front, target, "127.0.0.3") as other:
            await until(other, "set-model-and-conf")
    assert any(
        line.get("event") == "connection refused" and line.get("address") == "127.0.0.2"
        for line in server.log()
    )


async def test_a_stream_is_not_held_back(pair: Pair) -> None:
    """The ops page's events come one by one."""
    _, front = pair
    async with httpx.AsyncClient(base_url=front.origin, verify=front.context) as web:
        headers = {"Authorization": f"Bearer {OPS_TOKEN}"}
        async with asyncio.timeout(10), web.stream("GET", "/ops/events", headers=headers) as stream:
            seen: list[str] = []
            async for line in stream.aiter_lines():
                seen += [line] if line.startswith("event:") else []
                if len(seen) >= 3:
                    break
    assert seen[0].split() == ["event:", "state"]


async def test_under_a_path_of_the_proxys(tmp_path: Path) -> None:
    """Every address is relative: led to the log-in, in, and the socket, all under the prefix."""
    (tmp_path / "proxy").mkdir()
    async with ServerProcess(tmp_path, settings()) as server:
        async with nginx(tmp_path / "proxy", server, path="/chat/") as front:
            html = {"Accept": "text/html", "Origin": front.origin}
            async with httpx.AsyncClient(
                base_url=front.origin, verify=front.context, follow_redirects=True, headers=html
            ) as web:
                page = await web.get("/chat/some/page")
                assert page.url.path == "/chat/login"
                done = await web.post("/chat/login", data={"token": TOKEN, "next": "some/page"})
                assert (done.status_code, done.url.path) == (200, "/chat/some/page")
                assert (await web.get("/chat/ops")).url.path == "/chat/login"
            async with await dial(front, f"/chat/client-ws?token={TOKEN}") as page_socket:
                await until(page_socket, "set-model-and-conf")


async def test_a_proxy_nobody_named_is_found_out(tmp_path: Path) -> None:
    """Before a server without a token, as `make serve` starts it: its visitors do not pass for this machine."""
    (tmp_path / "proxy").mkdir()
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        async with nginx(tmp_path / "proxy", server) as front:
            async with httpx.AsyncClient(base_url=front.origin, verify=front.context) as web:
                for path in ("/", "/ops/statistics.json", "/metrics"):
                    answer = await web.get(path)
                    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forwarded")
        assert any("trusted_proxies" in str(line.get("fix")) for line in server.log())
