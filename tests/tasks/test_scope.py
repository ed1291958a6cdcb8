"""Starting: bounds, policies, time-outs, results, errors; on virtual time."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import warnings
from typing import Any

import pytest

from greenroom.tasks import JobCancelled, Policy, ScopeClosed, ScopeFull, TaskScope

from .recording import Recorder, Stubborn, books, fail, forever, swallow, value
from .virtual_loop import now, ticks, virtual


@virtual
async def test_start_runs_in_the_background() -> None:
    """start returns a task at once; awaiting it gives the result."""
    async with TaskScope("app") as scope:
        job = scope.start(value, 7, name="seven")
        assert job.state == "running"
        assert job in scope.running
        assert (job.name, job.path) == ("seven", "app/seven")
        assert "test_scope.py:" in job.site
        assert await job == 7
        assert (job.state, job.cancelled_by) == ("finished", None)
        assert scope.running == frozenset()


@virtual
async def test_names_come_from_the_function() -> None:
    """Without a name, a job is called like its function, coroutine, partial or callable object."""
    import functools

    class Work:
        async def __call__(self) -> None: ...

    async with TaskScope("app") as scope:
        works: list[Any] = [value, value(), functools.partial(value, 1), Work()]
        assert [scope.start(work).name for work in works] == ["value", "value", "value", "Work"]


@virtual
async def test_running_is_bounded_and_waiting_too() -> None:
    """Jobs beyond max_running wait in order; beyond max_waiting they are refused and closed."""
    scope = TaskScope("app", max_running=1, max_waiting=2)
    order: list[int] = []

    async def work(number: int) -> None:
        order.append(number)
        await asyncio.sleep(1)

    for number in range(3):
        scope.start(work, number)
    with pytest.raises(ScopeFull, match=r"app is full \(1 running, 2 waiting\): 'work' refused"):
        scope.start(work(99))
    assert scope.statistics().waiting == 2
    await asyncio.sleep(3.5)
    assert order == [0, 1, 2]
    stats = scope.statistics()
    assert (stats.finished, stats.refused, stats.waiting) == (3, 1, 0)
    await scope.close()


@virtual
async def test_nothing_waits_by_default() -> None:
    """A scope with max_running and no max_waiting refuses at once."""
    async with TaskScope("app", max_running=1) as scope:
        scope.start(forever)
        with pytest.raises(ScopeFull):
            scope.start(forever)


@virtual
async def test_limits_must_make_sense() -> None:
    """Negative limits, unknown policies and policies without a key are refused with a reason."""
    with pytest.raises(ValueError, match="the limits of scope 'app'"):
        TaskScope("app", max_running=-1)
    async with TaskScope("app") as scope:
        with pytest.raises(ValueError, match="needs a key"):
            scope.start(forever(), policy="drop")
        unknown: Any = "latest"
        with pytest.raises(ValueError, match="no policy 'latest': it is one of restart, drop"):
            scope.start(forever, key=1, policy=unknown)
        with pytest.raises(ValueError, match="'cancel' or 'finish', not 'latest'"):
            scope.start(forever, on_close=unknown)


@virtual
async def test_a_key_runs_one_at_a_time() -> None:
    """Jobs of one key follow each other; other keys and jobs without a key do not wait for them."""
    async with TaskScope("app", max_waiting=10, max_waiting_per_key=2) as scope:
        ended: list[tuple[str, float]] = []

        async def work(name: str) -> None:
            await asyncio.sleep(1)
            ended.append((name, now() - 1000))

        for name, key in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("free", None)):
            scope.start(work, name, key=key)
        with pytest.raises(ScopeFull):
            scope.start(work, "a4", key="a")
        await asyncio.sleep(5)
        assert sorted(ended) == [("a1", 1), ("a2", 2), ("a3", 3), ("b1", 1), ("free", 1)]


@virtual
async def test_policy_drop() -> None:
    """drop: while one of the key is alive, a new one never begins, and says so."""
    async with TaskScope("app") as scope:
        first = scope.start(value, 1, 1, key="k", policy="drop")
        second = scope.start(value(2), key="k", policy="drop")
        assert second.state == "dropped"
        with pytest.raises(JobCancelled, match="another job of key 'k' is alive"):
            await second
        assert await first == 1
        assert await scope.start(value, 3, key="k", policy="drop") == 3
        assert scope.statistics().dropped == 1


@virtual
async def test_policy_restart() -> None:
    """restart: the running one is cancelled, the new one begins when it has ended, those between never do."""
    trail: list[str] = []

    async def work(name: str) -> None:
        trail.append(f"{name} begins")
        try:
            await forever()
        finally:
            await asyncio.sleep(1)
            trail.append(f"{name} ended")

    async with TaskScope("app") as scope:
        jobs = [scope.start(work, "a", key="k", policy="restart", name="a")]
        await ticks()
        jobs += [scope.start(work, name, key="k", policy="restart", name=name) for name in "bcd"]
        await asyncio.sleep(2)
        assert trail == ["a begins", "a ended", "d begins"]
        assert [job.state for job in jobs] == ["cancelled", "dropped", "dropped", "running"]
        assert [job.cancelled_by for job in jobs[:3]] == [
            "superseded by b",
            "superseded by c",
            "superseded by d",
        ]
        assert scope.statistics().superseded == 3


@virtual
async def test_policy_keep_latest() -> None:
    """keep_latest: the running one goes on, of those that wait only the latest remains."""
    async with TaskScope("app") as scope:
        jobs = [scope.start(value, n, 1, key="k", policy="keep_latest", name=str(n)) for n in range(4)]
        await asyncio.sleep(3)
        assert [job.state for job in jobs] == ["finished", "dropped", "dropped", "finished"]
        assert jobs[1].cancelled_by == "superseded by 2"


@virtual
@pytest.mark.parametrize("policy", ["restart", "keep_latest"])
async def test_a_newer_one_takes_the_place_in_the_queue(policy: Policy) -> None:
    """One that waits for room is replaced where it stands, and the queue grows no longer."""
    scope = TaskScope("app", max_running=1, max_waiting=2)
    order: list[str] = []

    async def work(name: str) -> None:
        order.append(name)

    scope.start(value, None, 1)
    old = scope.start(work, "old", key="k", policy=policy)
    scope.start(work, "other")
    for number in range(20):
        scope.start(work, f"new{number}", key="k", policy=policy)
    assert old.state == "dropped"
    assert scope.statistics().waiting == 2
    await asyncio.sleep(2)
    assert order == ["new19", "other"]
    await scope.close()


@virtual
async def test_a_superseded_job_that_swallows_it_does_not_block_its_key() -> None:
    """It is cancelled again after half the closing time, and abandoned after the whole of it."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)
    stubborn = Stubborn()
    scope.start(stubborn.run, key="k", policy="restart")
    await ticks()
    newer = scope.start(value, "new", key="k", policy="restart")
    newest = scope.start(value, "newest", key="k", policy="restart")
    assert await newest == "newest"
    assert newer.state == "dropped"
    assert now() == 1005
    assert stubborn.ignored == 2
    assert [info.cancelled_by for info in recorder.abandoned] == ["superseded by value"]
    books(scope)
    stubborn.gate.set()
    await ticks()
    await scope.close()


