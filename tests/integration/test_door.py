"""Who gets into a real server: origins, hosts, tokens, log-ins. Each refusal has its line in the log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ServerProcess
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "visitors-token-0123456789"
OPS_TOKEN = "operators-token-9876543210"
BOT_TOKEN = "bot-token-abcdefghijklmnop"
WRONG = "not-the-right-token-at-all"
HTML = {"Accept": "text/html"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server that others can reach, with tokens for visitors, a bot and its owner."""
    bot = {"name": "bot", "token": BOT_TOKEN, "max_connections": 1, "messages_per_second": 20}
    settings = {
        "agent": FAST,
        "security": {"ops_token": OPS_TOKEN, "tokens": [bot], "wrong_tokens_per_minute": 1000},
    }
    environ = {"GREENROOM_SECURITY__TOKEN": TOKEN}
    folder = tmp_path_factory.mktemp("guarded")
    async with ServerProcess(folder, settings, args=("--host", "0.0.0.0"), environ=environ) as running:
        yield running
        assert not running.complaints()
        for secret in (TOKEN, OPS_TOKEN, BOT_TOKEN, WRONG):
            assert secret not in running.log_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server as `make serve` starts it: loopback, no token."""
    async with ServerProcess(tmp_path_factory.mktemp("local"), {"agent": FAST}) as running:
        yield running
        assert not running.complaints()


async def refused(url: str, **options: Any) -> tuple[int, str]:
    """How a WebSocket is refused: HTTP status and body, or close code and reason."""
    try:
        async with connect(url, ping_interval=None, **options) as socket:
            await socket.wait_closed()
            return socket.close_code or 0, socket.close_reason or ""
    except InvalidStatus as refusal:
        return refusal.response.status_code, (refusal.response.body or b"").decode()


def told(server: ServerProcess, reason: str) -> list[dict[str, Any]]:
    return [line for line in server.log() if line.get("event") == "refused" and line.get("reason") == reason]


async def metric(server: ServerProcess, name: str, **headers: str) -> float:
    lines = (await server.get("/metrics", **headers)).body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " ")), 0.0)


async def greeted(socket: ClientConnection) -> bool:
    return json.loads(await socket.recv())["type"] == "group-update"


# -- without a token, on loopback


@pytest.mark.parametrize("path", ["/client-ws", "/proxy-ws", "/tts-ws"])
async def test_a_foreign_page_gets_no_socket(local: ServerProcess, path: str) -> None:
    """Refused in the handshake, before anything is accepted; the log names the origin, the metric the reason."""
    before = await metric(local, 'greenroom_refused_total{what="origin"}')
    base = f"ws://{local.host}:{local.port}{path}"
    for origin in ("https://evil.example", "null", "file://"):
        status, body = await refused(base, origin=origin)
        assert status == 403
        assert json.loads(body)["error"]["code"] == "origin"
    assert told(local, "origin")[-3]["origin"] == "https://evil.example"
    assert told(local, "origin")[-1]["path"] == path
    assert await metric(local, 'greenroom_refused_total{what="origin"}') == before + 3


async def test_a_rebound_name_gets_nothing(local: ServerProcess) -> None:
    """A page whose own name points at this machine is refused, by socket and by HTTP."""
    host = f"evil.example:{local.port}"
    options = {"host": local.host, "port": local.port, "origin": f"http://{host}"}
    status, body = await refused(f"ws://{host}/client-ws", **options)
    assert (status, json.loads(body)["error"]["code"]) == (403, "host")
    async with httpx.AsyncClient(base_url=local.url) as web:
        for path in ("/", "/ops/statistics.json", "/metrics"):
            answer = await web.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host")
    assert told(local, "host")[-1]["host"] == host


async def test_a_visitor_through_an_unnamed_proxy_is_refused(local: ServerProcess) -> None:
    """It would pass everybody on as this machine."""
    status, body = await refused(local.ws_url, additional_headers={"X-Forwarded-For": "203.0.113.9"})
    assert (status, json.loads(body)["error"]["code"]) == (403, "forwarded")
    assert "trusted_proxies" in told(local, "forwarded")[-1]["fix"]
    assert (await local.get("/ops/statistics.json", X_Forwarded_For="127.0.0.1")).status == 403


async def test_this_machine_comes_in_without_a_token(local: ServerProcess) -> None:
    """Bots without an origin, our page under each of its names, and pages of a development server."""
    names = ("127.0.0.1", "localhost")
    for origin in (None, *(f"http://{name}:{local.port}" for name in names), "http://localhost:5173"):
        async with connect(local.ws_url, origin=origin) as socket:
            assert await greeted(socket)
    assert (await local.get("/login", Accept="text/html")).headers["location"] == "./"


async def test_paths_that_lead_out_are_told_in_the_log(local: ServerProcess) -> None:
    """Refused by the door with a reason, whatever stands behind it."""
    for path in (
        "/bg/../../etc/passwd",
        "/avatars/..%2f..%2fx.png",
        "/live2d-models/%2e%2e/x",
        "/bg/..%5cx.png",
    ):
        assert (await local.get(path)).status == 400
    assert {line["path"] for line in told(local, "path")} >= {"/bg/../../etc/passwd", "/avatars/../../x.png"}


# -- with tokens


async def test_without_a_token_nothing_is_served(guarded: ServerProcess) -> None:
    """Programs get 401 and how to ask; health is told, its details are not."""
    for path in ("/", "/assets/x.js", "/bg/ceiling-window-room-night.jpeg", "/ops/state", "/metrics", "/asr"):
        answer = await guarded.get(path)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json["error"]["code"] == "no-token"
    assert (await guarded.get("/health/ready")).json == {"status": "ready"}
    assert (await guarded.get("/health/live")).json == {"status": "alive"}


async def test_bots_are_told_in_the_handshake_and_pages_by_a_close_code(guarded: ServerProcess) -> None:
    """A browser shows a page neither status nor body of a handshake that failed."""
    own = f"http://127.0.0.1:{guarded.port}"
    for query, code in (("", "no-token"), (f"?token={WRONG}", "wrong-token")):
        status, body = await refused(guarded.ws_url + query)
        assert (status, json.loads(body)["error"]["code"]) == (401, code)
        status, reason = await refused(guarded.ws_url + query, origin=own)
        assert status == 4401
        assert reason.startswith(f"{code}: ")
        assert told(guarded, code)
    assert (await refused(guarded.ws_url + f"?token={TOKEN}", origin="https://evil.example"))[0] == 403


async def test_a_token_in_the_header_or_the_address_opens(guarded: ServerProcess) -> None:
    """For pages of the protocol, bots and rooms; neither the room nor anything else sees it."""
    async with OlvClient(f"{guarded.ws_url}?token={TOKEN}") as page:
        await page.open()
        assert (await page.ask("Hello")).text
    async with connect(guarded.ws_url, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as socket:
        assert await greeted(socket)
    room = f"ws://127.0.0.1:{guarded.port}/proxy-ws"
    async with OlvClient(f"{room}?token={TOKEN}&room=hall") as viewer:
        await viewer.receive()
        rooms = (await guarded.get("/ops/statistics.json", Authorization=f"Bearer {OPS_TOKEN}")).json["rooms"]
        assert [one["name"] for one in rooms] == ["hall"]
    assert (await guarded.get("/", Authorization=f"Bearer {TOKEN}")).status == 200


async def test_the_inside_asks_for_the_ops_token(guarded: ServerProcess) -> None:
    """The visitors' is refused with 403, the ops token opens it."""
    for path in ("/ops/statistics.json", "/ops/tasks.json", "/metrics"):
        answer = await guarded.get(path, Authorization=f"Bearer {TOKEN}")
        assert (answer.status, answer.json["error"]["code"]) == (403, "ops")
        assert (await guarded.get(path, Authorization=f"Bearer {OPS_TOKEN}")).status == 200
        assert (await guarded.get(f"{path}?token={OPS_TOKEN}")).status == 200
    assert told(guarded, "ops")
    assert "clients" in (await guarded.get("/health/ready", Authorization=f"Bearer {OPS_TOKEN}")).json


