"""Deleting with a way back, and titles."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from tests.history.test_database import dialect

from greenroom.history import HistoryError, HistoryStore
from greenroom.history.database import Database
from greenroom.history.records import MAX_TITLE, Append, Purge

LATER = time.time() + 600


async def test_a_discarded_history_is_hidden_and_comes_back_whole(store: HistoryStore) -> None:
    """It is in no list, count, search or answer; brought back it is as it was, in its old place."""
    await store.append("mao", "a", "human", "first")
    await store.append("mao", "b", "human", "second")
    before = await store.list("mao")
    assert await store.discard("mao", "a", LATER) is True
    assert [one.uid for one in (await store.list("mao")).entries] == ["b"]
    assert await store.count("mao") == 1
    assert await store.messages("mao", "a") == ()
    assert (await store.search("mao", "first")).entries == ()
    (waiting,) = await store.discarded("mao", time.time())
    assert (waiting.uid, waiting.opening) == ("a", "first")
    assert waiting.deleted_until == pytest.approx(LATER * 1e6, abs=2)
    assert await store.restore("mao", "a") is True
    assert await store.list("mao") == before
    assert [line.content for line in await store.messages("mao", "a")] == ["first"]
    assert await store.discarded("mao", time.time()) == ()


async def test_what_is_done_twice_or_to_nothing_says_so(store: HistoryStore) -> None:
    """Discarding, restoring and naming tell whether there was something to do it to."""
    assert await store.discard("mao", "a", LATER) is False
    assert await store.restore("mao", "a") is False
    assert await store.rename("mao", "a", "x") is False
    await store.append("mao", "a", "human", "first")
    assert await store.restore("mao", "a") is False
    assert await store.discard("mao", "a", LATER) is True
    assert await store.discard("mao", "a", LATER + 100) is False
    assert await store.rename("mao", "a", "x") is False
    assert await store.delete("mao", "a") is True
    assert await store.restore("mao", "a") is False


async def test_a_new_message_brings_a_discarded_history_back(store: HistoryStore) -> None:
    """Somebody goes on with it in another tab: it is not thrown away."""
    await store.append("mao", "a", "human", "first")
    await store.discard("mao", "a", LATER)
    await store.append("mao", "a", "human", "second")
    assert [line.content for line in await store.messages("mao", "a")] == ["first", "second"]
    assert await store.purge(LATER + 1) == 0


async def test_purge_takes_only_what_is_due(store: HistoryStore) -> None:
    """The time of each is kept; messages go with their history, and the next time is known."""
    for uid in "abc":
        await store.append("mao", uid, "human", f"text {uid}")
    assert await store.next_due() is None
    await store.discard("mao", "a", 1000)
    await store.discard("mao", "b", 2000)
    assert await store.next_due() == 1000
    assert await store.purge(1500) == 1
    assert await store.next_due() == 2000
    assert await store.restore("mao", "a") is False
    assert await store.restore("mao", "b") is True
    assert await store.count("mao") == 2


def test_purge_goes_in_small_steps() -> None:
    """One call deletes no more than it was told, the oldest first, with their messages."""
    database = Database.open_for_writing(dialect(None))
    database.write([Append("mao", f"h{n}", "human", n, "x", None, None) for n in range(10)])
    database._connection.exec_driver_sql("UPDATE histories SET deleted_until = 100 - id")
    database._connection.commit()
    assert database.write([Purge(1000, 4)]) == [4]
    left = database._connection.exec_driver_sql("SELECT count(*) FROM messages").scalar()
    assert left == 6
    uids = database._connection.exec_driver_sql("SELECT uid FROM histories ORDER BY uid").scalars().all()
    assert uids == [f"h{n}" for n in range(6)]
    database.close()


async def test_titles(store: HistoryStore) -> None:
    """A title stays through new messages and can be taken away; impossible ones are refused."""
    await store.append("mao", "a", "human", "first")
    assert await store.rename("mao", "a", "About milk") is True
    await store.append("mao", "a", "ai", "second")
    (entry,) = (await store.list("mao")).entries
    assert (entry.title, entry.opening) == ("About milk", "first")
    assert await store.rename("mao", "a", None) is True
    assert (await store.list("mao")).entries[0].title is None
    for bad in ("", "x" * (MAX_TITLE + 1)):
        with pytest.raises(ValueError, match="title"):
            await store.rename("mao", "a", bad)


async def test_the_opening_is_the_visitors_first_line(store: HistoryStore) -> None:
    """Not the character's, not an empty one (a picture), and cut to what a list shows."""
    await store.append("mao", "a", "ai", "I speak first.")
    await store.append("mao", "a", "human", " ")
    assert (await store.list("mao")).entries[0].opening is None
    await store.append("mao", "a", "human", "y" * 300)
    await store.append("mao", "a", "human", "later")
    assert (await store.list("mao")).entries[0].opening == "y" * 200


async def test_a_file_of_the_first_version_is_brought_up_to_date(file: Path) -> None:
    """Its histories are all there, with openings, and can be named and brought back."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    from greenroom.history import database

    file.parent.mkdir(parents=True)
    engine = create_engine(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with sqlite3.connect(file) as raw:
        raw.execute(
            "INSERT INTO histories VALUES (1, 'mao', 'a', 5, 5, 'ai', 5, 'Hello.', 'Mao', NULL),"
            " (2, 'mao', 'b', 6, 6, 'ai', 6, 'Alone.', 'Mao', NULL)"
        )
        raw.execute(
            "INSERT INTO messages VALUES (1, 1, 'human', 5, 'Hi there', NULL, NULL),"
            " (2, 1, 'ai', 5, 'Hello.', 'Mao', NULL), (3, 2, 'ai', 6, 'Alone.', 'Mao', NULL)"
        )
    raw.close()
    store = await HistoryStore.open(file)
    page = await store.list("mao")
    assert [(one.uid, one.opening, one.title) for one in page.entries] == [
        ("b", None, None),
        ("a", "Hi there", None),
    ]
    assert await store.discard("mao", "a", LATER)
    assert await store.restore("mao", "a")
    await store.aclose()


async def test_the_bin_is_no_way_around_a_quota(file: Path) -> None:
    """What was deleted makes room for what is new, the oldest first, and is gone then; it does not count beside it."""
    store = await HistoryStore.open(file, most_histories=2)
    for uid in "ab":
        await store.append("mao", uid, "human", "hello")
    await store.discard("mao", "a", LATER)
    await store.append("mao", "c", "human", "hello")
    assert await store.restore("mao", "a") is False
    assert {one.uid for one in (await store.list("mao")).entries} == {"b", "c"}
    with pytest.raises(HistoryError, match="max_per_character"):
        await store.append("mao", "d", "human", "hello")
    await store.aclose()