@virtual
async def test_restart_also_reaches_a_job_that_had_an_inner_time_out() -> None:
    """A time-out a job handled itself is no reason to spare it when a newer one comes."""

    async def work() -> None:
        try:
            async with asyncio.timeout(1):
                await forever()
        except TimeoutError:
            pass
        await forever()

    async with TaskScope("app") as scope:
        old = scope.start(work, key="k", policy="restart")
        await asyncio.sleep(2)
        assert (old.state, old.cancelled_by) == ("running", None)
        new = scope.start(value, "new", key="k", policy="restart")
        assert await new == "new"
        assert old.cancelled_by == "superseded by value"
        assert now() == 1002


@virtual
async def test_time_outs() -> None:
    """A job that takes longer than its time-out fails with TimeoutError, reported and counted as such."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)
    job = scope.start(forever, timeout=3)
    await job.wait()
    assert now() == 1003
    assert (job.state, job.cancelled_by) == ("failed", "timed out after 3 s")
    with pytest.raises(TimeoutError):
        job.result()
    assert [path for path, _, _ in recorder.failures] == ["app/forever"]
    assert scope.statistics().timed_out == 1
    assert await scope.start(value, 1, 2, timeout=3) == 1
    other = scope.start(fail, TimeoutError("of its own"), timeout=3)
    await other.wait()
    assert other.cancelled_by is None
    assert scope.statistics().failed == 1
    books(scope)
    await scope.close()


@virtual
async def test_a_time_out_counts_from_the_beginning_not_from_the_queue() -> None:
    """Waiting for room does not use up a job's time-out."""
    async with TaskScope("app", max_running=1, max_waiting=1) as scope:
        scope.start(value, None, 10)
        job = scope.start(value, "in time", 2, timeout=3)
        assert await job == "in time"
        assert now() == 1012


