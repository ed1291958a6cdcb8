"""A real server reads nothing outside its folders, fetches nothing for a client, and serves no file as a program."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.helpers.olv_client import OlvClient
from tests.helpers.pictures import PICTURE, data_url
from tests.helpers.server_process import FAST, ServerProcess
from websockets.asyncio.client import connect

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "the-content-of-a-file-outside"
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='ran'</script></svg>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """With links that lead out of every folder, and files that a browser would run."""
    folder = tmp_path_factory.mktemp("confined")
    outside = folder / "outside"
    outside.mkdir()
    persona = f"conf_name: Out\nconf_uid: out\nlanguage: en\npersona_prompt: {SECRET}\n"
    for name, text in {"x.yaml": persona, "x.png": SECRET, "x.json": SECRET, "x.svg": SVG}.items():
        (outside / name).write_text(text, encoding="utf-8")
    data = folder / "data"
    for name, suffix in (
        ("characters", "yaml"),
        ("backgrounds", "png"),
        ("avatars", "png"),
        ("live2d-models", "json"),
    ):
        (data / name).mkdir(parents=True)
        (data / name / f"link.{suffix}").symlink_to(outside / f"x.{suffix}")
        (data / name / "folder").symlink_to(outside)
    (data / "avatars" / "mine.svg").write_text(SVG, encoding="utf-8")
    (data / "backgrounds" / "mine.svg").write_text(SVG, encoding="utf-8")
    (data / "live2d-models" / "page.html").write_text("<script>1</script>", encoding="utf-8")
    (data / "live2d-models" / "mine.svg").write_text(SVG, encoding="utf-8")
    async with ServerProcess(folder, {"agent": FAST}) as running:
        yield running
        assert SECRET not in running.log_text()
        assert not running.complaints()


@pytest.mark.parametrize(
    "path",
    ["/bg/link.png", "/avatars/link.png", "/live2d-models/link.json", "/live2d-models/folder/x.json",
     "/bg/folder/x.png", "/avatars/folder/x.png", "/characters/link.yaml", "/live2d-models/folder/x.svg"],
)  # fmt: skip
async def test_links_lead_nowhere(server: ServerProcess, path: str) -> None:
    """Out of no folder that is served, neither by a file nor by a folder."""
    answer = await server.get(path)
    assert SECRET.encode() not in answer.body
    assert b"<svg" not in answer.body
    assert answer.status in (403, 404) or b"<html" in answer.body


async def test_a_name_that_no_file_can_have(server: ServerProcess) -> None:
    """Is none, and no error of the server's."""
    for folder in ("bg", "avatars", "live2d-models"):
        assert (await server.get(f"/{folder}/{'x' * 300}.png")).status == 404


async def test_the_test_page_takes_no_more_than_a_text(server: ServerProcess) -> None:
    """What is longer is not even decoded."""
    async with connect(server.ws_url.replace("/client-ws", "/tts-ws")) as socket:
        await socket.send('{"text":"x","more":[' + "[]," * 400_000 + "1]}")
        assert "is too long" in json.loads(await socket.recv())["message"]


async def test_links_are_in_no_list(server: ServerProcess) -> None:
    """Neither of characters nor of backgrounds."""
    async with OlvClient(server.ws_url) as page:
        messages = {message["type"]: message for message in await page.open()}
    assert "link.yaml" not in json.dumps(messages["config-files"])
    assert "link.png" not in messages["background-files"]["files"]


