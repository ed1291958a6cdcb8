"""A full and a read-only disk: talk goes on, whoever says something that is not kept is told, nothing kept is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.helpers.olv_client import OlvClient, Reply
from tests.helpers.server_process import FAST, ServerProcess
from tests.helpers.services import require

from .disks import read_only, small_disk, writable

LONG = "All work and no play makes Jack a dull boy. " * 1000
SHORT = "What was that?"


def errors(reply: Reply) -> list[dict[str, Any]]:
    return [message for message in reply.messages if message["type"] == "error"]


async def fill(page: OlvClient, turns: int = 200) -> tuple[list[str], dict[str, Any]]:
    """Talk until something could not be stored; gives what was, and the error."""
    stored: list[str] = []
    for number in range(turns):
        text = f"{number} {LONG}"
        reply = await page.ask(text)
        assert reply.text, "the talk does not go on"
        found = errors(reply)
        if found:
            assert {error["code"] for error in found} == {"not-stored"}
            return stored, found[0]
        stored.append(text)
    raise AssertionError("the disk was never full")


async def said(server: ServerProcess, uid: str) -> list[str]:
    """What a conversation's visitor said, as a page is told."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("fetch-and-set-history", history_uid=uid)
        lines = (await page.until("history-data"))[-1]["messages"]
        return [line["content"] for line in lines if line["role"] == "human"]


async def test_a_full_disk(tmp_path: Path) -> None:
    """Each message that is not kept is answered, with an error that says why; with room again, they are kept."""
    server = ServerProcess(tmp_path, {"agent": FAST})
    with small_disk(server.data_dir, "4m"):
        ballast = server.data_dir / "ballast"
        ballast.write_bytes(bytes(1024 * 1024))
        async with server:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                stored, error = await fill(page)
                assert "histories.sqlite3" not in error["message"]
                assert "free disk space" in error["message"]
                assert "histories.sqlite3" in server.log_text()
                ballast.unlink()
                assert not errors(await page.ask(SHORT))
                uid = page.history_uid
            kept = await said(server, uid)
            assert kept[: len(stored)] == stored
            assert kept[-1] == SHORT
        async with ServerProcess(tmp_path, {"agent": FAST}) as server:
            assert await said(server, uid) == kept


async def test_a_full_disk_with_the_log_on_it(tmp_path: Path) -> None:
    """Not even the log can be written: the server answers all the same, and stops in order."""
    server = ServerProcess(tmp_path, {"agent": FAST}, args=("--log-level", "debug"))
    with small_disk(server.data_dir, "4m"):
        server.log_file = server.data_dir / "server.log"
        async with server:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                await fill(page)
                (server.data_dir / "ballast").write_bytes(b"")
                try:
                    with (server.data_dir / "ballast").open("wb") as ballast:
                        while True:
                            ballast.write(bytes(4096))
                except OSError:
                    pass
                for _ in range(5):
                    assert (await page.ask("Are you still there?")).text
            async with OlvClient(server.ws_url) as page:
                await page.open()
                assert (await page.ask("Are you still there?")).text


async def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit on the size of files, which needs no disk of its own, is met in the same way."""
    prefix = (require("prlimit"), f"--fsize={2 * 1024 * 1024}")
    async with ServerProcess(tmp_path, {"agent": FAST}, prefix=prefix) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            stored, error = await fill(page)
            assert "histories.sqlite3" not in error["message"]
            assert (await page.ask("Are you still there?")).text
            uid = page.history_uid
        assert (await said(server, uid))[: len(stored)] == stored


async def test_a_read_only_folder_stops_the_start(tmp_path: Path) -> None:
    """Exit code 2, one message that names the folder and the ways out; no traceback."""
    server = ServerProcess(tmp_path, {"agent": FAST})
    with small_disk(server.data_dir, "4m"):
        read_only(server.data_dir)
        server.start()
        assert await server.exited(15) == 2
        text = " ".join(server.log_text().split())
        assert str(server.data_dir) in text
        assert "data_dir" in text
        assert "history.on_unusable" in text
        assert "Traceback" not in text


async def test_a_read_only_folder_with_leave_to_go_on(tmp_path: Path) -> None:
    """`history.on_unusable: memory`: it starts, says so to everybody who must know, and remembers until it stops."""
    settings = {"agent": FAST, "history": {"on_unusable": "memory"}}
    server = ServerProcess(tmp_path, settings)
    with small_disk(server.data_dir, "4m"):
        read_only(server.data_dir)
        async with server:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                first, second = await page.ask("Hello"), await page.ask("Are you still there?")
                (told,) = errors(first)
                assert told["code"] == "not-kept"
                assert "the server's owner can" in told["message"]
                assert str(server.data_dir) not in told["message"]
                assert not errors(second), "told twice"
                uid = page.history_uid
            assert await said(server, uid) == ["Hello", "Are you still there?"]
            assert "in memory only" in (await server.get("/health/ready")).json["histories"]
            assert [line["event"] for line in server.complaints()] == [
                "conversations are kept in memory only"
            ]
        assert list(server.data_dir.iterdir()) == []
        writable(server.data_dir)
        async with ServerProcess(tmp_path, settings) as server:
            assert "histories" not in (await server.get("/health/ready")).json
            assert await said(server, uid) == []


@pytest.mark.parametrize("value", ["ignore", 3])
async def test_a_wrong_word(tmp_path: Path, value: Any) -> None:
    """A value that is none is named with its choices."""
    server = ServerProcess(tmp_path, {"agent": FAST, "history": {"on_unusable": value}})
    server.start()
    assert await server.exited(15) == 2
    text = " ".join(server.log_text().split())
    assert "history.on_unusable" in text
    assert '"fail"' in text
