"""The measurements. Each returns one figure; `__main__` repeats them in turns and takes medians.

Times are CPU time of the process: what else the machine does must not decide.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from time import process_time
from typing import Any

import aiojobs
import aiotools
import anyio

from greenroom.tasks import TaskScope

from .contenders import CONTENDERS, Contender

LIVE = 10_000
Start = Callable[[], Awaitable[Any]]
End = Callable[[Any], Awaitable[Any]]


async def _noop() -> None:
    pass


async def _forever() -> None:
    await asyncio.sleep(1000)


async def _settle(contender: Contender) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()


async def spawn(kind: type[Contender]) -> float:
    """µs to start a task and let it finish, in batches of 100."""
    contender = kind(1000)
    await contender.open()
    count = 20_000
    began = process_time()
    for _ in range(count // 100):
        for _ in range(100):
            pending = contender.start(_noop)
            if pending is not None:
                await pending
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    taken = process_time() - began
    await contender.close()
    return taken / count * 1e6


async def memory(kind: type[Contender]) -> float:
    """Bytes per task that is alive and waits, coroutine included."""
    contender = kind(2 * LIVE)
    await contender.open()
    waiting = asyncio.Event()

    async def work() -> None:
        await waiting.wait()

    gc.collect()
    tracemalloc.start()
    for _ in range(LIVE):
        pending = contender.start(work)
        if pending is not None:
            await pending
    await _settle(contender)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    await contender.close()
    return held / LIVE


async def close_live(kind: type[Contender]) -> float:
    """ms to end 10,000 running tasks."""
    contender = kind(2 * LIVE)
    await contender.open()
    for _ in range(LIVE):
        pending = contender.start(_forever)
        if pending is not None:
            await pending
    await _settle(contender)
    began = process_time()
    await contender.close()
    return (process_time() - began) * 1e3


async def close_waiting(kind: type[Contender]) -> float:
    """ms to end 5 running tasks and 10,000 that wait for them."""
    contender = kind(5)
    await contender.open()
    semaphore: asyncio.Semaphore | None = getattr(contender, "semaphore", None)

    async def guarded() -> None:
        assert semaphore is not None
        async with semaphore:
            await _forever()

    for _ in range(LIVE + 5):
        pending = contender.start(_forever if semaphore is None else guarded)
        if pending is not None:
            await pending
    await _settle(contender)
    began = process_time()
    await contender.close()
    return (process_time() - began) * 1e3


async def supersede_ours() -> float:
    """µs to replace a running job by a newer one that begins when it has ended."""
    scope = TaskScope("bench")
    count = 3000
    began = process_time()
    for _ in range(count):
        scope.start(_forever, key="k", policy="restart")
        for _ in range(4):
            await asyncio.sleep(0)
    taken = process_time() - began
    assert scope.statistics().superseded == count - 1
    await scope.close()
    return taken / count * 1e6


async def _supersede(start: Start, end: End) -> float:
    """The same by hand: end the old one, wait until it has ended, start the new one."""
    count = 3000
    began = process_time()
    old = await start()
    for _ in range(count):
        await asyncio.sleep(0)
        await end(old)
        old = await start()
    await asyncio.sleep(0)
    taken = process_time() - began
    await end(old)
    return taken / count * 1e6


async def supersede_raw() -> float:
    """With `create_task`, `cancel` and `asyncio.wait`."""

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(_forever())

    async def end(task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task])

    return await _supersede(start, end)


async def supersede_aiotools() -> float:
    """With aiotools' `TaskScope` and `cancel_and_wait`."""
    async with aiotools.TaskScope() as scope:

        async def start() -> asyncio.Task[None]:
            return scope.create_task(_forever())

        return await _supersede(start, aiotools.cancel_and_wait)


async def supersede_aiojobs() -> float:
    """With aiojobs' `spawn` and `Job.close`."""
    async with aiojobs.Scheduler() as scheduler:
        return await _supersede(lambda: scheduler.spawn(_forever()), lambda job: job.close(timeout=60))


async def supersede_anyio() -> float:
    """With a cancel scope of anyio for each job, and an event for its end."""
    async with anyio.create_task_group() as group:

        async def start() -> tuple[anyio.CancelScope, anyio.Event]:
            scope, ended = anyio.CancelScope(), anyio.Event()

            async def run() -> None:
                with scope:
                    await _forever()
                ended.set()

            group.start_soon(run)
            return scope, ended

        async def end(old: tuple[anyio.CancelScope, anyio.Event]) -> None:
            old[0].cancel()
            await old[1].wait()

        return await _supersede(start, end)


async def close_list() -> float:
    """ms to cancel 10,000 tasks of a list, which nobody prunes, and to wait for them: the least one can do."""
    tasks = [asyncio.create_task(_forever()) for _ in range(LIVE)]
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    began = process_time()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return (process_time() - began) * 1e3


async def census() -> float:
    """ms of a snapshot of 10,000 jobs in 100 scopes."""
    from greenroom.tasks import census

    async with TaskScope("bench") as root:
        for number in range(100):
            page = root.child(f"page {number}")
            for _ in range(100):
                page.start(_forever)
        await asyncio.sleep(0)
        began = process_time()
        assert len(await census(root)) == LIVE
        return (process_time() - began) * 1e3


async def page() -> float:
    """µs to open and close an empty child scope."""
    root = TaskScope("bench")
    count = 5000
    began = process_time()
    for _ in range(count):
        await root.child("page").close()
    taken = process_time() - began
    await root.close()
    return taken / count * 1e6


MEASURES = {
    "spawn": (spawn, "start and finish, µs a task"),
    "memory": (memory, "bytes per live task"),
    "close_live": (close_live, "close 10,000 running, ms"),
    "close_waiting": (close_waiting, "close 5 running and 10,000 waiting, ms"),
}
SINGLES = {
    "supersede": (supersede_ours, "replace a running job, µs"),
    "supersede by hand": (supersede_raw, "the same by hand: cancel, wait, create_task, µs"),
    "supersede aiotools": (supersede_aiotools, "… with aiotools: cancel_and_wait, create_task, µs"),
    "supersede aiojobs": (supersede_aiojobs, "… with aiojobs: Job.close, spawn, µs"),
    "supersede anyio": (supersede_anyio, "… with anyio: cancel scope, event, start_soon, µs"),
    "close_list": (close_list, "cancel and wait for 10,000 tasks of a bare list, ms"),
    "census": (census, "snapshot of 10,000 jobs, ms"),
    "page": (page, "open and close an empty child scope, µs"),
}
__all__ = ["CONTENDERS", "MEASURES", "SINGLES"]