async def test_logging_in_without_javascript(guarded: ServerProcess) -> None:
    """Led to the page, wrong once, right, back where one wanted to go; logging out ends it."""
    async with httpx.AsyncClient(base_url=guarded.url, headers=HTML, follow_redirects=True) as web:
        page = await web.get("/some/place?x=1")
        assert (page.status_code, page.url.path) == (200, "/login")
        assert 'value="some/place?x=1"' in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        wrong = await web.post("/login", data={"token": WRONG, "next": "some/place?x=1"})
        assert wrong.status_code == 401
        assert "not a token of this server" in wrong.text
        assert WRONG not in wrong.text
        right = await web.post("/login", data={"token": TOKEN, "next": "some/place?x=1"})
        assert (right.status_code, right.url.path, right.url.query) == (200, "/some/place", b"x=1")
        cookie = right.history[0].headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        session = {"Cookie": cookie.partition(";")[0], "Origin": f"http://127.0.0.1:{guarded.port}"}
        async with connect(guarded.ws_url, additional_headers=session) as socket:
            assert await greeted(socket)
        assert (await web.get("/ops", follow_redirects=False)).headers[
            "location"
        ] == "./login?next=ops&why=ops"
        assert (await web.post("/logout")).url.path == "/login"
        web.cookies.clear()
        status, _ = await refused(guarded.ws_url, additional_headers=session)
        assert status == 4401


