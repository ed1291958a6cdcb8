"""SQLite's own errors, provoked for real, in words a person can act on."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from greenroom.history import HistoryError, HistoryStore
from greenroom.history.sqlite import Sqlite


async def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    """Garbage in place of the file is reported with its path and a way out, and left as it is."""
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, but long enough to be taken for one" * 40)
    with pytest.raises(HistoryError, match="move it away, or put a backup") as caught:
        await HistoryStore.open(file)
    assert caught.value.kind == "corrupt"
    assert str(file) in str(caught.value)
    assert file.read_bytes().startswith(b"this is not")


async def test_a_damaged_file_is_reported(file: Path) -> None:
    """Damage inside the file is an error of its kind, not a crash."""
    store = await HistoryStore.open(file)
    for number in range(50):
        await store.append("mao", f"h{number}", "human", "x" * 2000)
    await store.aclose()
    data = bytearray(file.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)  # the first page, with the list of tables, stays
    file.write_bytes(data)
    with pytest.raises(HistoryError) as caught:
        store = await HistoryStore.open(file)
    assert caught.value.kind == "corrupt"


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    """A path below a plain file cannot be opened, and the error says so."""
    (tmp_path / "plain").write_text("")
    with pytest.raises(HistoryError, match="cannot be opened; make sure its folder exists") as caught:
        await HistoryStore.open(tmp_path / "plain" / "histories.db")
    assert caught.value.kind == "cannot-open"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
async def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
    """A folder without write permission is named as the cause."""
    tmp_path.chmod(0o500)
    with pytest.raises(HistoryError, match="cannot be written") as caught:
        await HistoryStore.open(tmp_path / "histories.db")
    tmp_path.chmod(0o700)
    assert caught.value.kind == "read-only"


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that even root cannot write to")
async def test_a_folder_that_even_root_cannot_write_is_reported() -> None:
    """A folder of a read-only kind is named as the cause, whoever runs this."""
    with pytest.raises(HistoryError, match=r"/sys/kernel/histories\.db") as caught:
        await HistoryStore.open(Path("/sys/kernel/histories.db"))
    assert caught.value.kind in ("read-only", "cannot-open")


async def test_a_read_only_file_is_explained(file: Path) -> None:
    """SQLite's own refusal to write is of kind read-only."""
    await (await HistoryStore.open(file)).aclose()
    raw = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        raw.execute("DELETE FROM histories")
    raw.close()
    dialect = Sqlite(file, synchronous="NORMAL", lock_timeout=1, max_bytes=None)
    assert dialect.explain(caught.value).kind == "read-only"


async def test_a_full_file_refuses_and_recovers(file: Path) -> None:
    """At its size limit the store says so, keeps what it has, and goes on when there is room again."""
    store = await HistoryStore.open(file, max_bytes=200_000)
    stored = 0

    async def fill() -> None:
        nonlocal stored
        for stored in range(1000):
            await store.append("mao", f"h{stored % 2}", "human", "x" * 4000)

    with pytest.raises(HistoryError, match="free some disk space or raise the file's limit") as caught:
        await fill()
    assert caught.value.kind == "full"
    assert stored > 10
    kept = [len(await store.messages("mao", uid)) for uid in ("h0", "h1")]
    assert sum(kept) == stored
    assert await store.delete("mao", "h0") is True
    await store.append("mao", "h1", "human", "there is room again")
    assert store.statistics().failures == 1
    await store.aclose()
    assert file.stat().st_size <= 200_000


async def test_a_locked_file_is_reported_in_time(file: Path) -> None:
    """While another program holds the file, appends fail after the time-out, and work afterwards."""
    store = await HistoryStore.open(file, lock_timeout=0.02)
    await store.append("mao", "h", "human", "one")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HistoryError, match="another program holds the file") as caught:
        await store.append("mao", "h", "human", "two")
    assert caught.value.kind == "locked"
    assert len(await store.messages("mao", "h")) == 1  # readers are not held up
    other.execute("ROLLBACK")
    other.close()
    await store.append("mao", "h", "human", "three")
    assert [one.content for one in await store.messages("mao", "h")] == ["one", "three"]
    await store.aclose()


def test_unknown_errors_keep_their_text() -> None:
    """An error without an entry in the table still names the place and itself."""
    dialect = Sqlite(None, synchronous="NORMAL", lock_timeout=1, max_bytes=None)
    found = dialect.explain(RuntimeError("odd"))
    assert (str(found), found.kind) == ("history in memory: odd", "other")
    assert dialect.explain(found) is found
