"""The store as its users see it: append, list, messages, delete, count, and the bounds."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from greenroom.history import HistoryBusy, HistoryError, HistoryStore, StoredMessage, crew, database
from greenroom.history.records import MAX_CONTENT

NOON = datetime(2025, 8, 11, 12, 0, 0)


async def test_messages_come_back_in_order(store: HistoryStore) -> None:
    """Messages are returned oldest first, with every field, system lines included."""
    await store.append("mao", "h", "human", "hello", name="Ann", created=NOON)
    await store.append("mao", "h", "ai", "你好 🌸", name="Mao", avatar="mao.png", created=NOON)
    await store.append("mao", "h", "system", "[Interrupted by user]", created=NOON - timedelta(seconds=1))
    assert await store.messages("mao", "h") == (
        StoredMessage("human", "2025-08-11T12:00:00", "hello", "Ann", None),
        StoredMessage("ai", "2025-08-11T12:00:00", "你好 🌸", "Mao", "mao.png"),
        StoredMessage("system", "2025-08-11T11:59:59", "[Interrupted by user]", None, None),
    )


async def test_messages_limits_to_the_newest(store: HistoryStore) -> None:
    """A limit keeps the newest messages, still oldest first."""
    for number in range(5):
        await store.append("mao", "h", "human", str(number))
    assert [one.content for one in await store.messages("mao", "h", limit=2)] == ["3", "4"]


async def test_unknown_histories_are_empty(store: HistoryStore) -> None:
    """Nothing is known of a history without messages, and that is no error."""
    assert await store.messages("mao", "h") == ()
    assert (await store.list("mao")).entries == ()
    assert await store.count("mao") == 0
    assert await store.delete("mao", "h") is False


async def test_characters_do_not_see_each_other(store: HistoryStore) -> None:
    """The same uid under two characters is two histories."""
    await store.append("mao", "h", "human", "to mao")
    await store.append("shizuku", "h", "human", "to shizuku")
    assert [one.content for one in await store.messages("mao", "h")] == ["to mao"]
    assert await store.delete("mao", "h") is True
    assert await store.count("mao") == 0
    assert [one.content for one in await store.messages("shizuku", "h")] == ["to shizuku"]


async def test_list_is_newest_first_with_the_latest_message(store: HistoryStore) -> None:
    """A new message moves its history to the front, and is shown cut to 500 characters."""
    await store.append("mao", "a", "human", "first", created=NOON)
    await store.append("mao", "b", "human", "second", created=NOON + timedelta(seconds=1))
    await store.append("mao", "a", "ai", "x" * 600, name="Mao", created=NOON + timedelta(seconds=2))
    page = await store.list("mao")
    assert [entry.uid for entry in page.entries] == ["a", "b"]
    assert page.next is None
    first = page.entries[0]
    assert (first.created, first.updated) == ("2025-08-11T12:00:00", "2025-08-11T12:00:02")
    assert first.latest == StoredMessage("ai", "2025-08-11T12:00:02", "x" * 500, "Mao", None)


async def test_a_list_shows_what_was_said_last(store: HistoryStore) -> None:
    """A note that nobody said, such as an interruption's, is not shown as the latest line."""
    await store.append("mao", "h", "ai", "once upon a ti")
    await store.append("mao", "h", "system", "[Interrupted by user]")
    (entry,) = (await store.list("mao")).entries
    assert (entry.latest.role, entry.latest.content) == ("ai", "once upon a ti")