@virtual
async def test_submit_waits_for_room() -> None:
    """submit waits for a place, first come, first served, and start cannot overtake those who wait."""
    scope = TaskScope("app", max_running=1)
    scope.start(value, None, 1)
    outside = TaskScope("outside")
    first = outside.start(scope.submit, value, "first", 1)
    second = outside.start(scope.submit, value, "second", 1)
    await asyncio.sleep(1)
    await ticks()
    assert first.done()
    assert not second.done()
    with pytest.raises(ScopeFull):
        scope.start(forever)
    assert await (await first) == "first"
    assert await (await second) == "second"
    assert now() == 1003
    await scope.close()
    await outside.close()


@virtual
async def test_a_cancelled_submitter_leaves_its_place() -> None:
    """Cancelling one who waits for room drops its job and lets the next in line have the room."""
    scope = TaskScope("app", max_running=1)
    scope.start(value, None, 1)
    outside = TaskScope("outside")
    first = outside.start(scope.submit, forever())
    second = outside.start(scope.submit, value, "second")
    await ticks()
    first.cancel()
    assert await (await second) == "second"
    assert first.cancelled()
    assert scope.statistics().submitters == 0
    await scope.close()
    await outside.close()


@virtual
async def test_a_submitter_cancelled_in_the_tick_of_its_admission() -> None:
    """The job that was let in for it is cancelled: nobody wants it any more."""
    scope = TaskScope("app", max_running=1)
    gate = asyncio.Event()
    scope.start(gate.wait)
    outside = TaskScope("outside")
    submitter = outside.start(scope.submit, forever, name="wanted")
    await ticks()
    gate.set()
    for _ in range(9):
        if scope.statistics().started == 2:
            break
        await asyncio.sleep(0)
    submitter.cancel()
    await ticks()
    assert submitter.cancelled()
    assert scope.running == frozenset()
    assert scope.statistics().cancelled == 1
    await scope.close()
    await outside.close()


@virtual
async def test_run_gives_the_result() -> None:
    """run gives the result or the error to its caller; the error is not reported elsewhere."""
    recorder = Recorder()
    async with TaskScope("app", observer=recorder) as scope:
        assert await scope.run(value, 5, 1) == 5
        assert await scope.run(value(6)) == 6
        with pytest.raises(KeyError):
            await scope.run(fail, KeyError("x"))
        with pytest.raises(TimeoutError):
            await scope.run(forever, timeout=1)
        assert recorder.failures == []
        books(scope)


@virtual
async def test_run_tells_who_cancelled_the_job() -> None:
    """A job cancelled by somebody else raises JobCancelled with the reason, never CancelledError."""
    scope = TaskScope("app")
    outside = TaskScope("outside", observer=Recorder())
    caller = outside.start(scope.run, forever)
    await ticks()
    (job,) = scope.running
    job.cancel("interrupted")
    await caller.wait()
    with pytest.raises(JobCancelled, match="app/forever was cancelled: interrupted"):
        caller.result()
    dropped = outside.start(scope.run, forever, name="never")
    await ticks()
    await scope.close()
    await dropped.wait()
    with pytest.raises(JobCancelled, match="closed: app"):
        dropped.result()
    await outside.close()


