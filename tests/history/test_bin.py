"""The bin: deletions that can be undone, until their time is up, also across a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.history import HistoryBin, HistoryError, HistoryStore
from greenroom.history import bin as bins
from greenroom.tasks import TaskScope

KEPT = 600.0


class Room:
    """A store with a bin whose clock is set by the test."""

    def __init__(self, store: HistoryStore) -> None:
        self.now = 1_000_000.0
        self.store = store
        self.scope = TaskScope("bin")
        self.bin = self.again()

    def again(self, store: HistoryStore | None = None) -> HistoryBin:
        """A bin as after a restart."""
        return HistoryBin(store or self.store, self.scope, KEPT, clock=lambda: self.now)

    async def emptied(self) -> None:
        """The timer goes off, and what it starts is done."""
        self.bin._empty_soon()
        for job in tuple(self.scope.running):
            await job.wait()

    def waits(self) -> float | None:
        """Seconds until the timer goes off."""
        timer = self.bin._timer
        return None if timer is None else timer.when() - timer._loop.time()  # type: ignore[attr-defined]


@pytest.fixture
async def room(store: HistoryStore) -> AsyncIterator[Room]:
    made = Room(store)
    yield made
    made.bin.close()
    report = await made.scope.close()
    assert report.clean


async def test_undone_in_time(room: Room) -> None:
    """It is told how long there is; the list says what is left of it; then it is back."""
    await room.store.append("mao", "a", "human", "hello")
    assert await room.bin.discard("mao", "a") == KEPT
    room.now += 100
    ((entry, left),) = await room.bin.contents("mao", 10)
    assert (entry.uid, round(left)) == ("a", 500)
    assert await room.bin.restore("mao", "a") is True
    assert await room.bin.contents("mao", 10) == []
    assert await room.store.count("mao") == 1


async def test_too_late(room: Room) -> None:
    """When the time is up it is gone for good, and nothing is waited for any more."""
    await room.store.append("mao", "a", "human", "hello")
    await room.bin.discard("mao", "a")
    room.now += KEPT + 1
    await room.emptied()
    assert await room.bin.restore("mao", "a") is False
    assert room.waits() is None


async def test_nothing_there(room: Room) -> None:
    """What is not stored cannot be put into the bin, and sets no timer."""
    assert await room.bin.discard("mao", "nobody") is None
    assert room.waits() is None


async def test_the_timer_waits_for_the_earliest(room: Room) -> None:
    """One timer; later ones do not move it, and after it the next is waited for."""
    for uid in "ab":
        await room.store.append("mao", uid, "human", "hello")
    await room.bin.discard("mao", "a")
    room.now += 100
    await room.bin.discard("mao", "b")
    assert room.waits() == pytest.approx(KEPT, abs=2)
    room.now += 500.01
    await room.emptied()
    assert await room.store.restore("mao", "a") is False
    assert room.waits() == pytest.approx(100, abs=2)


async def test_a_restart_goes_on(file: Path) -> None:
    """What became due while the server was down goes at the start; the rest is still there to be had back."""
    first = await HistoryStore.open(file)
    room = Room(first)
    for uid in "ab":
        await first.append("mao", uid, "human", "hello")
    await room.bin.discard("mao", "a")
    room.now += 400
    await room.bin.discard("mao", "b")
    room.bin.close()
    await first.aclose()
    room.now += 300
    second = await HistoryStore.open(file)
    room.bin = room.again(second)
    await room.emptied()
    assert [entry.uid for entry, _ in await room.bin.contents("mao", 10)] == ["b"]
    assert room.waits() == pytest.approx(300, abs=2)
    assert await room.bin.restore("mao", "b") is True
    assert await second.restore("mao", "a") is False
    room.bin.close()
    await room.scope.close()
    await second.aclose()


async def test_a_disk_that_fails(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported and tried again after a while; nothing is lost."""

    async def fails(now: float, most: int) -> int:
        raise HistoryError("the disk is full", "full")

    await room.store.append("mao", "a", "human", "hello")
    await room.bin.discard("mao", "a")
    room.now += KEPT + 1
    with monkeypatch.context() as broken:
        broken.setattr(room.store, "purge", fails)
        await room.emptied()
    assert room.waits() == pytest.approx(bins.AGAIN_SECONDS, abs=2)
    await room.emptied()
    assert await room.store.restore("mao", "a") is False


async def test_after_the_server_has_closed(room: Room) -> None:
    """A timer that goes off late starts nothing."""
    await room.scope.close()
    room.bin._empty_soon()
    assert room.waits() is None
