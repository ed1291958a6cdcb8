"""What asyncio really does: each claim of docs/owning-tasks.md as a check that runs.

    python examples/owning_tasks/checks.py [name ...]

Each check asserts its claim and prints what it measured. The thresholds are generous; the figures are yours.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from collections.abc import Callable, Coroutine
from time import perf_counter, process_time
from typing import Any

from greenroom.tasks import TaskScope

Check = Callable[[], Coroutine[Any, Any, str]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Put a check on the list."""
    CHECKS[function.__name__] = function
    return function


async def end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@check
async def finished_tasks_are_not_kept() -> str:
    """The loop forgets a finished task at once; nothing piles up in it."""

    async def work() -> None:
        pass

    alive = 0
    seen = [weakref.ref(asyncio.create_task(work())) for _ in range(10_000)]
    for _ in range(2):
        await asyncio.sleep(0)
    alive = sum(ref() is not None for ref in seen)
    assert alive == 0
    return f"of {len(seen):,} finished tasks {alive} alive two ticks later"


@check
async def a_list_of_tasks_keeps_them() -> str:
    """What keeps finished tasks, and all they hold, is our own list: `task_list.append(task)` is a leak."""

    async def work() -> bytes:
        return bytes(1000)

    kept = [asyncio.create_task(work()) for _ in range(1000)]
    discarded: set[asyncio.Task[bytes]] = set()
    for _ in range(1000):
        task = asyncio.create_task(work())
        discarded.add(task)
        task.add_done_callback(discarded.discard)
    for _ in range(3):
        await asyncio.sleep(0)
    held = sum(len(task.result()) for task in kept)
    assert held == 1_000_000
    assert not discarded
    return f"the list holds {len(kept):,} results ({held:,} bytes), the set with discard {len(discarded)}"


@check
async def a_tick_does_not_walk_over_tasks() -> str:
    """A turn of the loop costs the same, however many tasks wait."""

    async def ticks() -> float:
        began = process_time()
        for _ in range(20_000):
            await asyncio.sleep(0)
        return (process_time() - began) / 20_000 * 1e6

    gate = asyncio.Event()
    alone = min([await ticks() for _ in range(3)])
    idle = [asyncio.create_task(gate.wait()) for _ in range(50_000)]
    await asyncio.sleep(0)
    crowded = min([await ticks() for _ in range(3)])
    await end(idle)
    assert crowded < alone * 2
    return f"{alone:.2f} µs a tick alone, {crowded:.2f} µs beside 50,000 waiting tasks"


@check
async def forgotten_pollers_cost_cpu() -> str:
    """What makes a loop slow is what forgotten tasks do: polling, for one."""

    async def poll() -> None:
        while True:  # noqa: ASYNC110 - polling is what is measured
            await asyncio.sleep(0.1)

    async def share(work: Callable[[], Coroutine[Any, Any, Any]]) -> float:
        tasks = [asyncio.create_task(work()) for _ in range(1000)]
        await asyncio.sleep(0)
        began, cpu = perf_counter(), process_time()
        await asyncio.sleep(0.6)
        used = (process_time() - cpu) / (perf_counter() - began) * 100
        await end(tasks)
        return used

    waiting = await share(asyncio.Event().wait)
    polling = await share(poll)
    assert polling > 1 > waiting
    return (
        f"1,000 waiting tasks use {waiting:.1f} % of a core, 1,000 that poll each 0.1 s use {polling:.1f} %"
    )


@check
async def polling_makes_wait() -> str:
    """A poller notices late: half its interval on average. An event wakes its waiter at once."""
    gate = asyncio.Event()
    flag = [False]
    delays: dict[str, float] = {}
    began = [0.0]

    async def wait_for_event() -> None:
        await gate.wait()
        delays["event"] = perf_counter() - began[0]

    async def poll() -> None:
        while not flag[0]:  # noqa: ASYNC110 - polling is what is measured
            await asyncio.sleep(0.1)
        delays["poll"] = perf_counter() - began[0]

    tasks = [asyncio.create_task(wait_for_event()), asyncio.create_task(poll())]
    await asyncio.sleep(0.03)
    began[0] = perf_counter()
    flag[0] = True
    gate.set()
    await asyncio.gather(*tasks)
    assert delays["event"] * 10 < delays["poll"]
    return f"the event after {delays['event'] * 1000:.2f} ms, the poller after {delays['poll'] * 1000:.0f} ms"


