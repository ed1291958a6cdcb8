"""The process: how it starts, what it refuses, how it stops, and that nothing stored is ever lost."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ServerProcess, slow
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from greenroom.history import HistoryStore

PAGES = 200


async def run_greenroom(*args: str, seconds: float = 20) -> tuple[int, str]:
    """Run the command to its end; gives its exit code and all it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "greenroom", *args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(seconds):
        printed, _ = await process.communicate()
    assert process.returncode is not None
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode())
    return process.returncode, text


# -- starting ---------------------------------------------------------------------------------------------------


async def test_a_port_in_use(tmp_path: Path) -> None:
    """Exit code 2, and one line that names the setting and the way out; no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, text = await run_greenroom(
            "serve", "--port", str(port), "--data-dir", str(tmp_path), "--agent", "builtin"
        )
    assert code == 2
    assert f"server.port: {port} is in use" in text
    assert "--port" in text
    assert "Traceback" not in text


async def test_a_wrong_setting(tmp_path: Path) -> None:
    """Exit code 2; file, line, field and fix of every mistake, in `serve` and in `check`."""
    config = tmp_path / "greenroom.yaml"
    config.write_text("server:\n  prot: 80\nlimits:\n  turn_seconds: soon\n", encoding="utf-8")
    places = ("--config", str(config), "--data-dir", str(tmp_path / "data"))
    for command, expected in (("serve", 2), ("check", 1)):
        code, text = await run_greenroom(command, *places)
        flat = " ".join(text.split())
        assert code == expected, text
        assert "greenroom.yaml:2" in flat
        assert "server.prot" in flat
        assert "port" in flat
        assert "greenroom.yaml:4" in flat
        assert "limits.turn_seconds" in flat
        assert "Traceback" not in text


async def test_a_wrong_character_is_named_by_check(tmp_path: Path) -> None:
    """`greenroom check` names the file and the field; the server starts without that character."""
    good: dict[str, Any] = {"persona_prompt": "You are nice."}
    bad: dict[str, Any] = {"persona_promt": "You are nice.", "persona_prompt": ""}
    server = ServerProcess(tmp_path, {"agent": FAST}, characters={"good.yaml": good, "bad.yaml": bad})
    async with server, OlvClient(server.ws_url) as page:
        names = [c["filename"] for c in (await page.open())[6]["configs"]]
        assert "good.yaml" in names
        assert "bad.yaml" not in names
    code, text = await run_greenroom("check", "--data-dir", str(server.data_dir))
    assert code == 1
    assert "bad.yaml" in text
    assert "persona_prompt" in text
    code, text = await run_greenroom("check", "--data-dir", str(tmp_path / "empty"))
    assert code == 0, text


# -- stopping ---------------------------------------------------------------------------------------------------


async def last_words(page: OlvClient) -> int | None:
    """Read until the server closes; its close code."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            await page.receive(8)
    return caught.value.rcvd.code if caught.value.rcvd else None


async def test_a_signal_ends_two_hundred_talks(tmp_path: Path) -> None:
    """SIGTERM with 200 pages in mid-reply: all told with 1012, exit 0 within 6 s, every line stored."""
    server = ServerProcess(tmp_path, {"agent": slow(words=2000, tokens_per_second=20)})
    async with server:
        pages = [OlvClient(server.ws_url, patience=30) for _ in range(PAGES)]
        for page in pages:
            await page.__aenter__()
            await page.open()
            await page.send("text-input", text=f"I am {page.history_uid}", images=[])
        said = [(await page.until("audio"))[-1]["display_text"]["text"] for page in pages]
        began = monotonic()
        server.signal(signal.SIGTERM)
        codes = await asyncio.gather(*(last_words(page) for page in pages))
        code = await server.exited(7)
        taken = monotonic() - began
        for page in pages:
            await page.__aexit__()
    assert code == 0
    assert taken < 6
    assert codes == [1012] * PAGES
    stored = await HistoryStore.open(server.data_dir / "histories.sqlite3")
    try:
        for page, first in zip(pages, said, strict=True):
            lines = await stored.messages("greenroom_white", page.history_uid)
            assert [line.role for line in lines] == ["human", "ai"]
            assert lines[0].content == f"I am {page.history_uid}"
            assert lines[1].content.startswith(first)
    finally:
        await stored.aclose()
    assert not server.complaints()


async def test_an_idle_server_leaves_at_once(tmp_path: Path) -> None:
    """With silent pages, and without any, SIGINT ends it in about a second, with code 0."""
    for count in (0, 5):
        async with ServerProcess(tmp_path, {"agent": FAST}) as server:
            pages = [OlvClient(server.ws_url) for _ in range(count)]
            for page in pages:
                await page.__aenter__()
                await page.open()
            began = monotonic()
            server.signal(signal.SIGINT)
            assert await server.exited(3) == 0
            assert monotonic() - began < 2
            for page in pages:
                await page.__aexit__()


async def test_a_second_signal_forces(tmp_path: Path) -> None:
    """While the shutdown waits for a page that does not answer, a second signal ends the process at once."""
    async with ServerProcess(tmp_path, {"agent": slow(words=2000)}) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            await page.send("text-input", text="Hello", images=[])
            await page.until("audio")
            page.ws.transport.pause_reading()
            server.signal(signal.SIGTERM)
            # Two signals of one kind sent at once are one to the kernel.
            await asyncio.sleep(0.1)
            server.signal(signal.SIGINT)
            assert await server.exited(1) == 1
            page.vanish()


# -- kill -9 ----------------------------------------------------------------------------------------------------


async def test_nothing_acknowledged_is_lost_by_kill(tmp_path: Path) -> None:
    """Three rounds of `kill -9` at a random moment while eight pages talk: what was answered is in the file."""
    server = ServerProcess(tmp_path, {"agent": FAST})
    chance = random.Random(5)
    acknowledged: dict[str, list[tuple[str, str]]] = {}

    async def talk(number: int) -> None:
        try:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                lines = acknowledged.setdefault(page.history_uid, [])
                for turn in range(10_000):
                    text = f"page {number} turn {turn}"
                    await page.send("text-input", text=text, images=[])
                    # The start of the turn says that the message is safe, its end that the reply is.
                    await page.until("control", text="conversation-chain-start")
                    lines.append(("human", text))
                    rest = await page.until("control", text="conversation-chain-end")
                    lines.append(
                        ("ai", "".join(m["display_text"]["text"] for m in rest if m["type"] == "audio"))
                    )
        except (ConnectionClosed, InvalidHandshake, OSError):
            pass

    for _ in range(3):
        async with server:
            talks = asyncio.gather(*(talk(number) for number in range(8)))
            await asyncio.sleep(0.2 + chance.random() * 0.3)
            server.kill()
            await talks
        server = ServerProcess(tmp_path, {"agent": FAST})
    async with server, OlvClient(server.ws_url) as page:
        await page.open()
        for uid, lines in acknowledged.items():
            await page.send("fetch-and-set-history", history_uid=uid)
            data = (await page.until("history-data"))[-1]["messages"]
            found = [(m["role"], m["content"]) for m in data]
            assert found[: len(lines)] == lines
            assert len(found) <= len(lines) + 1
    assert sum(map(len, acknowledged.values())) > 100
