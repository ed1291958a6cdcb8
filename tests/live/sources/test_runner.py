"""Tests of the runner, on a clock that jumps: reconnecting, stopping, floods, what it reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tests.live.sources.helpers import ScriptedSource, message
from tests.tasks.virtual_loop import now, ticks, virtual

from greenroom.live.sources.backoff import Pauses
from greenroom.live.sources.base import ChatMessage, SourceError
from greenroom.live.sources.moderation import ModerationRules
from greenroom.live.sources.runner import MAX_PER_SECOND, REMEMBERED_IDS, SourceRunner
from greenroom.tasks import TaskScope

LOST = SourceError("the connection was lost")


class Room:
    """What a room got."""

    def __init__(self, error: Exception | None = None) -> None:
        self.got: list[tuple[str, str]] = []
        self._error = error

    def __call__(self, room: str, given: ChatMessage) -> None:
        self.got.append((room, given.text))
        if self._error is not None:
            raise self._error


def runner(source: ScriptedSource, scope: TaskScope, take: Callable[[str, ChatMessage], None], **more: Any):
    """A runner on the loop's clock, without luck."""
    loop = asyncio.get_running_loop()
    more.setdefault("pauses", Pauses(1, 8, 60))
    return SourceRunner(source, scope, take, clock=loop.time, random=lambda: 1.0, **more)


@virtual
async def test_messages_reach_the_room():
    """Accepted messages are handed on in order; the stream's end ends the runner."""
    room = Room()
    source = ScriptedSource(["connected", message("one"), message("!bot"), message("  two ")])
    async with TaskScope("test") as scope:
        runs = runner(source, scope, room, room="second")
        assert runs.statistics().state == "idle"
        runs.start()
        await runs.wait()
        statistics = runs.statistics()
    assert room.got == [("second", "one"), ("second", "two")]
    assert (statistics.state, statistics.received, statistics.accepted) == ("ended", 3, 2)
    assert statistics.refused == {"command": 1}
    assert (source.opened, source.closed) == (1, 1)


@virtual
async def test_reconnects_with_growing_pauses():
    """A lost connection is made again after 1, 2, 4, 8, 8 seconds; a healthy one begins anew."""
    times: list[float] = []
    source = ScriptedSource(
        *([LOST] for _ in range(5)), ["connected", 60, LOST], ["connected", message(), LOST], [LOST]
    )
    async with TaskScope("test") as scope:
        runs = runner(
            source, scope, Room(), on_state=lambda s: times.append(now()) if s.state == "connecting" else None
        )
        runs.start()
        await asyncio.sleep(90.5)
        assert runs.statistics().state == "waiting"
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [1, 2, 4, 8, 8, 60 + 1, 2, 4]


@virtual
async def test_what_the_ops_page_shows():
    """While it waits, the statistics tell when the next attempt is and what was wrong; success clears it."""
    source = ScriptedSource([SourceError("no network", "plug it in")], ["connected", 100])
    async with TaskScope("test") as scope:
        runs = runner(source, scope, Room())
        runs.start()
        await asyncio.sleep(0.25)
        waiting = runs.statistics()
        assert (waiting.state, waiting.last_error, waiting.last_hint) == (
            "waiting",
            "no network",
            "plug it in",
        )
        assert (waiting.next_try, waiting.since, waiting.failures_in_a_row) == (0.75, 0.25, 1)
        await asyncio.sleep(1)
        fine = runs.statistics()
        assert (fine.state, fine.last_error, fine.next_try, fine.connections) == ("connected", "", None, 1)


@virtual
async def test_retry_now():
    """Nobody has to wait for the pause: a request connects at once."""
    source = ScriptedSource([SourceError("quota", retry_after=1800)], ["connected", 100])
    async with TaskScope("test") as scope:
        runs = runner(source, scope, Room())
        runs.start()
        await asyncio.sleep(5)
        assert runs.statistics().next_try == 1795
        runs.retry_now()
        await ticks()
        assert runs.statistics().state == "connected"
        assert now() == 1005


@virtual
async def test_what_cannot_succeed_is_not_repeated():
    """A wrong name ends the source for good, and says why; it can be started again."""
    source = ScriptedSource([SourceError("no such channel", "check it", retryable=False)], ["connected"])
    async with TaskScope("test") as scope:
        runs = runner(source, scope, Room())
        runs.start()
        await runs.wait()
        assert (runs.statistics().state, runs.statistics().last_hint) == ("failed", "check it")
        await asyncio.sleep(1000)
        assert source.opened == 1
        runs.start()
        await runs.wait()
        assert runs.statistics().state == "ended"


