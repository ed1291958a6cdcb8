"""The measurements. Each returns one figure; `__main__` repeats them in turns and takes medians.

Times are CPU time of the process: what else the machine does must not decide.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from time import process_time

from greenroom.tasks import TaskScope

from .contenders import CONTENDERS, Contender

LIVE = 10_000


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


async def supersede_raw() -> float:
    """The same by hand: cancel the old task, wait for it, start the new one."""
    count = 3000
    began = process_time()
    old = asyncio.create_task(_forever())
    for _ in range(count):
        await asyncio.sleep(0)
        old.cancel()
        await asyncio.wait([old])
        old = asyncio.create_task(_forever())
    await asyncio.sleep(0)
    taken = process_time() - began
    old.cancel()
    await asyncio.wait([old])
    return taken / count * 1e6


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
    "supersede by hand": (supersede_raw, "cancel, wait, create_task by hand, µs"),
    "census": (census, "snapshot of 10,000 jobs, ms"),
    "page": (page, "open and close an empty child scope, µs"),
}
__all__ = ["CONTENDERS", "MEASURES", "SINGLES"]
