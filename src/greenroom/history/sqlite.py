"""SQLite behind the dialect seam: how a file is opened, locked and kept durable, and what its errors mean.

Durability. The file is in WAL mode. With `synchronous=NORMAL` (the default) a committed message survives the
death of this process at any moment, kill -9 included: the commit has been written to the operating system. A
power cut may lose the last moments, but never damages the file. `FULL` waits for the disk at each commit and
also survives a power cut, at the price of one disk flush per transaction.

Transactions. Python's sqlite3 begins them by itself at odd moments and never with the write lock; that is
switched off (`isolation_level=None`), and each write begins with BEGIN IMMEDIATE. So a wait for another
process happens at the beginning, where it can be waited out, and never halfway.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, NullPool, Table, create_engine, event
from sqlalchemy.dialects import sqlite as core_sqlite
from sqlalchemy.exc import StatementError

from greenroom.history.errors import HistoryError, Kind

__all__ = ["Sqlite", "Synchronous"]

Synchronous = Literal["NORMAL", "FULL"]

_WAL_KEEP = 64 * 1024 * 1024
"""Bytes of the write-ahead log kept after a checkpoint."""
_CACHE_KIB = 256
"""Pages a connection keeps. SQLite's own 2 MiB fill up over thousands of visits and look like a leak."""

_KINDS: dict[int, Kind] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_IOERR: "io",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CANTOPEN: "cannot-open",
    sqlite3.SQLITE_PERM: "cannot-open",
    sqlite3.SQLITE_CONSTRAINT: "row",
    sqlite3.SQLITE_TOOBIG: "row",
    sqlite3.SQLITE_MISMATCH: "row",
    sqlite3.SQLITE_RANGE: "row",
}

_FIXES: dict[Kind, str] = {
    "locked": "another program holds the file; close it, or give each server a file of its own",
    "read-only": "the file or its folder cannot be written; correct owner or mode, or take another file",
    "io": "the disk reported a failure; look at the system's log and at the disk",
    "corrupt": "the file is damaged or is no history file; move it away, or put a backup in its place",
    "full": "there is no room left; free some disk space or raise the file's limit",
    "cannot-open": "the file cannot be opened; make sure its folder exists and belongs to this user",
    "row": "this message cannot be stored; the others can",
}


class Sqlite:
    """One SQLite file, or one in memory (`path=None`) that lives as long as its one connection.

    Args:
        path: the file; it and its folders are made where missing, for this user only.
        synchronous: `NORMAL` survives the process's death, `FULL` a power cut too.
        lock_timeout: seconds to wait for another process's transaction.
        max_bytes: most bytes the file grows to (without its log), or None for no limit but the disk's.
    """

    def __init__(
        self, path: Path | None, *, synchronous: Synchronous, lock_timeout: float, max_bytes: int | None
    ) -> None:
        self._path = path
        self._synchronous = synchronous
        self._lock_timeout = lock_timeout
        self._max_bytes = max_bytes
        self.place = "in memory" if path is None else str(path)

    def engine(self, *, writing: bool) -> Engine:
        """See `Dialect.engine`."""
        if writing and self._path is not None:
            self._make_private_file(self._path)
        engine = create_engine(
            URL.create("sqlite", database=None if self._path is None else str(self._path)),
            poolclass=NullPool,
            connect_args={"timeout": self._lock_timeout, "isolation_level": None},
        )
        event.listen(engine, "connect", _for_writing if writing else _for_reading)
        return engine

    def settle_in(self, connection: Connection) -> None:
        """See `Dialect.settle_in`."""
        raw = connection.connection.driver_connection
        if raw is None:
            raise HistoryError(f"history {self.place}: the connection is closed")
        self._switch_to_wal(raw)
        raw.execute(f"PRAGMA synchronous={self._synchronous}")
        raw.execute(f"PRAGMA journal_size_limit={_WAL_KEEP}")
        raw.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        if self._max_bytes is not None:
            (page,) = raw.execute("PRAGMA page_size").fetchone()
            raw.execute(f"PRAGMA max_page_count={max(1, self._max_bytes // page)}")

    def begin(self, connection: Connection) -> None:
        """See `Dialect.begin`."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def keep_others_out(self, connection: Connection) -> None:
        """See `Dialect.keep_others_out`: a writing transaction holds the file's one write lock already."""

    def insert(self, table: Table) -> Any:
        """See `Dialect.insert`."""
        return core_sqlite.insert(table)

    def explain(self, error: BaseException) -> HistoryError:
        """See `Dialect.explain`."""
        if isinstance(error, HistoryError):
            return error
        cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
        kind = _kind(cause)
        fix = _FIXES.get(kind)
        text = f"history {self.place}: {cause or type(cause).__name__}" + (f"; {fix}" if fix else "")
        found = HistoryError(text, kind)
        found.__cause__ = error
        return found

    def _make_private_file(self, path: Path) -> None:
        """Create the file for its owner only: it holds what people said. SQLite's side files follow it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return

    def _switch_to_wal(self, raw: Any) -> None:
        """Switch the file to a write-ahead log, once; it remembers.

        SQLite does not wait for others here as it does elsewhere: it gives up at once when two processes
        switch a new file together. So this waits, in its own thread, and at most as long as for any lock.
        """
        deadline = time.monotonic() + self._lock_timeout
        while raw.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            try:
                raw.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if _kind(error) != "locked" or time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.01)
            else:
                return  # some network file systems cannot do WAL: SQLite stays with its rollback journal


def _kind(error: BaseException) -> Kind:
    """Return the kind of a bare error of sqlite3, the operating system, or the data."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _KINDS.get(code & 0xFF, "other")
    if isinstance(error, sqlite3.DataError | sqlite3.IntegrityError | ValueError | OverflowError):
        return "row"  # text with half a surrogate pair, a number beyond 64 bits
    if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError):
        return "row"
    if isinstance(error, PermissionError):
        return "read-only"
    if isinstance(error, OSError):
        return "cannot-open"
    return "other"


def _for_writing(raw: Any, _record: object) -> None:
    raw.execute("PRAGMA foreign_keys=ON")


def _for_reading(raw: Any, _record: object) -> None:
    raw.execute("PRAGMA query_only=ON")