@virtual
async def test_cancelling_the_caller_of_run_cancels_the_job() -> None:
    """The caller waits for the job's clean-up; then its own cancellation goes on."""
    scope = TaskScope("app")
    outside = TaskScope("outside")
    trail: list[str] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(1)
            trail.append("cleaned up")

    async def call() -> None:
        try:
            await scope.run(work)
        finally:
            trail.append("caller ends")

    caller = outside.start(call)
    await ticks()
    caller.cancel("page left")
    await caller.wait()
    assert trail == ["cleaned up", "caller ends"]
    assert caller.cancelled()
    assert now() == 1001
    assert scope.statistics().cancelled == 1
    await scope.close()
    await outside.close()


@virtual
async def test_a_job_cannot_swallow_its_callers_cancellation() -> None:
    """Also when the job returns a value after being cancelled, the caller ends as cancelled."""
    scope = TaskScope("app")
    outside = TaskScope("outside")

    async def work() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            pass
        return "all the same"

    caller = outside.start(scope.run, work)
    await ticks()
    caller.cancel()
    await caller.wait()
    assert caller.cancelled()
    await scope.close()
    await outside.close()


@virtual
async def test_a_second_cancellation_lets_the_caller_of_run_go() -> None:
    """If the job swallows its cancellation, the caller can still be ended."""
    scope = TaskScope("app")
    outside = TaskScope("outside")
    stubborn = Stubborn()
    caller = outside.start(scope.run, stubborn.run)
    await ticks()
    caller.cancel()
    await ticks()
    assert not caller.done()
    caller.cancel()
    await ticks()
    assert caller.cancelled()
    assert len(scope.running) == 1
    stubborn.gate.set()
    await ticks()
    await scope.close()
    await outside.close()


@virtual
async def test_cancelling_the_caller_of_run_while_it_waits() -> None:
    """Waiting for room, or in the queue: the job is dropped and never begins."""
    scope = TaskScope("app", max_running=1, max_waiting=1)
    outside = TaskScope("outside")
    scope.start(forever)
    queued = outside.start(scope.run, forever())
    submitting = outside.start(scope.run, forever())
    await ticks()
    for caller in (submitting, queued):
        caller.cancel()
        await ticks()
        assert caller.cancelled()
    stats = scope.statistics()
    assert (stats.waiting, stats.submitters, stats.started) == (0, 0, 1)
    await scope.close()
    await outside.close()


@virtual
async def test_an_error_whose_caller_has_gone_is_reported_once() -> None:
    """If the caller of run is cancelled, an error of the job goes to the observer instead."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)
    outside = TaskScope("outside")

    async def fails_late() -> None:
        try:
            await forever()
        finally:
            raise ValueError("late")

    caller = outside.start(scope.run, fails_late)
    await ticks()
    caller.cancel()
    await caller.wait()
    assert [str(error) for _, _, error in recorder.failures] == ["late"]

    for delay in range(5):  # The job fails a few ticks around the cancellation of its caller.
        recorder.failures.clear()
        gate = asyncio.Event()

        async def fails(gate: asyncio.Event = gate) -> None:
            await gate.wait()
            raise ValueError("same tick")

        caller = outside.start(scope.run, fails)
        await ticks()
        gate.set()
        await ticks(delay)
        caller.cancel()
        await caller.wait()
        if caller.cancelled():
            assert len(recorder.failures) <= 1
            job_failed = scope.statistics().failed
            assert len(recorder.failures) == 1 or job_failed == 1
        else:
            assert isinstance(caller.exception(), ValueError)
            assert recorder.failures == []
    await scope.close()
    with pytest.raises(ValueError, match="same tick"):
        raise caller.exception() or ValueError("same tick")
    await outside.close()


@virtual
async def test_failures_are_reported_at_once() -> None:
    """An error is reported in the tick it happens, with owner and site, and siblings go on."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)
    sibling = scope.start(forever)
    job = scope.start(fail, ValueError("x"), name="bad")
    await ticks(2)
    ((path, site, error),) = recorder.failures
    assert (path, str(error)) == ("app/bad", "x")
    assert "in test_failures_are_reported_at_once" in site
    assert job.state == "failed"
    assert sibling.state == "running"
    del job, error
    recorder.failures.clear()
    gc.collect()  # asyncio's own "exception was never retrieved" would come now, and be an error
    await scope.close()


