"""The journal of accepted room messages: what was accepted before a crash is answered after it.

A message is written down before its sender hears that it waits, and struck out when its reply is complete,
before the viewers hear of its end, or when it was dropped. After a restart the rest is read back, oldest
first: what is still young waits for its room's first viewer, what is too old is reported as expired. A
conversation that was cut off is held again; one whose end a viewer saw never is.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from greenroom.config.errors import ConfigError, Problem
from greenroom.tasks import ScopeClosed, ScopeFull, TaskScope

log = structlog.stdlib.get_logger("greenroom.live")

SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, room TEXT NOT NULL, sender TEXT NOT NULL,
    text TEXT NOT NULL, priority INTEGER NOT NULL, at REAL NOT NULL
)"""

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


class QueueJournal:
    """A small SQLite file, written in the scope's threads.

    Args:
        path: the file; made where missing.
        scope: owns the writes; at most `max_waiting` strike-outs wait.
    """

    def __init__(self, path: Path, scope: TaskScope) -> None:
        self._path = path
        self._scope = scope.child("journal", max_running=2, max_waiting=10_000)
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    async def open(self) -> list[Entry]:
        """Open the file and return what a crash left, oldest first.

        Raises `ConfigError` if it cannot be used, also because another server does.
        """
        try:
            return await self._scope.run_in_thread(self._open, name="open journal")
        except sqlite3.Error as error:
            fix = "is another server using this data folder? Give each its own, or turn queue.durable off"
            problem = Problem(str(self._path), None, "queue.durable", f"cannot be used ({error})", fix)
            raise ConfigError([problem]) from error

    def _open(self) -> list[Entry]:
        with self._lock:
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
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
            return [Entry(*row) for row in rows]

    async def add(self, entry: Entry) -> None:
        """Write a message down; safe against the death of the process when it returns.

        Raises `sqlite3.Error`, and `ScopeClosed` when the server stops.
        """
        values = (entry.id, entry.room, entry.sender, entry.text, entry.priority, entry.at)
        await self._scope.run_in_thread(
            self._execute,
            "INSERT OR IGNORE INTO accepted (id, room, sender, text, priority, at) VALUES (?, ?, ?, ?, ?, ?)",
            values,
            name="write journal",
        )

    async def remove(self, entry_id: str) -> None:
        """Strike a message out. Raises like `add`."""
        await self._scope.run_in_thread(
            self._execute, "DELETE FROM accepted WHERE id = ?", (entry_id,), name="strike out"
        )

    def remove_soon(self, entry_id: str) -> None:
        """`remove` from where one cannot wait; if it does not come to it, the message is answered again."""
        try:
            self._scope.start(self.remove, entry_id, name="strike out", on_close="finish")
        except (ScopeClosed, ScopeFull) as error:
            log.warning("a message was not struck out", error=str(error))

    def _execute(self, sql: str, values: tuple[object, ...]) -> None:
        with self._lock:
            if self._database is not None:
                self._database.execute(sql, values)

    async def close(self) -> None:
        """Finish the writes that wait and close the file."""
        await self._scope.close(2.0, reason="the journal is closed")
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


def now() -> float:
    """Seconds since 1970: ages must count across a restart."""
    return time.time()
