"""Blocking calls: results, errors, bounds, and what comes late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from greenroom.tasks import JobCancelled, ScopeClosed, TaskScope

from .recording import Recorder
from .virtual_loop import ticks


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opened at the end in any case, so that no thread is left waiting."""
    event = threading.Event()
    yield event
    event.set()


async def until(event: threading.Event) -> None:
    """Wait for a thread without blocking the loop."""
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, 5)


async def test_results_and_errors() -> None:
    """The call's result or error goes to the caller; the loop's thread is another one."""
    recorder = Recorder()
    async with TaskScope("app", observer=recorder) as scope:
        assert await scope.run_in_thread(threading.get_ident) != threading.get_ident()
        assert await scope.run_in_thread(divmod, 7, 3) == (2, 1)
        with pytest.raises(ValueError, match="invalid literal"):
            await scope.run_in_thread(int, "x")
        assert recorder.failures == []
        assert scope.statistics().finished == 2


async def test_the_call_is_a_job_with_its_own_site(gate: threading.Event) -> None:
    """The census shows the call with its name, and with the line that asked for it."""
    async with TaskScope("app") as scope, TaskScope("outside") as outside:

        async def ask() -> bool:
            return await scope.child("page").run_in_thread(gate.wait, 5)

        outside.start(ask)
        await ticks()
        (job,) = [job for each in scope.walk() for job in each.running]
        assert job.path == "app/page/wait"
        assert "in test_the_call_is_a_job_with_its_own_site.<locals>.ask" in job.site
        gate.set()


async def test_one_bounded_pool_for_the_tree(gate: threading.Event) -> None:
    """However many scopes call, no more threads run than the root allows."""
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running.append(1)
            most.append(len(running))
        gate.wait(0.002)
        with lock:
            running.pop()

    async with TaskScope("app", threads=2) as root:
        pages = [root.child(str(number)) for number in range(5)]
        await asyncio.gather(*(page.run_in_thread(work) for page in pages for _ in range(3)))
    assert max(most) == 2


async def test_a_late_result_is_disposed_of_in_a_thread(gate: threading.Event) -> None:
    """When the caller is cancelled, the call goes on; its result is disposed of, away from the loop."""
    disposed: list[tuple[str, bool]] = []
    began, done = threading.Event(), threading.Event()
    loop_thread = threading.get_ident()

    def work() -> str:
        began.set()
        gate.wait(5)
        return "a model"

    def dispose(result: str) -> None:
        disposed.append((result, threading.get_ident() == loop_thread))
        done.set()

    scope, outside = TaskScope("app"), TaskScope("outside")

    async def call() -> str:
        return await scope.run_in_thread(work, dispose=dispose)

    caller = outside.start(call)
    await until(began)
    caller.cancel()
    await caller.wait()
    assert caller.cancelled()
    assert (await scope.close()).clean
    gate.set()
    await until(done)
    assert disposed == [("a model", False)]
    await outside.close()


async def test_a_result_that_comes_in_the_moment_of_cancelling(gate: threading.Event) -> None:
    """Also one that is there already when the cancellation arrives is disposed of, not on the loop."""
    disposed: list[bool] = []
    began, finished, done = threading.Event(), threading.Event(), threading.Event()
    loop_thread = threading.get_ident()

    def work() -> str:
        began.set()
        gate.wait(5)
        finished.set()
        return "x"

    def dispose(_: str) -> None:
        disposed.append(threading.get_ident() == loop_thread)
        done.set()

    scope, outside = TaskScope("app"), TaskScope("outside")

    async def call() -> str:
        return await scope.run_in_thread(work, dispose=dispose)

    caller = outside.start(call)
    await until(began)
    gate.set()
    assert finished.wait(5)  # Blocks the loop on purpose: it cannot take the result before the next line.
    caller.cancel()
    await caller.wait()
    await until(done)
    assert disposed == [False]
    await scope.close()
    await outside.close()


async def test_late_errors_are_logged(gate: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    """An error that comes late, of the call or of its disposal, is logged."""
    scope, outside = TaskScope("app", threads=1), TaskScope("outside")
    began = threading.Event()

    def work(error: bool) -> str:
        began.set()
        gate.wait(5)
        if error:
            raise ValueError("late failure")
        return "x"

    def dispose(_: str) -> None:
        raise RuntimeError("cannot dispose")

    for error in (True, False):
        began.clear()
        gate.clear()

        async def call(error: bool = error) -> str:
            return await scope.run_in_thread(work, error, dispose=dispose)

        caller = outside.start(call)
        await until(began)
        caller.cancel()
        await caller.wait()
        gate.set()
        await scope.run_in_thread(int)  # The one thread is free again: the late call is over.
    assert "late failure" in caplog.text
    assert "cannot dispose" in caplog.text
    await scope.close()
    await outside.close()


async def test_calls_that_wait_for_a_thread_never_begin(gate: threading.Event) -> None:
    """Closing the scope cancels calls that no thread has taken up yet."""
    scope, outside = TaskScope("app", threads=1), TaskScope("outside", observer=Recorder())
    began: list[int] = []
    first = threading.Event()

    def work(number: int) -> None:
        began.append(number)
        first.set()
        gate.wait(5)

    async def call(number: int) -> None:
        await scope.run_in_thread(work, number)

    callers = [outside.start(call, number) for number in range(3)]
    await until(first)
    report = await scope.close()
    assert report.ended == 3
    gate.set()
    for caller in callers:
        await caller.wait()
        assert isinstance(caller.exception(), JobCancelled)
    assert began == [0]
    with pytest.raises(ScopeClosed):
        await scope.run_in_thread(work, 9)
    await outside.close()


async def test_a_call_with_a_time_out(gate: threading.Event) -> None:
    """A time-out ends the waiting, not the thread."""
    async with TaskScope("app") as scope:
        with pytest.raises(TimeoutError):
            await scope.run_in_thread(gate.wait, 5, timeout=0.005)
        gate.set()


async def test_the_threads_end_with_the_scope() -> None:
    """A closed scope leaves no thread behind, although nobody waits for them."""
    async with TaskScope("short-lived") as scope:
        await scope.run_in_thread(int)
    left = [thread for thread in threading.enumerate() if thread.name.startswith("short-lived")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