@pytest.mark.parametrize(
    "name",
    [
        "../outside/x.yaml",
        "link.yaml",
        "folder/x.yaml",
        "/etc/passwd",
        "..\\x.yaml",
        "x.yaml\0.yaml",
        "characters/white.yaml",
    ],
)
async def test_a_switch_to_a_path(server: ServerProcess, name: str) -> None:
    """Refused with the field; the character stays, and what tried to be a path is told in the log."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("switch-config", file=name)
        error = (await page.until("error"))[-1]
        assert (error["code"], error["field"]) == ("switch-failed", "file")
        assert SECRET not in json.dumps(error)
        assert (await page.ask("Hello")).text
    if name != "link.yaml":
        assert any(
            line.get("reason") == "path" and line.get("field") == "file" and line.get("name") == name[:60]
            for line in server.log()
        )


@pytest.mark.parametrize("name", ["../histories.sqlite3", "/etc/passwd", "..\\..\\x", "a/../../b"])
async def test_a_history_by_a_path(server: ServerProcess, name: str) -> None:
    """There is no such conversation; told in the log."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("fetch-and-set-history", history_uid=name)
        assert (await page.until("history-data"))[-1]["messages"] == []
        await page.send("delete-history", history_uid=name)
        assert (await page.until("history-deleted"))[-1]["success"] is False
    assert any(line.get("reason") == "path" and line.get("name") == name for line in server.log())


async def test_no_address_of_a_client_is_fetched(server: ServerProcess) -> None:
    """A trap on this machine hears nothing, whichever field carries its address; refused with a line in the log."""
    heard: list[str] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(repr(await reader.read(1000)))
        writer.close()

    listener = await asyncio.start_server(trap, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}/x.png"
    async with listener, OlvClient(server.ws_url) as page:
        await page.open()
        images = [
            PICTURE | {"data": data} for data in (address, f"//127.0.0.1:{port}/x", "file:///etc/passwd")
        ]
        for kind in ("text-input", "mic-audio-end", "ai-speak-signal"):
            await page.send(kind, text=f"Look at {address} ![x]({address})", images=images)
            await page.until("control", text="conversation-chain-end")
        await page.send("switch-config", file=address)
        await page.until("error")
        await page.send(
            "text-input", text="x", images=[PICTURE | {"data": data_url(SVG.encode(), "image/svg+xml")}]
        )
        assert (await page.until("error"))[-1]["code"] == "bad-image"
        await page.round_trip()
        for path in (
            f"/bg/{address}",
            f"/live2d-models/{address}",
            f"//127.0.0.1:{port}/x",
            f"/login?next={address}",
        ):
            await server.get(path)
        await asyncio.sleep(0.2)
    assert heard == []
    assert len([line for line in server.log() if line.get("reason") == "image address"]) >= 6


@pytest.mark.parametrize(
    "path",
    ["/avatars/mine.svg", "/bg/mine.svg", "/avatars/white.svg", "/live2d-models/page.html", "/live2d-models/mine.svg",
     "/avatars/nothing.svg", "/health/live", "/cache/x.wav", "/live2d-models/info", "/ops/state"],
)  # fmt: skip
async def test_nothing_but_the_page_is_run(server: ServerProcess, path: str) -> None:
    """Opened by itself, a file of somebody's runs nothing: sandboxed, and of no other type than it says."""
    answer = await server.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/", "/ops", "/index.html", "/some/deep/link", "/assets/x.js", "/login", "/metrics", "/bg/x"]
)
async def test_every_answer_has_its_headers(server: ServerProcess, path: str) -> None:
    """Framed by nobody else, sniffed by nobody, and no address told to other sites."""
    headers = (await server.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "microphone=(self)" in headers["permissions-policy"]
    assert "frame-ancestors" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    if path in ("/", "/ops"):
        assert "unsafe" not in headers["content-security-policy"]


async def test_a_full_quota_ends_keeping_not_talking(tmp_path: Path) -> None:
    """The visitor is told once that it is not kept, and answered all the same; the file keeps its size."""
    settings = {"agent": FAST, "history": {"max_mb": 1}}
    async with ServerProcess(tmp_path, settings) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            told: list[str] = []
            for _ in range(30):
                reply = await page.ask("x" * 60_000)
                assert reply.text
                told += [m["message"] for m in reply.messages if m["type"] == "error"]
            assert told
            assert "free disk space or raise the quota (history.max_mb)" in told[0]
    assert (tmp_path / "data" / "histories.sqlite3").stat().st_size <= 1024 * 1024