@virtual
async def test_an_unforeseen_error_is_reported_and_tried_again():
    """A defect in a source neither ends the chat for good nor vanishes."""
    source = ScriptedSource([ZeroDivisionError("oops")], ["connected", message(), 100])
    room = Room()
    async with TaskScope("test") as scope:
        runs = runner(source, scope, room)
        runs.start()
        await asyncio.sleep(0.5)
        assert "ZeroDivisionError: oops" in runs.statistics().last_error
        await asyncio.sleep(2)
        assert len(room.got) == 1


@virtual
async def test_a_room_that_raises_costs_one_message():
    """An error of the room is counted, and the chat goes on."""
    room = Room(RuntimeError("full"))
    source = ScriptedSource(["connected", message("one"), message("two")])
    async with TaskScope("test") as scope:
        runs = runner(source, scope, room)
        runs.start()
        await runs.wait()
        assert len(room.got) == 2
        assert (runs.statistics().accepted, runs.statistics().refused) == (0, {"callback": 2})


@virtual
async def test_one_message_is_handed_on_once():
    """A message that a second connection delivers again is dropped."""
    source = ScriptedSource(
        ["connected", message("a", id="1"), message("b", id="2"), LOST],
        ["connected", message("b", id="2"), message("c", id="3")],
    )
    room = Room()
    async with TaskScope("test") as scope:
        runs = runner(source, scope, room)
        runs.start()
        await runs.wait()
        assert [text for _, text in room.got] == ["a", "b", "c"]
        assert runs.statistics().refused == {"duplicate": 1}


@virtual
async def test_a_flood_is_cut_off_before_it_is_read():
    """Beyond so many a second messages are only counted; who paid gets through, and others get their turn."""
    flood = [message(sender=str(number)) for number in range(5000)]
    source = ScriptedSource(["connected", *flood, message("paid", priority=1), 1, message("later"), 1])
    room = Room()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while len(room.got) <= MAX_PER_SECOND:
            turns += 1
            await asyncio.sleep(0)

    async with TaskScope("test") as scope:
        runs = runner(source, scope, room, rules=ModerationRules(per_minute=0))
        runs.start()
        await scope.run(others)
        await runs.wait()
        statistics = runs.statistics()
        assert statistics.refused == {"flood": 5000 - MAX_PER_SECOND}
        assert statistics.received == 5002
    assert [text for _, text in room.got[-2:]] == ["paid", "later"]
    assert turns >= 100
    assert len(runs._seen) <= REMEMBERED_IDS


@virtual
async def test_remembered_ids_are_bounded():
    """Only so many ids are kept, however long the stream."""
    script: list[Any] = ["connected"]
    for _ in range(30):
        script += [*(message() for _ in range(MAX_PER_SECOND)), 1]
    async with TaskScope("test") as scope:
        runs = runner(ScriptedSource(script), scope, Room(), rules=ModerationRules(per_minute=0))
        runs.start()
        await runs.wait()
        assert len(runs._seen) == REMEMBERED_IDS


@virtual
@pytest.mark.parametrize("moment", ["connecting", "connected", "waiting"])
async def test_closing_the_scope_ends_it(moment: str):
    """In any state the scope's end closes the source, and nothing is left."""
    script: dict[str, list[Any]] = {
        "connecting": [100],
        "connected": ["connected", 100],
        "waiting": [LOST],
    }
    source = ScriptedSource(script[moment])
    async with TaskScope("test") as scope:
        runs = runner(source, scope, Room())
        runs.start()
        await asyncio.sleep(0.5)
        assert runs.statistics().state == moment
        report = await scope.close()
        assert not report.abandoned
    assert (source.opened, source.closed) == (1, 1)
    assert runs.statistics().state == "idle"
    assert runs.statistics().next_try is None


@virtual
async def test_stop_and_start():
    """A stopped source can be started again; one that runs cannot be started twice."""
    source = ScriptedSource(["connected", 100], ["connected", message("again"), 100])
    room = Room()
    async with TaskScope("test") as scope:
        runs = runner(source, scope, room)
        runs.stop()
        runs.start()
        await ticks()
        with pytest.raises(RuntimeError, match="runs already"):
            runs.start()
        runs.stop()
        await runs.wait()
        assert runs.statistics().state == "idle"
        runs.start()
        await ticks()
        assert room.got == [("main", "again")]
