"""A damaged, locked or foreign history file: a message that names the file and the remedy, and nothing made worse."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ServerProcess

from greenroom.tasks import TaskScope

SETTINGS: dict[str, Any] = {"agent": FAST}
MEMORY: dict[str, Any] = {**SETTINGS, "history": {"on_unusable": "memory"}}


async def talked(tmp_path: Path, pages: int = 1) -> tuple[Path, list[str]]:
    """A data folder with conversations; gives the file and their names."""
    uids = []
    async with ServerProcess(tmp_path, SETTINGS) as server:
        for number in range(pages):
            async with OlvClient(server.ws_url) as page:
                await page.open()
                await page.ask(f"I am {number}. " + "Blah. " * 200)
                uids.append(page.history_uid)
    file = server.data_dir / "histories.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        # All of it in the one file, so that damage to that is damage.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file, uids


async def refusal(server: ServerProcess, seconds: float = 25) -> str:
    """Start it, wait for exit code 2, and give its last words."""
    server.start()
    assert await server.exited(seconds) == 2, server.log_text()
    text = " ".join(server.log_text().split())
    assert "Traceback" not in text
    return text


def damage_header(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[:100] = b"\xde\xad\xbe\xef" * 25
    file.write_bytes(data)


def truncate(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 3])


def no_database(file: Path) -> None:
    file.write_bytes(b"Dear diary, today I was mistaken for a database. " * 100)


@pytest.mark.parametrize("harm", [damage_header, truncate, no_database])
async def test_a_damaged_file(tmp_path: Path, harm: Any) -> None:
    """Does not start by default; told to, starts with histories in memory. The file stays as it was, to be saved."""
    file, _ = await talked(tmp_path)
    harm(file)
    before = file.read_bytes()
    text = await refusal(ServerProcess(tmp_path, SETTINGS))
    assert str(file) in text
    assert "move it away, or put a backup in its place" in text
    assert "history.on_unusable" in text
    assert file.read_bytes() == before
    async with ServerProcess(tmp_path, MEMORY) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            (error,) = [m for m in (await page.ask("Hello")).messages if m["type"] == "error"]
            assert error["code"] == "not-kept"
            assert str(file.parent) not in error["message"]
        assert str(file) in (await server.get("/health/ready")).json["histories"]
    assert file.read_bytes() == before


async def test_damage_in_the_middle(tmp_path: Path) -> None:
    """Found when it is read: that page is told without the path, its socket stays, and the server goes on."""
    file, uids = await talked(tmp_path, pages=40)
    with closing(sqlite3.connect(file)) as database:
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()
    data = bytearray(file.read_bytes())
    start = (root - 1) * page_size
    data[start : start + page_size] = b"\xff" * page_size
    file.write_bytes(data)
    async with ServerProcess(tmp_path, SETTINGS) as server, OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("fetch-and-set-history", history_uid=uids[0])
        error = (await page.until("error"))[-1]
        assert error["code"] == "history"
        assert str(file.parent) not in error["message"]
        assert "put a backup in its place" in error["message"]
        await page.round_trip()
        reply = await page.ask("Hello")
        assert reply.text
        assert "not-stored" in {m.get("code") for m in reply.messages}
        assert str(file) in server.log_text()
        assert "Traceback" not in server.log_text()


async def test_a_file_that_another_program_holds(tmp_path: Path) -> None:
    """Held when it starts: exit code 2, file and remedy."""
    file, _ = await talked(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        text = await refusal(ServerProcess(tmp_path, SETTINGS))
        assert str(file) in text
        assert "another program holds the file" in text
    async with ServerProcess(tmp_path, SETTINGS) as server, OlvClient(server.ws_url) as page:
        await page.open()
        assert not [m for m in (await page.ask("Hello")).messages if m["type"] == "error"]


async def test_a_file_that_is_locked_while_it_serves(tmp_path: Path) -> None:
    """Whoever speaks meanwhile is answered and told that it is not safe; what was waiting is stored afterwards."""
    async with ServerProcess(tmp_path, SETTINGS) as server:
        async with OlvClient(server.ws_url, patience=20) as page, OlvClient(server.ws_url) as other:
            await page.open()
            await other.open()
            file = server.data_dir / "histories.sqlite3"
            with closing(sqlite3.connect(file, isolation_level=None)) as holder:
                holder.execute("BEGIN IMMEDIATE")
                async with TaskScope("test") as scope:
                    asked = scope.start(page.ask, "Hello")
                    slowest = max([await other.round_trip() for _ in range(50)])
                    reply = await asked
                holder.execute("ROLLBACK")
            assert slowest < 0.5
            assert reply.text
            assert {m["code"] for m in reply.messages if m["type"] == "error"} == {"not-stored"}
            assert not [m for m in (await page.ask("And now?")).messages if m["type"] == "error"]
            uid = page.history_uid
            await other.send("fetch-and-set-history", history_uid=uid)
            lines = (await other.until("history-data"))[-1]["messages"]
            assert [line["content"] for line in lines if line["role"] == "human"] == ["Hello", "And now?"]