async def test_logging_out_closes_what_is_open(guarded: ServerProcess) -> None:
    """Pages, rooms and the events of the ops page, with the reason; those of another log-in stay."""
    here = {"Origin": f"http://127.0.0.1:{guarded.port}"}
    own = httpx.AsyncClient(base_url=guarded.url, headers={"Accept": "application/json"})
    another = httpx.AsyncClient(base_url=guarded.url, headers={"Accept": "application/json"})
    async with own as web, another as other, AsyncExitStack() as stack:
        for client in (web, other):
            assert (await client.post("/login", data={"token": OPS_TOKEN})).status_code == 200
        mine, theirs = ({"Cookie": f"{n}={v}"} | here for c in (web, other) for n, v in c.cookies.items())
        room = guarded.ws_url.replace("client-ws", "proxy-ws")
        page, viewer, stays = [
            await stack.enter_async_context(connect(url, additional_headers=session))
            for url, session in ((guarded.ws_url, mine), (room, mine), (guarded.ws_url, theirs))
        ]
        events = await stack.enter_async_context(web.stream("GET", "/ops/events"))
        assert events.status_code == 200
        assert (await web.post("/logout")).status_code == 200
        async with asyncio.timeout(5):
            for socket in (page, viewer):
                await socket.wait_closed()
                assert socket.close_code == 1008
                assert (socket.close_reason or "").startswith("logged out")
            with contextlib.suppress(httpx.HTTPError):
                async for _ in events.aiter_bytes():
                    pass
        assert await greeted(stays)
        pong = await stays.ping()
        await asyncio.wait_for(pong, 5)


async def test_logging_in_by_a_program(guarded: ServerProcess) -> None:
    """The page may have a form of its own: JSON instead of pages."""
    async with httpx.AsyncClient(base_url=guarded.url, headers={"Accept": "application/json"}) as web:
        wrong = await web.post("/login", data={"token": WRONG})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong-token")
        assert (await web.post("/login", data={"token": TOKEN})).json() == {"ok": True}
        assert (await web.get("/")).status_code == 200
        assert (await web.post("/login", content=b"x" * 100_000)).status_code == 400
        assert (await web.post("/login", data={})).status_code == 401


async def test_a_token_in_a_pages_address_logs_in_and_goes(guarded: ServerProcess) -> None:
    """It leads on to the address without it, so that it is not kept in the browser's history."""
    async with httpx.AsyncClient(base_url=guarded.url, headers=HTML) as web:
        answer = await web.get(f"/?lang=zh&token={TOKEN}")
        assert answer.status_code == 200
        assert TOKEN not in answer.text
        assert "url=./?lang=zh" in answer.text
        assert (await web.get("/?lang=zh")).status_code == 200


async def test_a_step_from_another_site_is_taken_again_as_our_own(guarded: ServerProcess) -> None:
    """A link elsewhere leads here without the cookie; the page that answers goes on by itself, with it."""
    answer = await guarded.get("/ops?a=1", Accept="text/html", Sec_Fetch_Site="cross-site")
    assert answer.status == 200
    assert b"url=ops?a=1" in answer.body
    again = await guarded.get("/ops?a=1", Accept="text/html", Sec_Fetch_Site="same-origin")
    assert (again.status, again.headers["location"]) == (303, f"./login?next={quote('ops?a=1', safe='')}")