def test_the_default_observer_logs_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Without an observer, failures go to the log with owner, site and traceback."""

    @virtual
    async def test() -> None:
        async with TaskScope("app") as scope:
            scope.start(fail, ValueError("boom"))
            await ticks()

    test()
    (record,) = caplog.records
    assert record.message.startswith("app/fail failed (started at ")
    assert "boom" in caplog.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_base_exceptions(kind: type[BaseException]) -> None:
    """Those that stop the loop do, and all are reported and counted as failures."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)

    async def main() -> None:
        scope.start(fail, kind("stop"))
        await asyncio.sleep(0.01)

    if kind is GeneratorExit:
        asyncio.run(main())
    else:
        with pytest.raises(kind):
            asyncio.run(main())
    assert [type(error) for _, _, error in recorder.failures] == [kind]
    books(scope)


@virtual
async def test_who_cancelled_me() -> None:
    """cancelled_by is the given text, or else the line that cancelled."""
    async with TaskScope("app", max_running=2, max_waiting=9) as scope:
        named, bare = scope.start(forever), scope.start(forever)
        waiting, waiting_bare = scope.start(forever()), scope.start(forever)
        assert waiting.cancel("not needed")
        assert waiting_bare.cancel()
        await ticks()
        assert named.cancel("interrupted")
        assert bare.cancel()
        assert named.state == "cancelling"
        await ticks()
        assert not named.cancel("too late")
        assert not waiting.cancel("too late")
        assert (named.cancelled_by, waiting.cancelled_by) == ("interrupted", "not needed")
        for job in (bare, waiting_bare):
            assert (job.cancelled_by or "").startswith("cancelled at ")
            assert "test_scope.py:" in (job.cancelled_by or "")
        assert scope.statistics().dropped == 2


@virtual
async def test_reasons_with_inner_time_outs() -> None:
    """The cancellation of an inner time-out is not taken for the reason of a later one, or of a close."""
    scope = TaskScope("app")

    async def work() -> None:
        try:
            async with asyncio.timeout(1):
                await forever()
        finally:
            await asyncio.sleep(1)

    job = scope.start(work)
    await asyncio.sleep(0.5)
    await scope.close()
    assert job.cancelled_by == "closed: app"
    scope = TaskScope("app")
    job = scope.start(swallow, 1)
    await ticks()
    job.cancel()
    await ticks()
    job.cancel("for good")
    await ticks()
    assert job.cancelled_by == "for good"
    await scope.close()


@virtual
async def test_awaiting_a_queued_job() -> None:
    """Awaiting one that waits gives its result; several may; cancelling one who awaits drops it."""
    async with TaskScope("app", max_running=1, max_waiting=5) as scope, TaskScope("outside") as outside:
        scope.start(value, None, 1)
        job = scope.start(value, 3, 1)

        async def wait() -> Any:
            return await job

        assert not await job.wait(0.25)
        assert [await waiter for waiter in [outside.start(wait) for _ in range(3)]] == [3, 3, 3]
        assert job.result() == 3
        assert now() == 1002
        scope.start(value, None, 1)
        job = scope.start(value, 3)
        assert not job.done()
        with pytest.raises(JobCancelled, match="still waiting"):
            job.result()
        waiter = outside.start(wait)
        await ticks()
        waiter.cancel()
        await ticks()
        assert (job.state, job.cancelled_by) == ("dropped", "the task that awaited it was cancelled")
        assert await job.wait()


