"""The journal of accepted messages: what is in it after the process has died."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.server_process import ROOT

from greenroom.config.errors import ConfigError
from greenroom.live.journal import SCHEMA, Entry, QueueJournal, on_clock
from greenroom.tasks import ScopeClosed, TaskScope


def entry(number: int, room: str = "main") -> Entry:
    return Entry(f"id{number}", room, "v/Kim", f"text {number} 你好", number % 3, 1000.0 + number)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
async def scope() -> AsyncIterator[TaskScope]:
    async with TaskScope("test") as scope:
        yield scope


async def stored(path: Path, scope: TaskScope) -> list[Entry]:
    """What a server that starts now would find."""
    journal = QueueJournal(path, scope)
    found = await journal.open()
    await journal.close()
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
async def test_its_files_are_the_owners_alone(tmp_path: Path, scope: TaskScope) -> None:
    """What people said is not for the machine's other users, whatever the folder allows."""
    tmp_path.chmod(0o755)
    journal = QueueJournal(tmp_path / "j", scope)
    await journal.open()
    await journal.add(entry(1))
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    await journal.close()
    assert set(files) == {"j", "j-wal"}
    assert set(files.values()) == {0o600}


async def test_what_is_not_struck_out_comes_back_in_order(tmp_path: Path, scope: TaskScope) -> None:
    """Everything as it was written, oldest first."""
    journal = QueueJournal(tmp_path / "j", scope)
    assert await journal.open() == []
    for number in range(5):
        await journal.add(entry(number))
    await journal.remove("id1")
    journal.remove_soon("id3")
    await journal.remove("no such id")
    await journal.close()
    assert await stored(tmp_path / "j", scope) == [entry(0), entry(2), entry(4)]


async def test_closing_finishes_what_was_asked(tmp_path: Path, scope: TaskScope) -> None:
    """Hundreds of strike-outs on their way are done when it is closed; afterwards nothing is taken."""
    journal = QueueJournal(tmp_path / "j", scope)
    await journal.open()
    for number in range(300):
        await journal.add(entry(number))
    for number in range(299):
        journal.remove_soon(f"id{number}")
    await journal.close()
    with pytest.raises(ScopeClosed):
        await journal.add(entry(1000))
    journal.remove_soon("id299")
    assert await stored(tmp_path / "j", scope) == [entry(299)]


async def test_writes_that_come_together_are_one_commit(tmp_path: Path, scope: TaskScope) -> None:
    """Many at once neither wait for each other's disk nor block each other for ever."""
    journal = QueueJournal(tmp_path / "j", scope)
    await journal.open()
    commits = 0
    commit = journal._commit

    def counted(batch: list[Any]) -> None:
        nonlocal commits
        commits += 1
        commit(batch)

    journal._commit = counted  # type: ignore[method-assign]
    jobs = [scope.start(journal.add, entry(number)) for number in range(200)]
    for number in range(100):
        journal.remove_soon(f"other{number}")
    for job in jobs:
        await job
    assert commits <= 3
    await journal.close()
    assert len(await stored(tmp_path / "j", scope)) == 200


async def test_a_file_in_use_is_refused(
    tmp_path: Path, scope: TaskScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server would answer this one's messages a second time."""
    monkeypatch.setattr("greenroom.live.journal.LOCKED_SECONDS", 0.05)
    journal = QueueJournal(tmp_path / "j", scope)
    await journal.open()
    with pytest.raises(ConfigError, match="another server"):
        await QueueJournal(tmp_path / "j", scope).open()
    await journal.close()
    assert await stored(tmp_path / "j", scope) == []


def another_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE accepted (x)")


def a_strange_row(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(SCHEMA)
        database.execute("INSERT INTO accepted VALUES (1, 'id', 'main', 'v', 'text', 0, 'yesterday')")
        database.commit()


@pytest.mark.parametrize(
    ("damage", "fix"),
    [
        (lambda path: path.write_bytes(b"this is no database" * 100), "damaged"),
        (another_table, "not the server's"),
        (a_strange_row, "damaged"),
        (Path.mkdir, "permissions"),
        (lambda path: path.parent.rmdir(), "permissions"),
    ],
)
async def test_a_file_that_cannot_be_used(
    tmp_path: Path, scope: TaskScope, damage: Callable[[Path], object], fix: str
) -> None:
    """The error names the file and the setting, and what to do about this very damage."""
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "j"
    damage(path)
    with pytest.raises(ConfigError, match=r"queue\.durable") as caught:
        await QueueJournal(path, scope).open()
    assert str(path) in str(caught.value)
    assert fix in str(caught.value)
    assert "another server" not in str(caught.value)


async def test_a_write_survives_the_death_of_the_process(tmp_path: Path, scope: TaskScope) -> None:
    """What `add` returned for is there after a kill without any closing."""
    program = f"""
import asyncio, os
from pathlib import Path
from greenroom.live.journal import Entry, QueueJournal, on_clock
from greenroom.tasks import TaskScope

async def main():
    journal = QueueJournal(Path({str(tmp_path / "j")!r}), TaskScope("x"))
    await journal.open()
    for number in range(20):
        await journal.add(Entry(f"id{{number}}", "main", "v", "text", 0, 1.0))
    await journal.remove("id7")
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={"PYTHONPATH": str(ROOT / "src")}, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == -9, errors
    assert [one.id for one in await stored(tmp_path / "j", scope)] == [f"id{n}" for n in range(20) if n != 7]


async def test_a_full_disk_is_told(tmp_path: Path, scope: TaskScope) -> None:
    """An error of the disk reaches the one who asks, and the next write works when there is room again."""
    journal = QueueJournal(tmp_path / "j", scope)
    await journal.open()
    await journal.add(entry(0))
    database = journal._database
    assert database is not None
    database.execute("PRAGMA query_only=1")
    with pytest.raises(sqlite3.OperationalError):
        await journal.add(entry(1))
    database.execute("PRAGMA query_only=0")
    await journal.add(entry(2))
    await journal.close()
    assert await stored(tmp_path / "j", scope) == [entry(0), entry(2)]


async def test_the_file_stays_small(tmp_path: Path, scope: TaskScope) -> None:
    """A thousand messages later it holds what waits, not what was."""
    journal = QueueJournal(tmp_path / "j", scope)
    await journal.open()
    for number in range(1000):
        await journal.add(entry(number))
        await journal.remove(f"id{number}")
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "j")) as database:
        assert database.execute("SELECT count(*) FROM accepted").fetchone() == (0,)
    assert await asyncio.to_thread(size_of, tmp_path) < 100_000


def test_ages_are_moved_to_a_clock_that_does_not_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said 30 s ago by the wall clock is 30 s ago by the other; what comes from the future was said just now."""
    monkeypatch.setattr("greenroom.live.journal.time.time", lambda: 1_000_000.0)
    past = Entry("a", "main", "s", "Hello", 0, 1_000_000.0 - 30)
    future = Entry("b", "main", "s", "Hello", 0, 1_000_000.0 + 3600)
    assert on_clock(past, 500.0).at == 470.0
    assert on_clock(future, 500.0).at == 500.0