async def test_list_pages_are_stable_while_rows_are_added(store: HistoryStore) -> None:
    """Going on behind a page shows every remaining history once, whatever was added in between."""
    for number in range(7):
        await store.append("mao", f"h{number}", "human", "x", created=NOON)  # all at the same moment
    first = await store.list("mao", limit=3)
    await store.append("mao", "new", "human", "x", created=NOON + timedelta(hours=1))
    await store.append("mao", "h6", "human", "x", created=NOON + timedelta(hours=2))
    second = await store.list("mao", limit=3, before=first.next)
    third = await store.list("mao", limit=3, before=second.next)
    seen = [entry.uid for page in (first, second, third) for entry in page.entries]
    assert seen == ["h6", "h5", "h4", "h3", "h2", "h1", "h0"]
    assert third.next is None
    assert [entry.uid for entry in (await store.list("mao", limit=2)).entries] == ["h6", "new"]


async def test_list_is_capped_at_the_page() -> None:
    """No caller gets more histories at once than the store's page."""
    store = await HistoryStore.open(None, page=3)
    for number in range(5):
        await store.append("mao", str(number), "human", "x")
    page = await store.list("mao", limit=1000)
    assert len(page.entries) == 3
    assert page.next is not None
    await store.aclose()


async def test_an_older_message_does_not_move_a_history_back(store: HistoryStore) -> None:
    """With a clock set back, the place in the list stays, and the message stored last is shown."""
    await store.append("mao", "a", "human", "noon", created=NOON)
    await store.append("mao", "a", "human", "earlier", created=NOON - timedelta(hours=1))
    (entry,) = (await store.list("mao")).entries
    assert entry.updated == "2025-08-11T12:00:00"
    assert entry.latest.content == "earlier"


async def test_a_delete_is_ordered_with_the_appends(store: HistoryStore) -> None:
    """What was handed in before a deletion goes, what was handed in after it stays."""
    _, deleted, _ = await asyncio.gather(
        store.append("mao", "h", "human", "before"),
        store.delete("mao", "h"),
        store.append("mao", "h", "human", "after"),
    )
    assert deleted is True
    assert [one.content for one in await store.messages("mao", "h")] == ["after"]


async def test_deleting_takes_the_messages_along(file: Path, file_store: HistoryStore) -> None:
    """No message row stays behind its history."""
    await file_store.append("mao", "h", "human", "x")
    await file_store.delete("mao", "h")
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    other.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("", "h", "human", "x"), "1 to 255"),
        (("mao", "h" * 256, "human", "x"), "1 to 255"),
        (("mao", "h", "metadata", "x"), "role must be one of ai, human, system"),
    ],
)
async def test_impossible_arguments_are_refused(store: HistoryStore, arguments: Any, says: str) -> None:
    """A mistake of the caller is a ValueError that names the argument."""
    with pytest.raises(ValueError, match=says):
        await store.append(*arguments)
    with pytest.raises(ValueError, match="limit"):
        await store.messages("mao", "h", limit=0)


async def test_a_too_long_message_is_refused(store: HistoryStore) -> None:
    """A message beyond the bound is refused before it reaches the queue."""
    with pytest.raises(HistoryError, match="content: 1000001 characters"):
        await store.append("mao", "h", "human", "x" * (MAX_CONTENT + 1))
    assert store.statistics().waiting == 0


async def test_too_many_waiting_rows_are_refused(
    monkeypatch: pytest.MonkeyPatch, store: HistoryStore
) -> None:
    """Beyond the bound append_nowait raises HistoryBusy; what was accepted is stored."""
    monkeypatch.setattr(crew, "MAX_WAITING", 50)
    accepted: list[asyncio.Future[None]] = []

    def flood() -> None:
        for number in range(10_000):
            accepted.append(store.append_nowait("mao", "h", "human", str(number)))

    with pytest.raises(HistoryBusy, match="try again later"):
        flood()
    assert len(accepted) >= 50
    await asyncio.gather(*accepted)
    assert [one.content for one in await store.messages("mao", "h", limit=9000)] == [
        str(number) for number in range(len(accepted))
    ]
    await store.append("mao", "h", "human", "there is room again")


