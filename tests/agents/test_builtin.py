"""Tests of the built-in engine: its pace, its slots, its end."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import Any

import pytest

from greenroom.agents.base import AgentError
from greenroom.agents.builtin import BREATH, BuiltinEngine, Pace
from greenroom.config.settings import BuiltinSettings

from .helpers import FakeTime, ask, ticks, wait_until


def engine_of(time: FakeTime | None = None, **settings: Any) -> BuiltinEngine:
    values = {"first_token_seconds": 0, "tokens_per_second": 0} | settings
    if time is None:
        return BuiltinEngine(BuiltinSettings(**values))
    return BuiltinEngine(BuiltinSettings(**values), time=time, sleep=time.sleep)


async def test_pace_is_absolute() -> None:
    """The first token comes after its delay, the others on the beat, with one sleep each and no drift."""
    time = FakeTime()
    engine = engine_of(time, first_token_seconds=0.25, tokens_per_second=40, words=81)
    came = [time.now - 1000 async for _ in engine.stream(ask("Hello"))]
    assert came == pytest.approx([0.25 + i / 40 for i in range(81)])
    assert len(time.sleeps) == 81


async def test_late_timers_are_caught_up() -> None:
    """When sleeps wake too late, what is due comes in one piece and the whole takes no longer."""
    time = FakeTime(late=0.06)
    engine = engine_of(time, first_token_seconds=0.25, tokens_per_second=40, words=81)
    pieces = [piece async for piece in engine.stream(ask("Hello"))]
    assert len(pieces) < 40
    assert len(" ".join(pieces).split()) == 81
    assert time.now - 1000 < 0.25 + 80 / 40 + 0.07


async def test_as_fast_as_possible_never_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both set to 0 there is no timer at all, but others get a turn every few tokens."""
    time = FakeTime()
    engine = engine_of(time, words=100)
    rounds = 0

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(count())
    pieces = [piece async for piece in engine.stream(ask("Hello"))]
    task.cancel()
    await asyncio.wait({task})
    assert len(pieces) == 100
    assert not time.sleeps
    assert rounds >= 100 // BREATH


def test_pace_rounds_kindly() -> None:
    """At the very time of a token it is due, whatever the rounding of floats; before it is not."""
    for rate in (3.0, 7.0, 40.0, 333.3):
        pace = Pace(1000.1, rate)
        for index in range(500):
            due = pace.due(pace.time_of(index))
            assert due == index + 1
            assert pace.due(pace.time_of(index) - 0.001) == index


async def test_same_request_same_reply() -> None:
    """Nothing is random."""
    replies = [[piece async for piece in engine_of().stream(ask("Tell me a story"))] for _ in range(2)]
    assert replies[0] == replies[1]


async def test_slow_start() -> None:
    """`init_seconds` are waited for in `start`, and can be cancelled."""
    time = FakeTime()
    await engine_of(time, init_seconds=3).start()
    assert time.sleeps == [3]
    task = asyncio.get_running_loop().create_task(engine_of(init_seconds=60).start())
    await ticks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_slot_wait_comes_before_the_first_token_time() -> None:
    """With one slot the second reply begins when the first has ended, and then has its own first delay."""
    time = FakeTime()
    engine = engine_of(time, slots=1, first_token_seconds=1, words=3)
    first = engine.stream(ask("One"))
    await anext(first)
    second = asyncio.get_running_loop().create_task(anext(engine.stream(ask("Two"))))
    await ticks()
    assert engine.statistics().waiting == 1
    time.now += 10
    await first.aclose()
    await ticks()
    assert second.done()
    assert time.now == 1000 + 1 + 10 + 1


@pytest.mark.parametrize("state", ["waiting", "before the first token", "between two tokens", "granted"])
async def test_slot_is_freed_in_every_state(state: str) -> None:
    """Whenever a stream is cancelled or closed, its slot is free at once."""
    engine = engine_of(
        slots=1, first_token_seconds=3600 if state == "before the first token" else 0, words=50
    )
    loop = asyncio.get_running_loop()
    if state == "between two tokens":
        stream = engine.stream(ask("Hi"))
        await anext(stream)
        await stream.aclose()
    elif state == "before the first token":
        task = loop.create_task(anext(engine.stream(ask("Hi"))))
        await ticks()
        assert engine.statistics().generating == 1
        task.cancel()
        await asyncio.wait({task})
    else:
        holder = engine.stream(ask("Hi"))
        await anext(holder)
        task = loop.create_task(anext(engine.stream(ask("Hi"))))
        await ticks()
        if state == "granted":
            await holder.aclose()
            task.cancel()
        else:
            task.cancel()
            await ticks()
            await holder.aclose()
        await asyncio.wait({task})
        assert task.cancelled()
    numbers = engine.statistics()
    assert (numbers.generating, numbers.waiting) == (0, 0)
    assert numbers.started == numbers.aborted


@pytest.mark.parametrize("seed", range(5))
async def test_random_cancels_lose_nothing(seed: int) -> None:
    """Hundreds of readers, cancelled at random, leave an engine that is as new."""
    chance = random.Random(seed)
    engine = engine_of(slots=2, words=20, tokens_per_second=50_000)
    loop = asyncio.get_running_loop()

    async def read(stop_after: int) -> None:
        async with aclosing(engine.stream(ask("Hi"))) as stream:
            count = 0
            async for _ in stream:
                count += 1
                if count >= stop_after:
                    return

    tasks = [loop.create_task(read(chance.randrange(1, 30))) for _ in range(100)]
    for task in tasks:
        if chance.random() < 0.7:
            loop.call_later(chance.random() * 0.01, task.cancel)
    await asyncio.wait(tasks)
    assert not [task for task in tasks if not task.cancelled() and task.exception()]
    numbers = engine.statistics()
    assert (numbers.generating, numbers.waiting, numbers.failed) == (0, 0, 0)
    assert numbers.started == numbers.finished + numbers.aborted


async def test_close_ends_everything() -> None:
    """Closing fails the waiting, ends the running at the next token, and refuses new ones."""
    engine = engine_of(slots=1, words=50)
    running, waiting = engine.stream(ask("Hi")), engine.stream(ask("Hi"))
    await anext(running)
    task = asyncio.get_running_loop().create_task(anext(waiting))
    await wait_until(lambda: engine.statistics().waiting == 1)
    await engine.aclose()
    await engine.aclose()
    for late in (task, anext(running), anext(engine.stream(ask("Hi")))):
        with pytest.raises(AgentError, match="shut down"):
            await late
    numbers = engine.statistics()
    assert (numbers.generating, numbers.waiting, numbers.failed) == (0, 0, 3)
