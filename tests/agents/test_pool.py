"""Tests of the engine pool, with engines that do as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.agents.base import AgentEngine, AgentError, ChatRequest, EngineStatistics
from greenroom.agents.pool import EngineLease, EnginePool
from greenroom.config.settings import AgentSettings, BuiltinSettings
from greenroom.tasks import TaskScope

from .helpers import ticks, wait_until


class FakeEngine(AgentEngine):
    """Starts when `go` is set; counts what happens to it."""

    def __init__(self, go: asyncio.Event, failure: Exception | None = None) -> None:
        self.description = "fake"
        self.go = go
        self.failure = failure
        self.started = self.cancelled = self.stubborn = False
        self.closed = 0
        self.close_failure: Exception | None = None

    async def start(self) -> None:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            if not self.stubborn:
                raise
        if self.failure is not None:
            raise self.failure
        self.started = True

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        yield "text"

    async def aclose(self) -> None:
        self.closed += 1
        if self.close_failure is not None:
            raise self.close_failure

    def statistics(self) -> EngineStatistics:
        return EngineStatistics()


class Workshop:
    """Makes engines for a pool, and remembers them."""

    def __init__(self, ready: bool = True) -> None:
        self.go = asyncio.Event()
        if ready:
            self.go.set()
        self.made: list[FakeEngine] = []
        self.failure: Exception | None = None

    def create(self, _: AgentSettings) -> AgentEngine:
        self.made.append(FakeEngine(self.go, self.failure))
        return self.made[-1]


def config(number: int = 1) -> AgentSettings:
    return AgentSettings(kind="builtin", builtin=BuiltinSettings(words=number))


@asynccontextmanager
async def pool_of(workshop: Workshop, **options: Any) -> AsyncIterator[EnginePool]:
    async with TaskScope("test") as scope:
        pool = EnginePool(scope, workshop.create, **options)
        try:
            yield pool
        finally:
            await pool.aclose()


def spawn(coro: Any) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coro)


async def test_equal_settings_share_an_engine() -> None:
    """Equal settings get the same engine, others another; a second lease waits for nothing."""
    workshop = Workshop()
    async with pool_of(workshop) as pool:
        one = await pool.acquire(config())
        coro = pool.acquire(config())
        with pytest.raises(StopIteration) as done:
            coro.send(None)
        two: EngineLease = done.value.value
        other = await pool.acquire(config(2))
        assert one.engine is two.engine
        assert one.engine is not other.engine
        assert pool.statistics().engines == pool.statistics().leased == 2
        for lease in (one, one, two, other):
            lease.release()
        assert pool.statistics().leased == 0
        assert pool.statistics().idle == 2
    assert [engine.closed for engine in workshop.made] == [1, 1]


async def test_only_the_settings_of_the_kind_count() -> None:
    """What is set for another kind of agent does not make a second engine."""
    workshop = Workshop()
    async with pool_of(workshop) as pool:
        one = await pool.acquire(config())
        changed = config().model_copy(update={"openai": config().openai.model_copy(update={"model": "x"})})
        assert (await pool.acquire(changed)).engine is one.engine


async def test_waiters_share_one_start() -> None:
    """Those who come during a start wait for that one; each gets a lease of their own."""
    workshop = Workshop(ready=False)
    async with pool_of(workshop) as pool:
        tasks = [spawn(pool.acquire(config())) for _ in range(3)]
        await ticks()
        assert pool.statistics().starting == 1
        workshop.go.set()
        leases = [await task for task in tasks]
        assert len(workshop.made) == 1
        for lease in leases:
            assert pool.statistics().leased == 1
            lease.release()
        assert pool.statistics().idle == 1


async def test_start_goes_on_while_anybody_waits() -> None:
    """One waiter's cancellation does not touch the start; the last one's ends it, and closes the engine."""
    workshop = Workshop(ready=False)
    async with pool_of(workshop) as pool:
        one, two = spawn(pool.acquire(config())), spawn(pool.acquire(config()))
        await ticks()
        one.cancel()
        await ticks()
        assert not workshop.made[0].cancelled
        two.cancel()
        await ticks()
        assert one.cancelled()
        assert two.cancelled()
        assert workshop.made[0].cancelled
        assert workshop.made[0].closed == 1
        numbers = pool.statistics()
        assert (numbers.starting, numbers.starts_cancelled, numbers.starts_finished) == (0, 1, 0)


async def test_start_that_swallows_its_cancellation() -> None:
    """A start nobody waits for that finishes all the same is thrown away, and not handed to the next one."""
    workshop = Workshop(ready=False)
    async with pool_of(workshop) as pool:
        task = spawn(pool.acquire(config()))
        await ticks()
        workshop.made[0].stubborn = True
        task.cancel()
        await ticks()
        workshop.go.set()
        lease = await pool.acquire(config())
        assert lease.engine is workshop.made[1]
        assert workshop.made[0].started
        assert workshop.made[0].closed == 1
        assert pool.statistics().starts_cancelled == 1


async def test_failed_start_is_told_to_all_and_forgotten() -> None:
    """A failed start raises for everybody who waits, closes the engine, and the next one tries again."""
    workshop = Workshop(ready=False)
    workshop.failure = AgentError("No such model.", hint="Pull it.")
    async with pool_of(workshop) as pool:
        tasks = [spawn(pool.acquire(config())) for _ in range(2)]
        await ticks()
        workshop.go.set()
        await asyncio.wait(tasks)
        errors = [task.exception() for task in tasks]
        assert [str(error) for error in errors] == ["No such model. Pull it."] * 2
        assert errors[0] is not errors[1]
        assert workshop.made[0].closed == 1
        assert pool.statistics().starts_failed == 1
        workshop.failure = None
        assert (await pool.acquire(config())).engine is workshop.made[1]


async def test_unexpected_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An error that is no `AgentError` is logged with its traceback; the user gets a fair sentence."""
    workshop = Workshop()
    workshop.failure = RuntimeError("secret detail")
    async with pool_of(workshop) as pool:
        with pytest.raises(AgentError) as caught:
            await pool.acquire(config())
    assert "secret detail" not in str(caught.value)
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_unused_engines_are_closed_in_time() -> None:
    """An unused engine is closed after `idle_seconds`; one that is used again in time is not."""
    now = 1000.0
    workshop = Workshop()
    async with pool_of(workshop, idle_seconds=300, clock=lambda: now) as pool:
        one, two = await pool.acquire(config(1)), await pool.acquire(config(2))
        one.release()
        now += 200
        two.release()
        now += 100
        pool._on_timer()
        await ticks()
        assert [engine.closed for engine in workshop.made] == [1, 0]
        again = await pool.acquire(config(2))
        now += 1000
        pool._on_timer()
        await ticks()
        assert again.engine is workshop.made[1]
        assert workshop.made[1].closed == 0
        assert pool.statistics().idle == 0


