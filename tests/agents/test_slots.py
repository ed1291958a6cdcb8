"""Tests of the line in front of an engine."""

from __future__ import annotations

import asyncio
import gc
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.agents.base import AgentError
from greenroom.agents.slots import Slots

from .helpers import ticks


async def test_no_limit_never_waits() -> None:
    """Limit 0 lets everybody in."""
    slots = Slots(0)
    for _ in range(100):
        await slots.acquire()
    assert (slots.busy, slots.waiting) == (100, 0)


async def test_first_come_first_served() -> None:
    """Those in line get the slot in the order they came."""
    slots, order = Slots(1), []
    await slots.acquire()

    async def one(number: int) -> None:
        await slots.acquire()
        order.append(number)
        slots.release()

    tasks = [asyncio.get_running_loop().create_task(one(number)) for number in range(5)]
    await ticks()
    assert slots.waiting == 5
    slots.release()
    await asyncio.wait(tasks)
    assert order == [0, 1, 2, 3, 4]
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_newcomer_does_not_jump_the_line() -> None:
    """A slot that has been promised is not free for who comes between promise and wake-up."""
    slots = Slots(1)
    await slots.acquire()
    first = asyncio.get_running_loop().create_task(slots.acquire())
    await ticks()
    slots.release()
    second = asyncio.get_running_loop().create_task(slots.acquire())
    await ticks()
    assert first.done()
    assert not second.done()
    slots.release()
    await second
    slots.release()
    assert slots.busy == 0


async def test_cancelled_between_grant_and_wake_up() -> None:
    """A waiter that is cancelled when the slot is already its own passes it on."""
    slots = Slots(1)
    await slots.acquire()
    loop = asyncio.get_running_loop()
    first, second = loop.create_task(slots.acquire()), loop.create_task(slots.acquire())
    await ticks()
    slots.release()
    first.cancel()
    await second
    assert first.cancelled()
    slots.release()
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_line_is_bounded() -> None:
    """When the line is full, the next one is told, and that it may try again."""
    slots = Slots(1, max_waiting=1)
    await slots.acquire()
    waiting = asyncio.get_running_loop().create_task(slots.acquire())
    await ticks()
    with pytest.raises(AgentError) as caught:
        await slots.acquire()
    assert caught.value.retryable
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_close_tells_those_in_line() -> None:
    """Closing wakes the line with an error and refuses new ones; held slots can still be given back."""
    slots = Slots(1)
    await slots.acquire()
    waiting = asyncio.get_running_loop().create_task(slots.acquire())
    await ticks()
    slots.close()
    for late in (waiting, slots.acquire()):
        with pytest.raises(AgentError, match="shut down"):
            await late
    slots.release()
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_leaving_the_line_is_cheap() -> None:
    """Cancelling a whole line takes time in proportion to its length, not to its square."""

    async def seconds(count: int) -> float:
        slots = Slots(1, max_waiting=count)
        await slots.acquire()
        tasks = [asyncio.get_running_loop().create_task(slots.acquire()) for _ in range(count)]
        await ticks(2)
        began = perf_counter()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert slots.waiting == 0
        return perf_counter() - began

    gc.disable()
    try:
        await seconds(100)
        # Square growth would be a hundredfold; a busy machine may spoil a round, but not all of them.
        assert any([await seconds(5000) < 40 * await seconds(500) for _ in range(4)])
    finally:
        gc.enable()


@settings(max_examples=150, deadline=None)
@given(
    limit=st.integers(1, 3),
    steps=st.lists(
        st.tuples(st.sampled_from(["come", "leave", "cancel", "tick"]), st.integers(0, 7)),
        min_size=1,
        max_size=60,
    ),
)
def test_no_slot_is_lost(limit: int, steps: list[tuple[str, int]]) -> None:
    """Whatever comes, leaves or is cancelled in whatever state: no slot is lost, none is given twice."""

    async def main() -> None:
        slots = Slots(limit)
        holding: list[asyncio.Event] = []
        tasks: list[asyncio.Task[Any]] = []
        inside = 0

        async def one(done: asyncio.Event) -> None:
            nonlocal inside
            await slots.acquire()
            try:
                inside += 1
                assert inside <= limit
                await done.wait()
            finally:
                inside -= 1
                slots.release()

        for step, which in steps:
            if step == "come":
                holding.append(asyncio.Event())
                tasks.append(asyncio.get_running_loop().create_task(one(holding[-1])))
            elif step == "tick":
                await asyncio.sleep(0)
            elif tasks and step == "leave":
                holding[which % len(holding)].set()
            elif tasks:
                tasks[which % len(tasks)].cancel()
        await ticks(2 * len(tasks) + 2)
        alive = sum(not task.done() for task in tasks)
        assert inside == slots.busy == min(limit, alive)
        assert slots.waiting == alive - inside
        for event in holding:
            event.set()
        await ticks(4 * len(tasks) + 2)
        assert all(task.done() for task in tasks)
        assert not [task for task in tasks if not task.cancelled() and task.exception()]
        assert (slots.busy, slots.waiting) == (0, 0)

    asyncio.run(main())