async def test_too_many_waiting_characters_are_refused(
    monkeypatch: pytest.MonkeyPatch, store: HistoryStore
) -> None:
    """Few but long messages are bounded as well."""
    monkeypatch.setattr(crew, "MAX_WAITING_CHARACTERS", 100)
    with pytest.raises(HistoryBusy):
        store.append_nowait("mao", "h", "human", "x" * 101)
    await store.append("mao", "h", "human", "x" * 100)


async def test_too_many_waiting_questions_are_refused(
    monkeypatch: pytest.MonkeyPatch, store: HistoryStore
) -> None:
    """Questions are bounded too, and the bound opens again."""
    monkeypatch.setattr(crew, "MAX_READS_WAITING", 3)
    answers = await asyncio.gather(*(store.count("mao") for _ in range(50)), return_exceptions=True)
    assert any(isinstance(answer, HistoryBusy) for answer in answers)
    assert 0 in answers
    assert await store.count("mao") == 0
    assert store.statistics().waiting_reads == 0


async def test_appends_are_committed_in_groups(store: HistoryStore) -> None:
    """A hundred messages at once take a few transactions, and each is counted."""
    await asyncio.gather(*(store.append("mao", f"h{n % 7}", "human", str(n)) for n in range(100)))
    found = store.statistics()
    assert found.rows == 100
    assert found.batches <= 20
    assert found.largest_batch >= 5
    assert (found.waiting, found.failures) == (0, 0)


async def test_what_was_stored_is_there_after_reopening(file: Path) -> None:
    """A closed store's histories are there when it is opened again, and are private to their user."""
    for content in ("one", "two"):
        store = await HistoryStore.open(file)
        await store.append("mao", "h", "human", content)
        await store.aclose()
    store = await HistoryStore.open(file)
    assert [one.content for one in await store.messages("mao", "h")] == ["one", "two"]
    await store.aclose()
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # no log left behind


async def test_synchronous_full_is_set(file: Path) -> None:
    """A store that must survive power cuts works as well."""
    store = await HistoryStore.open(file, synchronous="FULL")
    await store.append("mao", "h", "human", "x")
    assert await store.count("mao") == 1
    await store.aclose()


async def test_open_refuses_odd_settings() -> None:
    """Settings without sense are a ValueError."""
    with pytest.raises(ValueError, match="readers"):
        await HistoryStore.open(None, readers=3)


def test_importing_the_package_is_cheap() -> None:
    """The package itself imports neither SQLAlchemy nor Alembic: the store's thread does."""
    import subprocess
    import sys

    code = "import sys, greenroom.history; print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


async def test_two_processes_keep_to_the_limit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another one added is counted after a while, not each time: that takes longer the more there is."""
    monkeypatch.setattr(database, "RECOUNT", 2)
    one = await HistoryStore.open(file, most_histories=6)
    other = await HistoryStore.open(file, most_histories=6)
    await one.append("mao", "first", "human", "Hello")
    for number in range(5):
        await other.append("mao", f"other {number}", "human", "Hello")
    stored = 0
    with pytest.raises(HistoryError, match="history.max_per_character"):
        for stored in range(10):
            await one.append("mao", f"one {stored}", "human", "Hello")
    assert stored <= 2
    await one.aclose()
    await other.aclose()


async def test_a_character_has_so_many_histories(file: Path) -> None:
    """The next one is refused with the setting's name; the others, other characters and what is there go on."""
    store = await HistoryStore.open(file, most_histories=2)
    await store.append("mao", "one", "human", "Hello")
    await store.append("mao", "two", "human", "Hello")
    both = [
        store.append_nowait("mao", "three", "human", "No"),
        store.append_nowait("mao", "two", "human", "Yes"),
    ]
    with pytest.raises(HistoryError, match="history.max_per_character"):
        await both[0]
    await both[1]
    await store.append("shizuku", "three", "human", "Hello")
    assert await store.messages("mao", "three") == ()
    await store.delete("mao", "one")
    await store.append("mao", "three", "human", "Now")
    await store.aclose()