@virtual
async def test_waiting_with_a_time_out() -> None:
    """wait neither cancels the job nor raises; it tells whether the job has ended."""
    async with TaskScope("app", max_running=1, max_waiting=1) as scope:
        job = scope.start(value, None, 4)
        queued = scope.start(value, None, 4)
        assert not await job.wait(1)
        assert not await queued.wait(4)
        assert now() == 1005
        assert await job.wait()
        assert await queued.wait(10)
        assert now() == 1008
        assert await queued.wait()


@virtual
async def test_a_queued_call_that_cannot_be_made_fails_like_a_job() -> None:
    """Wrong arguments or a plain function fail that job alone, when its turn comes; the queue goes on."""
    recorder = Recorder()
    scope = TaskScope("app", max_running=1, max_waiting=9, observer=recorder)
    plain: Any = len
    scope.start(value, None, 1)
    wrong = scope.start(value, 1, 2, 3, 4)
    no_coroutine = scope.start(plain, "abc", key="k")
    last = scope.start(value, "fine", key="k")
    assert await last == "fine"
    assert wrong.state == no_coroutine.state == "failed"
    assert [type(error) for _, _, error in recorder.failures] == [TypeError, TypeError]
    assert "no async function: it returned int" in str(recorder.failures[1][2])
    with pytest.raises(TypeError):
        scope.start(value, 1, 2, 3, 4)
    books(scope)
    await scope.close()


@virtual
async def test_a_queued_job_runs_in_the_context_of_who_asked_for_it() -> None:
    """Context variables come from the caller of start, not from the job whose end made room."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    async def read() -> str:
        return variable.get()

    async def ask(name: str) -> Any:
        variable.set(name)
        return scope.start(read)

    async with TaskScope("app", max_running=1, max_waiting=5) as scope, TaskScope("outside") as outside:
        scope.start(value, None, 1)
        jobs = [await outside.run(ask, name) for name in ("a", "b")]
        assert [await job for job in jobs] == ["a", "b"]


@virtual
async def test_refused_coroutines_are_closed() -> None:
    """Whatever refuses a coroutine closes it: Python never warns that it was not awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scope = TaskScope("app", max_running=1, max_waiting=1)
        scope.start(forever)
        scope.start(forever())
        with pytest.raises(ScopeFull):
            scope.start(forever())
        with pytest.raises(ValueError):
            scope.start(forever(), policy="drop")
        await scope.close()
        with pytest.raises(ScopeClosed):
            scope.start(forever(), key="k")
        gc.collect()


@virtual
async def test_children_are_counted_in_their_parents() -> None:
    """Counts of a closed child stay with its parent; those of a living one are included."""
    root = TaskScope("app")
    child = root.child("page", max_running=1)
    await child.run(value)
    child.start(forever)
    with pytest.raises(ScopeFull):
        child.start(forever)
    before = root.statistics()
    assert (before.running, before.scopes, before.refused) == (1, 2, 1)
    await child.close()
    after = root.statistics()
    assert (after.running, after.scopes) == (0, 1)
    assert (after.started, after.finished, after.cancelled) == (
        before.started,
        before.finished,
        before.cancelled + 1,
    )
    assert root.children == frozenset()
    assert "page" in repr(child)
    assert "closed" in repr(child)
    books(root)
    await root.close()


@virtual
async def test_walk_and_paths() -> None:
    """A scope knows its path, its root and everything under it."""
    root = TaskScope("app", close_timeout=7)
    page = root.child("page")
    turn = page.child("turn", close_timeout=1)
    assert [scope.path for scope in root.walk()] == ["app", "app/page", "app/page/turn"]
    assert turn.root is root
    assert turn.parent is page
    assert (page.close_timeout, turn.close_timeout) == (7, 1)
    assert repr(turn) == "<TaskScope app/page/turn open, 0 running, 0 waiting>"
    await root.close()
