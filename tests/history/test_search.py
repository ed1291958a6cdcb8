"""Search: what is found, in which order, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from tests.history.test_database import dialect

from greenroom.history import HistoryError, HistoryStore
from greenroom.history.database import Database
from greenroom.history.records import Append, read_place, words_of
from greenroom.history.search import AT_ONCE, LINES, search, snippet


async def found(store: HistoryStore, query: str) -> list[str]:
    return [entry.uid for entry in (await store.search("mao", query)).entries]


async def test_words_are_found_wherever_they_stand(store: HistoryStore) -> None:
    """Parts of words, any case, in any order, also in Chinese; all of them in one message; the newest first."""
    await store.append("mao", "tea", "human", "I like strong TEA with milk")
    await store.append("mao", "tea", "ai", "Tea it is.How much milk?")
    await store.append("mao", "moon", "human", "今晚的月亮真好看，我想喝茶。")
    await store.append("mao", "accent", "human", "Über den Wolken")
    await store.append("other", "theirs", "human", "tea")
    assert await found(store, "tea") == ["tea"]
    assert await found(store, "milk STRONG") == ["tea"]
    assert await found(store, "is. How") == ["tea"]  # stored without the space between the sentences
    assert await found(store, "strong much") == []
    assert await found(store, "月亮") == ["moon"]
    assert await found(store, "茶") == ["moon"]
    assert await found(store, "über") == ["accent"]
    assert await found(store, "") == await found(store, "   ") == []


async def test_signs_mean_themselves(store: HistoryStore) -> None:
    """Wildcards of the database are ordinary characters, and nothing is executed."""
    await store.append("mao", "a", "human", "100% sure")
    await store.append("mao", "b", "human", "snake_case")
    assert await found(store, "%") == ["a"]
    assert await found(store, "_") == ["b"]
    assert await found(store, "'; DROP TABLE histories; --") == []
    assert await found(store, "sure") == ["a"]


async def test_titles_are_found_and_system_lines_are_not(store: HistoryStore) -> None:
    """What somebody called a history counts; what nobody said does not."""
    await store.append("mao", "a", "human", "hello")
    await store.append("mao", "a", "system", "[Interrupted by user]")
    await store.rename("mao", "a", "Shopping Ümlaut")
    assert await found(store, "shopping ümlaut") == ["a"]
    assert await found(store, "interrupted") == []


async def test_the_newest_message_with_the_words_is_shown(store: HistoryStore) -> None:
    """One entry a history, with the message and who said it, and its list entry as ever."""
    await store.append("mao", "a", "human", "milk, please")
    await store.append("mao", "a", "ai", "The milk is on the table.", name="Mao")
    await store.append("mao", "a", "human", "thanks")
    (entry,) = (await store.search("mao", "milk")).entries
    assert entry.found is not None
    assert (entry.found.role, entry.found.content) == ("ai", "The milk is on the table.")
    assert entry.latest.content == "thanks"


def test_snippet() -> None:
    """A long message is cut to the neighbourhood of the first word, with marks where it was cut."""
    text = "a" * 300 + " milk " + "b" * 300
    cut = snippet(text, ["milk"])
    assert "milk" in cut
    assert cut.startswith("…")
    assert cut.endswith("…")
    assert len(cut) <= 162
    assert snippet("short milk", ["milk"]) == "short milk"
    assert snippet("x" * 300 + " milk", ["MILK"]).endswith("milk")
    assert snippet("nothing of it", ["milk"]) == "nothing of it"


def test_words() -> None:
    """Repetitions are dropped, and the number is bounded."""
    assert words_of(" a b  a ") == ("a", "b")
    assert len(words_of(" ".join(str(n) for n in range(100)))) == 8


async def test_pages(store: HistoryStore) -> None:
    """A search goes on behind its last hit, and ends; a cursor from elsewhere is refused."""
    for number in range(7):
        await store.append("mao", f"h{number}", "human", "milk")
    first = await store.search("mao", "milk", limit=3)
    second = await store.search("mao", "milk", limit=3, before=first.next)
    third = await store.search("mao", "milk", limit=3, before=second.next)
    pages = [[entry.uid for entry in page.entries] for page in (first, second, third)]
    assert pages == [["h6", "h5", "h4"], ["h3", "h2", "h1"], ["h0"]]
    assert third.next is None
    with pytest.raises(HistoryError, match="before"):
        await store.search("mao", "milk", before="nonsense")


def test_very_long_histories_do_not_make_a_search_long() -> None:
    """Of each the newest lines are looked at, as many as opening it shows, whatever lies below them."""
    opened = Database.open_for_writing(dialect(None))
    texts = ["beyond", "first", *("water" for _ in range(LINES - 1))]
    opened.write([Append("mao", "long", "human", n, text, None, None) for n, text in enumerate(texts)])
    opened.write([Append("mao", "short", "human", 1, "beyond", None, None)])
    found = {
        word: [entry.uid for entry in opened.search("mao", [word], None, 9).entries]
        for word in ("beyond", "first", "water")
    }
    opened.close()
    assert found == {"beyond": ["short"], "first": ["long"], "water": ["long"]}


@pytest.fixture
def many() -> Iterator[Database]:
    """A hundred histories; only the oldest speaks of milk."""
    opened = Database.open_for_writing(dialect(None))
    opened.write(
        [Append("mao", f"h{n}", "human", n, "water" if n else "milk", None, None) for n in range(5 * AT_ONCE)]
    )
    yield opened
    opened.close()


def test_a_search_answers_when_its_time_is_up(many: Database) -> None:
    """It stops between two portions with a place to go on from, and nothing is missed."""
    ticks = count()
    portions = 0
    place = None
    while True:
        page = search(
            lambda question: many._all(question, {}),
            "mao",
            ["milk"],
            place,
            5,
            seconds=1.5,
            clock=lambda: next(ticks),
        )
        portions += 1
        if page.next is None:
            break
        assert not page.entries
        place = read_place(page.next)
    assert [entry.uid for entry in page.entries] == ["h0"]
    assert portions >= 3
