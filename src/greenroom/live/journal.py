"""The journal of accepted room messages: what was accepted before a crash is answered after it.

A message is written down before its sender hears that it waits, and struck out when its reply is complete,
before the viewers hear of its end, or when it was dropped. After a restart the rest is read back, oldest
first: what is still young waits for its room's first viewer, what is too old is reported as expired. A
conversation that was cut off is held again; one whose end a viewer saw never is.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from greenroom.config.errors import ConfigError, Problem
from greenroom.tasks import AnyJob, ScopeClosed, TaskScope

log = structlog.stdlib.get_logger("greenroom.live")

SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, room TEXT NOT NULL, sender TEXT NOT NULL,
    text TEXT NOT NULL, priority INTEGER NOT NULL, at REAL NOT NULL
)"""

ADD = "INSERT OR IGNORE INTO accepted (id, room, sender, text, priority, at) VALUES (?, ?, ?, ?, ?, ?)"
REMOVE = "DELETE FROM accepted WHERE id = ?"
KINDS = (str, str, str, str, int, float)
"""Of an entry's values; SQLite itself does not insist."""
MAX_WAITING = 10_000
"""Writes that may wait for the disk."""
CLOSE_SECONDS = 2.0
LOCKED_SECONDS = 2.0
"""How long the server before this one may take to let go of the file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted message. `at`: seconds since 1970."""

    id: str
    room: str
    sender: str
    text: str
    priority: int
    at: float


@dataclass(slots=True, eq=False)
class Write:
    """One statement on its way to the disk, and who waits for it."""

    sql: str
    values: tuple[object, ...]
    written: asyncio.Future[None] | None


class QueueJournal:
    """A small SQLite file. One job writes, in a thread, whatever has come together: one commit for all of it.

    Args:
        path: the file; made where missing.
        scope: owns the writes.
    """

    def __init__(self, path: Path, scope: TaskScope) -> None:
        self._path = path
        self._scope = scope.child("journal")
        self._work: deque[Write] = deque()
        self._writer: AnyJob[None] | None = None
        self._database: sqlite3.Connection | None = None

    async def open(self) -> list[Entry]:
        """Open the file and return what a crash left, oldest first.

        Raises `ConfigError` if it cannot be used, also because another server does.
        """
        try:
            return await self._scope.run_in_thread(self._open, name="open journal")
        except sqlite3.Error as error:
            what = f"cannot be used ({error})"
            problem = Problem(str(self._path), None, "queue.durable", what, _fix(error))
            raise ConfigError([problem]) from error

    def _open(self) -> list[Entry]:
        with suppress(OSError):  # it is there, or SQLite says why it cannot be
            # For its owner only, as the histories are: it holds what people said. SQLite's side files follow it.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        database = sqlite3.connect(
            self._path, check_same_thread=False, isolation_level=None, timeout=LOCKED_SECONDS
        )
        try:
            # Whoever read the messages of a server that runs would answer them a second time.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute("BEGIN IMMEDIATE")
            database.execute(SCHEMA)
            database.execute("COMMIT")
            rows = database.execute(
                "SELECT id, room, sender, text, priority, at FROM accepted ORDER BY number"
            ).fetchall()
            if not all(
                isinstance(value, kind) for row in rows for value, kind in zip(row, KINDS, strict=True)
            ):
                raise sqlite3.DataError("a row holds what no server writes")
        except sqlite3.Error:
            database.close()
            raise
        self._database = database
        return [Entry(*row) for row in rows]

    async def add(self, entry: Entry) -> None:
        """Write a message down; safe against the death of the process when it returns.

        Raises `sqlite3.Error`, and `ScopeClosed` when the server stops.
        """
        await self._write(ADD, (entry.id, entry.room, entry.sender, entry.text, entry.priority, entry.at))

    async def remove(self, entry_id: str) -> None:
        """Strike a message out. Raises like `add`."""
        await self._write(REMOVE, (entry_id,))

    def remove_soon(self, entry_id: str) -> None:
        """`remove` from where one cannot wait; if it does not come to it, the message is answered again."""
        try:
            self._enqueue(Write(REMOVE, (entry_id,), None))
        except (ScopeClosed, sqlite3.Error) as error:
            log.warning("a message was not struck out", error=str(error))

    async def _write(self, sql: str, values: tuple[object, ...]) -> None:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(Write(sql, values, written))
        await written

    def _enqueue(self, write: Write) -> None:
        if not self._scope.open or self._database is None:
            raise ScopeClosed("the journal is closed")
        if len(self._work) >= MAX_WAITING:
            raise sqlite3.OperationalError(f"{MAX_WAITING} writes wait: the disk does not keep up")
        self._work.append(write)
        if self._writer is None or self._writer.done():
            self._writer = self._scope.start(self._write_all, name="writer", on_close="finish")

    async def _write_all(self) -> None:
        batch: list[Write] = []
        try:
            while self._work:
                batch = list(self._work)
                self._work.clear()
                try:
                    await self._scope.run_in_thread(self._commit, batch, name="commit")
                except sqlite3.Error as error:
                    log.error("the journal could not be written", writes=len(batch), error=str(error))
                    _settle(batch, error)
                else:
                    _settle(batch, None)
                batch = []
        finally:
            # Only left if it was cancelled, or the journal closed under it.
            _settle([*batch, *self._work], ScopeClosed("the journal was closed"))
            self._work.clear()

    def _commit(self, batch: list[Write]) -> None:
        database = self._database
        assert database is not None
        try:
            database.execute("BEGIN IMMEDIATE")
            for write in batch:
                database.execute(write.sql, write.values)
            database.execute("COMMIT")
        except sqlite3.Error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    async def close(self) -> None:
        """Finish the writes that wait, for two seconds at most, and close the file. Idempotent."""
        if self._writer is not None:
            await self._writer.wait(CLOSE_SECONDS)
        database, self._database = self._database, None
        if database is not None:
            try:
                await self._scope.run_in_thread(database.close, name="close journal")
            except (ScopeClosed, sqlite3.Error) as error:
                log.warning("the journal was not closed well", error=str(error))
        await self._scope.close(CLOSE_SECONDS, reason="the journal is closed")


def _settle(batch: list[Write], error: Exception | None) -> None:
    for write in batch:
        if write.written is None or write.written.done():
            continue
        if error is None:
            write.written.set_result(None)
        else:
            write.written.set_exception(error)


def _fix(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "is another server using this data folder? Give each its own, or turn queue.durable off"
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return "the server must be able to write there: look at the folder's permissions and the disk's space"
    return "the file is damaged, or not the server's: move it away (what waited in it is not answered then)"


def now() -> float:
    """Seconds since 1970: ages must count across a restart."""
    return time.time()


def on_clock(entry: Entry, clock: float) -> Entry:
    """The entry with `at` moved from the wall clock to one that shows `clock` now.

    Done once, when it is read back: whatever the wall clock does from then on, nothing ages by it. An entry from
    the future was written before the clock was set back; it counts as said just now.
    """
    return replace(entry, at=clock - max(0.0, now() - entry.at))
