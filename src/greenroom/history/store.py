"""The history store: what was said, kept durably, without ever holding up the event loop.

This is the thin asynchronous shell around the threads of `crew.py`. It checks what comes in and hands it
over; it starts no task.

A message is *accepted* when `append_nowait` returns or `append` first waits. From then on it will be written
even if the caller is cancelled. It is *stored* when the future has its result: then it survives the death of
this process, kill -9 included (see `sqlite.py` for power cuts).
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from greenroom.history.crew import Crew
from greenroom.history.errors import HistoryError
from greenroom.history.layout import Breaks, written_breaks
from greenroom.history.records import (
    MAX_CONTENT,
    MAX_ID,
    MAX_MESSAGES,
    MAX_TITLE,
    ROLES,
    Append,
    Delete,
    Discard,
    HistoryPage,
    HistoryStatistics,
    HistorySummary,
    Purge,
    Rename,
    Restore,
    Role,
    SearchPage,
    StoredMessage,
    micros,
    read_place,
    words_of,
)

if TYPE_CHECKING:  # SQLAlchemy takes half a second to import: the store's own thread does it, not the loop's
    from greenroom.history.database import Database

__all__ = ["HistoryStore"]


class HistoryStore:
    """Histories by character (`conf_uid`) and name (`uid`); open one with `await HistoryStore.open(path)`.

    Order: messages and deletions take effect in the order they were handed in. A question sees everything
    whose future was done when it was asked. All methods may be called from any event loop.
    """

    def __init__(self, crew: Crew, page: int) -> None:
        self._crew = crew
        self._page = page

    @classmethod
    async def open(
        cls,
        path: Path | None,
        *,
        page: int = 100,
        readers: int = 2,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        lock_timeout: float = 5.0,
        max_bytes: int | None = None,
        most_histories: int = 0,
    ) -> HistoryStore:
        """Open the histories in a file, or new ones in memory (`path=None`), and bring its tables up to date.

        Args:
            path: made where missing, with its folders, readable for this user only.
            page: most histories that one `list` returns.
            readers: threads that answer questions, 1 or 2; in memory the writing thread answers them.
            synchronous: `NORMAL` survives the death of the process, `FULL` also a power cut (slower).
            lock_timeout: seconds to wait while another process writes to the file.
            max_bytes: most bytes the file may grow to; None leaves it to the disk.
            most_histories: most histories of one character; 0 sets no limit.

        Raises:
            HistoryError: the file cannot be opened, is damaged, or was written by a later version.
        """
        if readers not in (1, 2) or page < 1:
            raise ValueError("readers must be 1 or 2, and page at least 1")

        def connect(writing: bool) -> Database:
            from greenroom.history.database import Database
            from greenroom.history.sqlite import Sqlite

            dialect = Sqlite(path, synchronous=synchronous, lock_timeout=lock_timeout, max_bytes=max_bytes)
            if writing:
                return Database.open_for_writing(dialect, most_histories=most_histories)
            return Database.open_for_reading(dialect)

        crew = Crew(lambda: connect(True), None if path is None else lambda: connect(False), readers=readers)
        await crew.open()
        return cls(crew, page)

    async def append(
        self,
        conf_uid: str,
        history_uid: str,
        role: Role,
        content: str,
        *,
        name: str | None = None,
        avatar: str | None = None,
        breaks: Breaks | None = None,
        created: datetime | None = None,
    ) -> None:
        """Store a message and return when it is safe. The first message of a history creates it.

        Args:
            breaks: the white space between its sentences.
            created: when it was said; now, if left out. A moment without a zone is local time.

        Raises:
            HistoryBusy: too much is waiting; nothing was accepted.
            HistoryError: it could not be stored; the text says why.
            ValueError: an argument is impossible (an unknown role, an empty or too long name).
        """
        await self.append_nowait(
            conf_uid, history_uid, role, content, name=name, avatar=avatar, breaks=breaks, created=created
        )

    def append_nowait(
        self,
        conf_uid: str,
        history_uid: str,
        role: Role,
        content: str,
        *,
        name: str | None = None,
        avatar: str | None = None,
        breaks: Breaks | None = None,
        created: datetime | None = None,
    ) -> asyncio.Future[None]:
        """Hand in a message as `append` does, without waiting; the future tells when it is safe."""
        _check_names(conf_uid, history_uid)
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(sorted(ROLES))}, not {role!r}")
        if len(content) > MAX_CONTENT:
            raise HistoryError(
                f"content: {len(content)} characters; a stored message has {MAX_CONTENT} at most",
                "row",
                public=True,
            )
        at = time.time_ns() // 1000 if created is None else micros(created)
        entry = Append(conf_uid, history_uid, role, at, content, name, avatar, written_breaks(breaks))
        return self._crew.write(entry, len(content))

    async def delete(self, conf_uid: str, history_uid: str) -> bool:
        """Delete a history with its messages; return whether there was one.

        Messages handed in earlier go with it; later ones begin it anew.
        """
        _check_names(conf_uid, history_uid)
        return await self._crew.write(Delete(conf_uid, history_uid), 0) > 0

    async def discard(self, conf_uid: str, history_uid: str, until: float) -> bool:
        """Hide a history, to be deleted at `until` (seconds since 1970); return whether there was one.

        A message that is stored in it brings it back, for somebody goes on with it.
        """
        _check_names(conf_uid, history_uid)
        return await self._crew.write(Discard(conf_uid, history_uid, int(until * 1_000_000)), 0) > 0

    async def restore(self, conf_uid: str, history_uid: str) -> bool:
        """Bring a discarded history back; return whether it was still there."""
        _check_names(conf_uid, history_uid)
        return await self._crew.write(Restore(conf_uid, history_uid), 0) > 0

    async def rename(self, conf_uid: str, history_uid: str, title: str | None) -> bool:
        """Give a history a title, or take it away; return whether there is such a history.

        Raises:
            ValueError: the title is empty or longer than `MAX_TITLE`.
        """
        _check_names(conf_uid, history_uid)
        if title is not None and not 0 < len(title) <= MAX_TITLE:
            raise ValueError(f"title must have 1 to {MAX_TITLE} characters")
        return await self._crew.write(Rename(conf_uid, history_uid, title), 0) > 0

    async def purge(self, now: float, most: int = 100) -> int:
        """Delete discarded histories whose time is up, `most` at once; return how many there were."""
        return await self._crew.write(Purge(int(now * 1_000_000), most), 0)

    async def discarded(self, conf_uid: str, now: float, *, limit: int = 100) -> tuple[HistorySummary, ...]:
        """Return a character's histories that can still be brought back, the last deleted first."""
        wanted = min(_at_least_one(limit), self._page)
        moment = int(now * 1_000_000)
        return await self._crew.ask(lambda database: database.discarded(conf_uid, moment, wanted))

    async def next_due(self) -> float | None:
        """Return when the next discarded history is to be deleted (seconds since 1970), if there is one."""
        due = await self._crew.ask(lambda database: database.next_due())
        return None if due is None else due / 1_000_000

    async def search(
        self, conf_uid: str, query: str, *, before: str | None = None, limit: int = 30
    ) -> SearchPage:
        """Find a character's histories in which somebody said all words of the query, the newest first.

        Raises:
            HistoryError: `before` is not from an earlier page, or the file cannot be read.
        """
        place = None if before is None else read_place(before)
        words = words_of(query)
        if not words:
            return SearchPage((), None)
        wanted = min(_at_least_one(limit), self._page)
        return await self._crew.ask(lambda database: database.search(conf_uid, words, place, wanted))

    async def list(self, conf_uid: str, *, before: str | None = None, limit: int = 100) -> HistoryPage:
        """Return a character's histories, the one with the newest message first.

        Args:
            before: the `next` of an earlier page, to go on there. It stays good while histories are added,
                changed and deleted: one that gets a message moves to the front, the others keep their order.
            limit: most histories wanted, cut to the store's `page`.

        Raises:
            HistoryError: `before` is not from an earlier page, or the file cannot be read.
        """
        place = None if before is None else read_place(before)
        wanted = min(_at_least_one(limit), self._page)
        return await self._crew.ask(lambda database: database.list(conf_uid, place, wanted))

    async def messages(
        self, conf_uid: str, history_uid: str, *, limit: int = 2000
    ) -> tuple[StoredMessage, ...]:
        """Return the newest `limit` messages of a history (at most `MAX_MESSAGES`), oldest first.

        All roles are included, and what was handed in before, safe yet or not. Of an unknown history there
        are none.
        """
        wanted = min(_at_least_one(limit), MAX_MESSAGES)
        return await self._crew.ask(
            lambda database: database.messages(conf_uid, history_uid, wanted), own_writes=True
        )

    async def count(self, conf_uid: str) -> int:
        """Return how many histories a character has."""
        return await self._crew.ask(lambda database: database.count(conf_uid))

    def statistics(self) -> HistoryStatistics:
        """Return what the store has done and holds; cheap, from any thread."""
        return self._crew.statistics()

    async def aclose(self, *, deadline: float = 5.0) -> None:
        """Refuse anything new, write everything accepted, and end the threads; again and from any loop.

        Args:
            deadline: seconds to wait. A cancelled call leaves the threads ending on their own.

        Raises:
            HistoryError: a thread did not end in time (a dead disk). What it left behind has been failed.
        """
        await self._crew.close(deadline)


def _check_names(conf_uid: str, history_uid: str) -> None:
    if not 0 < len(conf_uid) <= MAX_ID or not 0 < len(history_uid) <= MAX_ID:
        raise ValueError(f"conf_uid and history_uid must have 1 to {MAX_ID} characters")


def _at_least_one(limit: int) -> int:
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    return limit
