"""What a database must offer beyond the SQL that all of them share; `sqlite.py` is one of them."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table

from greenroom.history.errors import HistoryError

__all__ = ["Dialect"]


class Dialect(Protocol):
    """One kind of database at one address. Its methods run in the thread that owns the connection."""

    @property
    def place(self) -> str:
        """Where the histories are, for people to read: a file name or an address without its password."""
        ...

    def engine(self, *, writing: bool) -> Engine:
        """Return an engine for exactly one connection."""
        ...

    def settle_in(self, connection: Connection) -> None:
        """Make lasting settings on a freshly opened writing connection, outside a transaction."""
        ...

    def begin(self, connection: Connection) -> None:
        """Say what a writing transaction must say first, if anything; `connection.begin()` has been."""
        ...

    def keep_others_out(self, connection: Connection) -> None:
        """Make sure that until the end of this writing transaction no other process migrates."""
        ...

    def insert(self, table: Table) -> Any:
        """Return an insert with `on_conflict_do_update` and `excluded`, which Core's common one lacks."""
        ...

    def explain(self, error: BaseException) -> HistoryError:
        """Say in plain words what this error means. Kind `row`: only the data at hand is at fault."""
        ...
