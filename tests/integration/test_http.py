"""The HTTP side of a real server: health, the page, pictures, models, and paths that try to get out."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ServerProcess


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with a user's own pictures, a model, and a page built by somebody else."""
    folder = tmp_path_factory.mktemp("http")
    page = folder / "page"
    for name, text in {
        "index.html": "<html><head><title>A page</title></head></html>",
        "assets/index-1.js": "export const one = 1\n",
        "libs/vad.wasm": "wasm",
        "libs/vad.mjs": "export {}\n",
    }.items():
        (page / name).parent.mkdir(parents=True, exist_ok=True)
        (page / name).write_text(text, encoding="utf-8")
    data = folder / "data"
    for name in ("avatars/me.png", "avatars/notes.txt", "backgrounds/mine.jpeg", "live2d-models/mao/mao.model3.json",
                 "live2d-models/mao/mao.png", "secret.txt"):  # fmt: skip
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(b"content of " + name.encode())
    (data / "avatars" / "link.png").symlink_to(data / "secret.txt")
    settings = {"agent": FAST, "server": {"page_dir": str(page)}}
    async with ServerProcess(folder, settings) as running:
        yield running
        assert not running.complaints()


async def test_health(server: ServerProcess) -> None:
    """Alive and ready, with the number of clients."""
    assert (await server.get("/health/live")).json["status"] == "alive"
    ready = await server.get("/health/ready")
    assert ready.status == 200
    async with OlvClient(server.ws_url) as page:
        await page.open()
        assert (await server.get("/health/ready")).json["clients"] == ready.json["clients"] + 1


async def test_not_ready_while_the_first_agent_loads(tmp_path: Path) -> None:
    """The doors open after two seconds at the latest; until the agent is there, `ready` is 503 with the reason."""
    agent = {"kind": "builtin", "builtin": {"init_seconds": 3.5}}
    async with ServerProcess(tmp_path, {"agent": agent}) as server:
        answer = await server.get("/health/ready")
        assert answer.status == 503
        assert "White" in answer.json["reason"]
        assert (await server.get("/health/live")).status == 200


async def test_metrics(server: ServerProcess) -> None:
    """The metrics are in Prometheus' text format and count turns."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.ask("Hello")
    answer = await server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert re.search(rb'^greenroom_turns_total\{how="finished"\} [1-9]', answer.body, re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/some/deep/link", "text/html"),
        ("/assets/index-1.js", "application/javascript"),
        ("/libs/vad.mjs", "application/javascript"),
        ("/libs/vad.wasm", "application/wasm"),
        ("/avatars/white.svg", "image/svg+xml"),
        ("/avatars/me.png", "image/png"),
        ("/bg/ceiling-window-room-night.jpeg", "image/jpeg"),
        ("/bg/mine.jpeg", "image/jpeg"),
        ("/live2d-models/mao/mao.model3.json", "application/json"),
        ("/live2d-models/info", "application/json"),
    ],
)
async def test_files_that_are_there(server: ServerProcess, path: str, kind: str) -> None:
    """Every static path answers with the right type and lets pages of any origin read it."""
    answer = await server.get(path, Origin="http://elsewhere.example")
    assert answer.status == 200
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/avatars/nobody.png", 404),
        ("/avatars/notes.txt", 403),
        ("/avatars/", 403),
        ("/bg/nothing.jpeg", 404),
        ("/bg/histories.sqlite3", 403),
        ("/cache/x.wav", 404),
        ("/assets/missing.js", 404),
        ("/live2d-models/nobody/x.model3.json", 404),
    ],
)
async def test_files_that_are_not(server: ServerProcess, path: str, status: int) -> None:
    """Missing files are 404, types that do not belong are 403; both readable by any origin where it matters."""
    answer = await server.get(path)
    assert answer.status == status
    assert b"<html" not in answer.body


PREFIXES = (
    "/",
    "/avatars/",
    "/bg/",
    "/live2d-models/",
    "/live2d-models/mao/",
    "/assets/",
    "/cache/",
    "/web-tool/",
)
ESCAPES = (
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "..%5csecret.txt",
    "....//secret.txt",
    "..;/secret.txt",
    "%252e%252e%252fsecret.txt",
    "./../../secret.txt",
    "../histories.sqlite3",
    "../secret.txt%00.png",
    "../secret.txt?x=.png",
    "..%2fsecret.txt#.png",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "../../../../../../../../etc/passwd",
    "link.png",
    "..%c0%afsecret.txt",
    "\\..\\secret.txt",
)


async def test_no_path_leads_out(server: ServerProcess) -> None:
    """Nothing that climbs, doubles its encoding, is absolute, or is a link reaches a file outside of the folders."""
    for prefix in PREFIXES:
        for escape in ESCAPES:
            answer = await server.get(prefix + escape)
            assert b"content of secret.txt" not in answer.body, prefix + escape
            assert b"root:" not in answer.body, prefix + escape
            assert b"SQLite format" not in answer.body, prefix + escape
            assert answer.status in (200, 400, 403, 404, 405), (prefix + escape, answer.status)
            if answer.status == 200:
                assert b"<title>A page" in answer.body, prefix + escape
    assert (await server.get("/health/live")).status == 200


async def test_a_foreign_page_is_told_where_the_server_is(server: ServerProcess) -> None:
    """Somebody else's build gets the addresses before its own scripts run."""
    body = (await server.get("/")).body.decode()
    assert body.index("wsUrl") < body.index("<title>")


async def test_the_page_is_compressed_and_remembered(server: ServerProcess) -> None:
    """A second look costs no body; a build's hashed files may be kept for ever."""
    first = await server.get("/assets/index-1.js")
    assert "immutable" in first.headers["cache-control"]
    again = await server.get("/assets/index-1.js", If_None_Match=first.headers["etag"])
    assert again.status == 304
    assert not again.body


async def test_models(server: ServerProcess) -> None:
    """The list of Live2D models is what OLV's tools expect."""
    found = (await server.get("/live2d-models/info")).json
    assert found == {
        "type": "live2d-models/info",
        "count": 1,
        "characters": [
            {
                "name": "mao",
                "avatar": "/live2d-models/mao/mao.png",
                "model_path": "/live2d-models/mao/mao.model3.json",
            }
        ],
    }


async def test_odd_requests(server: ServerProcess) -> None:
    """Redirects, wrong methods and broken HTTP get an answer, and the server stays."""
    assert (await server.get("/web-tool")).headers["location"] == "/web-tool/index.html"
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"NONSENSE\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()
    assert (await server.get("/client-ws")).status in (200, 400, 404, 426)
    assert (await server.get("/health/live")).status == 200


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs another address of this machine")
async def test_the_ops_pages_are_for_this_machine(tmp_path: Path) -> None:
    """Statistics and tasks are refused to other machines; health is not."""
    async with ServerProcess(
        tmp_path, {"agent": FAST}, args=("--host", "0.0.0.0", "--insecure-open")
    ) as server:
        assert (await server.get("/ops/statistics.json")).status == 200
        assert server.url.startswith("http://127.0.0.1:")