@check
async def errors_wait_for_the_last_reference() -> str:
    """An error in a forgotten task is reported when the task object dies; while something holds it, never."""
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reported.append(str(context["message"])))

    async def fail() -> None:
        raise ValueError("nobody hears this")

    held = asyncio.create_task(fail())
    await asyncio.sleep(0.01)
    gc.collect()
    while_held = len(reported)
    del held
    gc.collect()
    after = len(reported)
    loop.set_exception_handler(before)
    assert (while_held, after) == (0, 1)
    return f"{while_held} reports while an attribute held the task, {after} when it was let go"


@check
async def a_task_nobody_holds_can_vanish() -> str:
    """The loop holds a waiting task weakly: if what it waits for is held by itself only, it is collected."""
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reported.append(str(context["message"])))
    finished: list[str] = []

    async def work() -> None:
        await asyncio.get_running_loop().create_future()
        finished.append("never")

    seen = weakref.ref(asyncio.create_task(work()))
    await asyncio.sleep(0)
    gc.collect()
    loop.set_exception_handler(before)
    assert seen() is None
    assert reported == ["Task was destroyed but it is pending!"]
    return f"gone in mid-work, with the message {reported[0]!r}"


@check
async def a_semaphore_bounds_the_running_not_the_waiting() -> str:
    """With a semaphore inside the task, all wait as full tasks, and cancelling them is quadratic."""

    async def by_hand(count: int) -> float:
        semaphore = asyncio.Semaphore(5)

        async def work() -> None:
            async with semaphore:
                await asyncio.sleep(1000)

        tasks = [asyncio.create_task(work()) for _ in range(count)]
        await asyncio.sleep(0)
        began = process_time()
        await end(tasks)
        return (process_time() - began) * 1000

    async def scope(count: int) -> float:
        owner = TaskScope("check", max_running=5, max_waiting=count)
        for _ in range(count):
            owner.start(asyncio.sleep, 1000)
        await asyncio.sleep(0)
        began = process_time()
        await owner.close()
        return (process_time() - began) * 1000

    some, many, ours = await by_hand(2500), await by_hand(10_000), await scope(10_000)
    assert ours * 10 < many
    return f"2,500 waiting: {some:.0f} ms, 10,000: {many:.0f} ms to end; in a scope {ours:.1f} ms"


@check
async def a_deadline_needs_wait_not_wait_for() -> str:
    """`wait_for` waits for ever for a task that swallows its cancellation; `TaskScope.close` ends."""
    gate = asyncio.Event()

    async def stubborn() -> None:
        while not gate.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await gate.wait()

    async def close_by_hand() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.create_task(stubborn()), 0.05)

    closing = asyncio.create_task(close_by_hand())
    done, _ = await asyncio.wait([closing], timeout=0.3)
    scope = TaskScope("check")
    scope.start(stubborn)
    await asyncio.sleep(0)
    began = perf_counter()
    report = await scope.close(0.05)
    taken = perf_counter() - began
    gate.set()
    await closing
    assert not done
    assert len(report.abandoned) == 1
    assert taken < 0.25
    return f"wait_for(…, 0.05) still hangs after 0.3 s; close(0.05) took {taken:.3f} s and named the job"


@check
async def one_failure_ends_a_task_group() -> str:
    """A TaskGroup is for one piece of work: a failure cancels the siblings. In a scope they go on."""

    async def fail() -> None:
        raise ValueError("one page's problem")

    async def sibling(trail: list[str]) -> None:
        await asyncio.sleep(0.01)
        trail.append("finished")

    in_group: list[str] = []
    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(sibling(in_group))
            group.create_task(fail())
    in_scope: list[str] = []
    errors: list[str] = []

    class Observer:
        def job_failed(self, job: Any, error: BaseException) -> None:
            errors.append(f"{job.path}: {error}")

        def job_abandoned(self, info: Any) -> None: ...
        def scope_closed(self, report: Any) -> None: ...

    async with TaskScope("app", observer=Observer()) as scope:
        job = scope.start(sibling, in_scope)
        scope.start(fail)
        await job
    assert (in_group, in_scope) == ([], ["finished"])
    assert errors == ["app/fail: one page's problem"]
    return "siblings finished: 0 of 1 in the group, 1 of 1 in the scope"


def main(names: list[str]) -> None:
    """Run the checks named, or all."""
    for name in names or list(CHECKS):
        print(f"{name}: {asyncio.run(CHECKS[name]())}")


if __name__ == "__main__":
    main(sys.argv[1:])