async def test_one_timer_and_only_while_something_is_unused() -> None:
    """No timer runs while all engines are in use; one is enough for many unused ones, and it really fires."""
    workshop = Workshop()
    async with pool_of(workshop, idle_seconds=0.01) as pool:
        leases = [await pool.acquire(config(number)) for number in range(4)]
        assert pool._timer is None
        for lease in leases:
            lease.release()
        assert pool._timer is not None
        await wait_until(lambda: all(engine.closed for engine in workshop.made))
        assert pool._timer is None
        assert pool.statistics().engines == 0


async def test_longest_unused_goes_first() -> None:
    """More than `max_idle` unused engines are not kept."""
    workshop = Workshop()
    async with pool_of(workshop, max_idle=2) as pool:
        leases = [await pool.acquire(config(number)) for number in range(4)]
        for number in (2, 0, 3, 1):
            leases[number].release()
        await ticks()
        assert [engine.closed for engine in workshop.made] == [1, 0, 1, 0]


async def test_close_closes_all_and_reports() -> None:
    """Closing the pool closes leased and unused engines; one that fails is reported, not in the way."""
    workshop = Workshop()
    async with TaskScope("test") as scope:
        pool = EnginePool(scope, workshop.create)
        leases = [await pool.acquire(config(number)) for number in range(3)]
        leases[0].release()
        workshop.made[1].close_failure = RuntimeError("stuck")
        report = await pool.aclose()
        assert report.closed == 2
        assert report.failures == ("fake: RuntimeError: stuck",)
        assert [engine.closed for engine in workshop.made] == [1, 1, 1]
        assert await pool.aclose() == report
        leases[1].release()
        with pytest.raises(AgentError, match="shutting down"):
            await pool.acquire(config())
        assert pool.statistics().engines == pool.statistics().idle == 0


