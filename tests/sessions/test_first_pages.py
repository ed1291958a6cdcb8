"""The newest histories, answered from memory while nothing has been stored."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from greenroom.history import HistoryPage, HistoryStore, HistorySummary, StoredMessage
from greenroom.sessions.first_pages import FRESH_SECONDS, MAX_KEPT, FirstPages


class Counting:
    """First pages over a store in memory, with a clock that is set, and how often the store was asked."""

    def __init__(self, store: HistoryStore) -> None:
        self.store = store
        self.now = 0.0
        self.asked = 0
        self.in_bin: list[tuple[HistorySummary, float]] = []
        self.pages = FirstPages(self, self, clock=lambda: self.now)  # type: ignore[arg-type]

    def statistics(self) -> object:
        return self.store.statistics()

    async def list(self, conf_uid: str, *, before: str | None = None, limit: int = 100) -> HistoryPage:
        self.asked += 1
        return await self.store.list(conf_uid, before=before, limit=limit)

    async def contents(self, conf_uid: str, limit: int) -> list[tuple[HistorySummary, float]]:
        return self.in_bin[:limit]

    async def uids(self, conf_uid: str = "white", limit: int = 10, before: str | None = None) -> list[str]:
        return [entry.uid for entry in (await self.pages.get(conf_uid, limit, before)).histories]


@pytest.fixture
async def counting() -> AsyncIterator[Counting]:
    store = await HistoryStore.open(None)
    yield Counting(store)
    await store.aclose()


async def test_the_store_is_asked_once_while_nothing_changes(counting: Counting) -> None:
    """A second page gets the same answer without a question to the store."""
    await counting.store.append("white", "one", "human", "Hello")
    assert await counting.uids() == ["one"]
    assert await counting.uids() == ["one"]
    assert counting.asked == 1


async def test_what_was_stored_is_listed_at_once(counting: Counting) -> None:
    """As soon as a message is safe, the list shows it; as soon as one is deleted, it does not."""
    assert await counting.uids() == []
    for number in range(5):
        await counting.store.append("white", f"h{number}", "human", "Hello")
        assert (await counting.uids())[0] == f"h{number}"
    await counting.store.delete("white", "h4")
    assert (await counting.uids())[0] == "h3"


async def test_an_answer_that_was_overtaken_is_not_kept(counting: Counting) -> None:
    """A message stored while the store is being asked is in the next answer."""
    waiting = counting.pages.get("white", 10)
    await counting.store.append("white", "one", "human", "Hello")
    await waiting
    assert await counting.uids() == ["one"]


async def test_another_process_is_noticed(counting: Counting) -> None:
    """An answer is kept for a moment only: others may write to the same file."""
    await counting.uids()
    counting.now = FRESH_SECONDS - 0.01
    await counting.uids()
    assert counting.asked == 1
    counting.now = FRESH_SECONDS
    await counting.uids()
    assert counting.asked == 2


async def test_characters_sizes_and_later_pages_are_kept_apart(counting: Counting) -> None:
    """Each character and each size has its own answer; later pages are always asked for."""
    for number in range(3):
        await counting.store.append("white", f"w{number}", "human", "Hello")
    await counting.store.append("sakura", "s", "human", "Hello")
    assert await counting.uids("sakura") == ["s"]
    assert await counting.uids(limit=2) == ["w2", "w1"]
    assert await counting.uids(limit=1) == ["w2"]
    after = (await counting.pages.get("white", 2)).next
    assert after is not None
    assert await counting.uids(before=after) == ["w0"]
    assert await counting.uids(before=after) == ["w0"]
    assert counting.asked == 5


async def test_it_holds_so_many_answers_at_most(counting: Counting) -> None:
    """Many characters, or a client that tries all sizes, do not fill the memory."""
    for number in range(3 * MAX_KEPT):
        await counting.pages.get(f"c{number}", 1 + number % 7)
        assert len(counting.pages) <= MAX_KEPT


async def test_what_can_be_undone_is_listed_for_those_who_ask(counting: Counting) -> None:
    """With the seconds that are left; not on later pages, and not for clients that never heard of it."""
    line = StoredMessage("human", "2026-01-02T03:04:05", "Hello.")
    counting.in_bin = [(HistorySummary("gone", line.timestamp, line.timestamp, line), 12.34)]
    await counting.store.append("white", "here", "human", "Hello.")
    plain = await counting.pages.get("white", 10)
    asked = await counting.pages.get("white", 10, deleted=True)
    later = await counting.pages.get("white", 10, "1.1", deleted=True)
    assert (plain.deleted, later.deleted) == (None, None)
    assert asked.deleted is not None
    assert [(one.uid, one.undo_seconds) for one in asked.deleted] == [("gone", 12.3)]
    assert [one.uid for one in asked.histories] == ["here"]
