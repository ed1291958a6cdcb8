"""`FirstPages`: the newest histories of each character, as every page that opens asks for them.

A question to the store costs more processor time than all else that opening a page does: it wakes a thread,
which takes the interpreter from the loop. Most pages open while nothing has been stored since the last one
opened, so the answer is kept until the store has committed anything, and no longer than a moment, because
another process may share its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from greenroom.history import HistoryBin, HistoryPage, HistoryStore, HistorySummary, StoredMessage
from greenroom.protocol import server_messages as s

FRESH_SECONDS = 1.0
MAX_KEPT = 64
"""Characters, or sizes of pages, for which an answer is kept; all are forgotten when there are more."""
DELETED_SHOWN = 50
"""Histories in the bin that a list shows at most."""


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: s.HistoryList
    batches: int
    until: float


class FirstPages:
    """Answers `fetch-history-list`; asks the store where it cannot know.

    Args:
        histories: the store.
        bin: what was deleted a while ago.
        clock: seconds, monotonic.
    """

    def __init__(
        self, histories: HistoryStore, bin: HistoryBin, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._histories = histories
        self._bin = bin
        self._clock = clock
        self._kept: dict[tuple[str, int, bool], _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(
        self, conf_uid: str, limit: int, before: str | None = None, deleted: bool = False
    ) -> s.HistoryList:
        """A page of a character's histories, the newest first; the first one also with those in the bin.

        Raises `HistoryError`.
        """
        if before is not None:
            return _answer_of(await self._histories.list(conf_uid, before=before, limit=limit))
        # Counted before the answer is known: what is committed from here on makes it an old one.
        batches = self._histories.statistics().batches
        key = (conf_uid, limit, deleted)
        kept = self._kept.get(key)
        if kept is not None and kept.batches == batches and self._clock() < kept.until:
            return kept.answer
        gone = await self._bin.contents(conf_uid, DELETED_SHOWN) if deleted else None
        answer = _answer_of(await self._histories.list(conf_uid, limit=limit), gone)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[key] = _Kept(answer, batches, self._clock() + FRESH_SECONDS)
        return answer


def _answer_of(page: HistoryPage, gone: list[tuple[HistorySummary, float]] | None = None) -> s.HistoryList:
    return s.HistoryList(
        [entry_of(entry) for entry in page.entries],
        next=page.next,
        deleted=None if gone is None else [entry_of(entry, seconds) for entry, seconds in gone],
    )


def entry_of(entry: HistorySummary, undo_seconds: float | None = None) -> s.HistoryEntry:
    """A stored history as a list shows it."""
    return s.HistoryEntry(
        entry.uid,
        history_message(entry.latest),
        entry.latest.timestamp,
        entry.title,
        entry.opening,
        history_message(entry.found) if entry.found is not None else None,
        round(undo_seconds, 1) if undo_seconds is not None else None,
    )


def history_message(line: StoredMessage) -> s.HistoryMessage | None:
    """A stored line as clients see it; None for those they never do."""
    if line.role == "system":
        return None
    breaks = None if line.breaks is None else list(line.breaks)
    return s.HistoryMessage(line.role, line.timestamp, line.content, line.name, line.avatar, breaks)
