"""The threads: what happens to accepted messages when callers, loops, the disk or the threads give up."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from greenroom.history import HistoryError, HistoryStore
from greenroom.history.database import Database


class Hold:
    """Another program that holds the file's write lock, so that the writer stands still."""

    def __init__(self, file: Path) -> None:
        self._raw = sqlite3.connect(file, isolation_level=None)
        self._raw.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        """Release the lock."""
        self._raw.execute("ROLLBACK")

    def close(self) -> None:
        """Release the lock, if it is held, and the file."""
        self._raw.close()


@pytest.fixture
def hold(file: Path, file_store: HistoryStore) -> Iterator[Hold]:
    """Hold the lock of the file that `file_store` has opened."""
    hold = Hold(file)
    yield hold
    hold.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait, in steps of a millisecond, for something that happens in a thread."""
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen within two seconds")


async def contents(store: HistoryStore, uid: str = "h") -> list[str]:
    """Return what a history holds."""
    return [one.content for one in await store.messages("mao", uid)]


async def test_what_waits_goes_into_one_transaction(file_store: HistoryStore, hold: Hold) -> None:
    """Everything that arrives while the writer is busy is committed together."""
    waiting = [file_store.append_nowait("mao", "h", "human", str(n)) for n in range(200)]
    await until(lambda: file_store._crew._writer.queue.qsize() < 200)  # the writer has its first handful
    hold.let_go()
    await asyncio.gather(*waiting)
    found = file_store.statistics()
    assert found.rows == 200
    assert found.batches <= 3
    assert await contents(file_store) == [str(n) for n in range(200)]


async def test_a_history_knows_what_was_just_handed_in(file_store: HistoryStore, hold: Hold) -> None:
    """Who opens a conversation reads what was said before, also if the disk has not taken it yet."""
    waiting = file_store.append_nowait("mao", "h", "human", "just said")
    asked = asyncio.ensure_future(contents(file_store))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    hold.let_go()
    assert await asked == ["just said"]


async def test_one_bad_message_fails_alone(store: HistoryStore) -> None:
    """A message that cannot be stored does not take its neighbours with it."""
    texts = ["one", "\ud800", "two", "three"]
    results = await asyncio.gather(
        *(store.append("mao", "h", "human", text) for text in texts), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), HistoryError, type(None), type(None)]
    assert "this message cannot be stored" in str(results[1])
    assert await contents(store) == ["one", "two", "three"]
    assert store.statistics().failures == 1


async def test_a_cancelled_caller_does_not_lose_the_message(
    file_store: HistoryStore, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    """Cancelling the wait leaves the accepted message on its way; nothing is logged."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await file_store.append("mao", "h", "human", "kept")
    hold.let_go()
    await file_store.append("mao", "h", "human", "next")
    assert await contents(file_store) == ["kept", "next"]
    assert file_store.statistics().unheard == 1
    gc.collect()
    assert not caplog.records