async def test_close_during_a_start() -> None:
    """Closing cancels a start; who waits for it gets an error, not a cancellation."""
    workshop = Workshop(ready=False)
    async with TaskScope("test") as scope:
        pool = EnginePool(scope, workshop.create)
        task = spawn(pool.acquire(config()))
        await ticks()
        await pool.aclose()
        with pytest.raises(AgentError, match="shutting down"):
            await task
        assert workshop.made[0].closed == 1
        assert pool.statistics().starts_cancelled == 1


async def test_scope_closed_first() -> None:
    """With its scope closed under it the pool starts nothing, and can still close its engines."""
    workshop = Workshop(ready=False)
    scope = TaskScope("test")
    pool = EnginePool(scope, workshop.create)
    waiting = spawn(pool.acquire(config(9)))
    await ticks()
    workshop.go.set()
    lease = await pool.acquire(config(1))
    await waiting
    workshop.go.clear()
    late = spawn(pool.acquire(config(3)))
    await asyncio.sleep(0)
    await scope.close()
    with pytest.raises(AgentError):
        await late
    with pytest.raises(AgentError):
        await pool.acquire(config(2))
    lease.release()
    report = await pool.aclose()
    assert report.closed >= 2
    assert all(engine.closed == 1 for engine in workshop.made)
    numbers = pool.statistics()
    assert numbers.starts_begun == numbers.starts_finished + numbers.starts_cancelled + numbers.starts_failed


Step = tuple[str, int, int]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["acquire", "acquire", "cancel", "release", "tick", "go", "stop", "fail", "idle"]
            ),
            st.integers(0, 9),
            st.integers(0, 2),
        ),
        max_size=50,
    ),
    st.booleans(),
)
def test_nothing_is_lost(steps: list[Step], close_early: bool) -> None:
    """Whatever is acquired, cancelled, released or fails, in any order: the books are right."""

    async def main() -> None:
        workshop = Workshop(ready=False)
        now = 0.0

        def clock() -> float:
            return now

        async with TaskScope("test") as scope:
            pool = EnginePool(scope, workshop.create, idle_seconds=10, max_idle=1, clock=clock)
            tasks: list[asyncio.Task[EngineLease]] = []
            released: set[int] = set()
            do: dict[str, Callable[[], None]] = {
                "go": workshop.go.set,
                "stop": workshop.go.clear,
                "idle": pool._trim,
            }
            for what, which, key in steps:
                if what == "acquire":
                    tasks.append(spawn(pool.acquire(config(key))))
                elif what == "tick":
                    now += which / 2
                    await ticks(key)
                elif what == "fail":
                    workshop.failure = AgentError("no") if key else None
                elif what in do:
                    do[what]()
                elif tasks:
                    number = which % len(tasks)
                    task = tasks[number]
                    if what == "cancel":
                        task.cancel()
                    elif task.done() and not task.cancelled() and not task.exception():
                        task.result().release()
                        released.add(number)
                assert pool.statistics().idle <= 1
            if close_early:
                await pool.aclose()
            workshop.go.set()
            await ticks(20)
            held = {
                id(task.result().engine)
                for number, task in enumerate(tasks)
                if number not in released and task.done() and not task.cancelled() and not task.exception()
            }
            assert all(task.done() for task in tasks)
            numbers = pool.statistics()
            assert (
                numbers.starts_begun
                == numbers.starts_finished + numbers.starts_cancelled + numbers.starts_failed
            )
            if not close_early:
                assert numbers.leased == len(held)
                assert numbers.engines == len(held) + numbers.idle
                open_engines = {id(engine) for engine in workshop.made if not engine.closed}
                assert held <= open_engines
                assert len(open_engines) == numbers.engines
            report = await pool.aclose()
            assert not report.failures
            assert all(engine.closed == 1 for engine in workshop.made)
            assert not scope.running

    asyncio.run(main())