async def test_a_new_connection_does_not_renew_a_tokens_rate(guarded: ServerProcess) -> None:
    """Twenty a second and forty at once, however often it connects."""
    began = monotonic()
    for _ in range(4):
        async with OlvClient(f"{guarded.ws_url}?token={BOT_TOKEN}") as bot:
            await bot.open()
            for _ in range(15):
                await bot.round_trip()
    assert monotonic() - began > 0.8


async def test_a_named_token_has_limits_of_its_own(guarded: ServerProcess) -> None:
    """A second connection with it is refused; its messages beyond the rate wait; others' do not. Logs name it."""
    ops = {"Authorization": f"Bearer {OPS_TOKEN}"}
    url = f"{guarded.ws_url}?token={BOT_TOKEN}"
    async with OlvClient(url) as bot, OlvClient(f"{guarded.ws_url}?token={TOKEN}") as page:
        await bot.open()
        await page.open()
        assert await refused(url) == (1008, "1 connections are the limit of this token")
        assert await metric(guarded, 'greenroom_token_connections{token="bot"}', **ops) == 1
        for _ in range(50):
            await bot.send("heartbeat")
        assert await page.round_trip() < 0.5
        for _ in range(50):
            await bot.receive()
    assert await metric(guarded, 'greenroom_refused_total{what="token rate"}', **ops) > 0
    assert await metric(guarded, 'greenroom_token_messages_total{token="bot"}', **ops) >= 54
    assert any(line.get("token_name") == "bot" for line in guarded.log())
    async with OlvClient(url) as bot:
        await bot.open()


# -- starting


def start(tmp_path: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    server = ServerProcess(tmp_path, {"agent": FAST}, args=args, environ=environ)
    return subprocess.run(
        server.command(),
        capture_output=True,
        text=True,
        timeout=20,
        env=server.environ,
        cwd=tmp_path,
        check=False,
    )


def make_token(file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "greenroom", "token", "--write", str(file)]
    environ = ServerProcess(folder).environ
    return subprocess.run(command, env=environ, check=False, capture_output=True, text=True)


async def test_it_refuses_to_start_open(tmp_path: Path) -> None:
    """With the exit code of a wrong configuration, and words for every way out."""
    for args in (("--host", "0.0.0.0"), ("--host", "::")):
        done = start(tmp_path, *args)
        assert done.returncode == 2
        assert "greenroom token --write" in done.stderr
        assert "--insecure-open" in done.stderr
    done = start(tmp_path, GREENROOM_SECURITY__TRUSTED_PROXIES="127.0.0.1")
    assert done.returncode == 2
    assert "proxy" in done.stderr


async def test_a_made_token_file_is_all_it_takes(tmp_path: Path) -> None:
    """The commands of the refusal, as they are written there."""
    file = tmp_path / "token"
    assert make_token(file, tmp_path).returncode == 0
    again = make_token(file, tmp_path)
    assert again.returncode == 2
    assert "File exists" in again.stderr
    args = ("--host", "0.0.0.0", "--token-file", str(file))
    async with ServerProcess(tmp_path, {"agent": FAST}, args=args) as server:
        assert (await server.get("/")).status == 401
        token = file.read_text().strip()
        assert (await server.get("/", Authorization=f"Bearer {token}")).status == 200
        assert token not in server.log_text()


async def test_wrong_tokens_are_slowed_down(tmp_path: Path) -> None:
    """After the allowed number the address is not listened to, by any way, and told for how long."""
    security = {"token": TOKEN, "wrong_tokens_per_minute": 3}
    async with ServerProcess(tmp_path, {"agent": FAST, "security": security}) as server:
        for guess in (1, 1, 1, 1, 2, 3):
            assert (await server.get("/", Authorization=f"Bearer {WRONG}{guess}")).status == 401
        answer = await server.get("/", Authorization=f"Bearer {TOKEN}")
        assert answer.status == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert (await refused(f"{server.ws_url}?token={TOKEN}"))[0] == 429
        own = f"http://127.0.0.1:{server.port}"
        assert (await refused(f"{server.ws_url}?token={TOKEN}", origin=own))[0] == 4429
        async with httpx.AsyncClient(base_url=server.url, headers=HTML) as web:
            page = await web.post("/login", data={"token": TOKEN})
            assert page.status_code == 429
            assert "Wait" in page.text