async def test_a_failure_after_its_caller_left_is_logged(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for the failed message any more: it is logged once, by the store and not by asyncio."""
    store = await HistoryStore.open(file, lock_timeout=0.03)
    hold = Hold(file)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await store.append("mao", "h", "human", "lost")
    await until(lambda: store.statistics().unheard > 0)
    hold.close()
    gc.collect()
    (record,) = caplog.records
    assert record.name == "greenroom.history"
    assert "another program holds the file" in record.getMessage()
    await store.aclose()


async def test_a_cancelled_question_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, store: HistoryStore
) -> None:
    """A question whose caller has left before its turn costs the database nothing."""
    asked = []
    real = Database.count
    monkeypatch.setattr(Database, "count", lambda self, conf: asked.append(conf) or real(self, conf))
    questions = [store._crew.ask(lambda database, n=n: database.count(str(n))) for n in range(20)]
    for question in questions[1:]:
        question.cancel()
    await questions[0]
    assert await store.count("last") == 0
    assert asked[-1] == "last"
    assert len(asked) < 20


async def test_closing_writes_what_was_accepted(file: Path) -> None:
    """aclose waits for everything handed in, and its futures are resolved."""
    store = await HistoryStore.open(file)
    waiting = [store.append_nowait("mao", "h", "human", str(n)) for n in range(500)]
    await store.aclose()
    assert all(future.done() for future in waiting)
    assert store.statistics().threads == 0
    store = await HistoryStore.open(file)
    assert len(await store.messages("mao", "h")) == 500
    await store.aclose()


async def test_closing_twice_and_at_once_is_harmless(store: HistoryStore) -> None:
    """Any number of closers may come; each returns when the store is closed."""
    await asyncio.gather(store.aclose(), store.aclose(), store.aclose())
    await store.aclose()


async def test_a_closed_store_refuses(store: HistoryStore) -> None:
    """After closing, every call says that the store is closed."""
    await store.aclose()
    for call in (
        store.append("mao", "h", "human", "x"),
        store.delete("mao", "h"),
        store.list("mao"),
        store.messages("mao", "h"),
        store.count("mao"),
    ):
        with pytest.raises(HistoryError, match="store is closed") as caught:
            await call
        assert caught.value.kind == "closed"


def test_a_store_outlives_the_loop_that_opened_it(file: Path) -> None:
    """A loop that is closed with messages on their way loses none, and another loop can close the store."""
    first = asyncio.new_event_loop()
    store = first.run_until_complete(HistoryStore.open(file))
    hold = Hold(file)

    async def hand_in() -> None:
        for number in range(20):
            store.append_nowait("mao", "h", "human", str(number))

    first.run_until_complete(hand_in())
    first.close()
    hold.close()

    async def finish() -> None:
        await store.append("mao", "h", "human", "20")
        assert await contents(store) == [str(number) for number in range(21)]
        await store.aclose()

    asyncio.run(finish())
    assert store.statistics().unheard == 20


def test_two_loops_share_a_store(file: Path) -> None:
    """Two loops in two threads use one store at once, and each gets its own answers."""
    store = asyncio.run(HistoryStore.open(file))

    async def talk(uid: str) -> int:
        await asyncio.gather(*(store.append("mao", uid, "human", str(n)) for n in range(100)))
        return len(await store.messages("mao", uid))

    async def both() -> None:
        other = asyncio.to_thread(asyncio.run, talk("a"))
        assert await asyncio.gather(other, talk("b")) == [100, 100]

    asyncio.run(both())
    asyncio.run(store.aclose())


async def test_a_disk_that_hangs_does_not_hold_up_the_closing(file: Path) -> None:
    """If the writer does not come back in time, closing says so, and no caller is left waiting."""
    store = await HistoryStore.open(file, lock_timeout=2)
    hold = Hold(file)
    waiting = [store.append_nowait("mao", "h", "human", str(n)) for n in range(5)]
    with pytest.raises(
        HistoryError, match=r"history-writer.* did not end within 0\.02 s; 5 entries"
    ) as caught:
        await store.aclose(deadline=0.02)
    assert caught.value.kind == "stuck"
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(result) for result in results} == {"the history store was closed before this was stored"}
    hold.close()
    await store.aclose()
    assert store.statistics().threads == 0


async def test_a_cancelled_closing_can_be_repeated(file: Path) -> None:
    """Cancelling the wait for the end leaves the end on its way."""
    store = await HistoryStore.open(file, lock_timeout=2)
    hold = Hold(file)
    waiting = store.append_nowait("mao", "h", "human", "x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await store.aclose()
    hold.close()
    await store.aclose()
    assert waiting.done()
    assert waiting.exception() is None


async def test_a_cancelled_opening_leaves_no_thread(file: Path) -> None:
    """Whoever gives up waiting for the opening leaves nothing behind (the thread check sees to it)."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await HistoryStore.open(file)


async def test_after_a_broken_connection_a_new_one_is_opened(
    monkeypatch: pytest.MonkeyPatch, file_store: HistoryStore
) -> None:
    """A failing disk is reported for each message; the next one is tried on a fresh connection."""
    await file_store.append("mao", "h", "human", "one")
    real, opened = Database.write, []

    def fail_once(self: Database, batch: Any) -> list[bool]:
        opened.append(self)
        if len(opened) == 1:
            raise HistoryError("the disk is on fire", "io")
        return real(self, batch)

    monkeypatch.setattr(Database, "write", fail_once)
    with pytest.raises(HistoryError, match="on fire"):
        await file_store.append("mao", "h", "human", "two")
    await file_store.append("mao", "h", "human", "three")
    assert opened[0] is not opened[1]
    assert await contents(file_store) == ["one", "three"]


@pytest.mark.parametrize("kind", ["io", "row"])
async def test_a_failing_question_does_not_end_the_reader(
    monkeypatch: pytest.MonkeyPatch, store: HistoryStore, kind: Any
) -> None:
    """A reader survives errors, also ones nobody foresaw, and hands them to the asker."""
    await store.append("mao", "h", "human", "x")

    def fail(error: Exception) -> None:
        def count(self: Database, conf_uid: str) -> int:
            raise error

        monkeypatch.setattr(Database, "count", count)

    fail(HistoryError("no", kind))
    with pytest.raises(HistoryError, match="no"):
        await store.count("mao")
    fail(ZeroDivisionError("odd"))
    with pytest.raises(HistoryError, match="could not be read: ZeroDivisionError: odd"):
        await store.count("mao")
    monkeypatch.undo()
    assert await store.count("mao") == 1


async def test_should_the_writer_die_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread that dies of the unforeseeable fails what it held, closes the store, and is logged."""
    store = await HistoryStore.open(file)

    def die(self: Database, batch: Any) -> list[bool]:
        raise SystemExit("unforeseeable")

    monkeypatch.setattr(Database, "write", die)
    results = await asyncio.gather(
        *(store.append("mao", "h", "human", str(n)) for n in range(3)), return_exceptions=True
    )
    assert {str(result) for result in results} <= {
        "histories could not be stored: SystemExit: unforeseeable",
        "the history store is closed; open a new one",
    }
    assert len(results) == 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    await store.aclose()


async def test_the_threads_are_bounded(file_store: HistoryStore) -> None:
    """However much is asked at once, three threads do it."""
    await asyncio.gather(*(file_store.count("mao") for _ in range(200)))
    assert file_store.statistics().threads == 3
