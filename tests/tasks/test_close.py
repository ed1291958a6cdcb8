"""Closing, from every side and at every moment, on virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from greenroom.tasks import CloseReport, JobCancelled, ScopeClosed, TaskScope, abandoned, current_job

from .recording import Recorder, Stubborn, books, fail, forever, swallow, value
from .virtual_loop import now, ticks, virtual


@virtual
async def test_an_empty_scope_closes_at_once() -> None:
    """Closing a scope that holds nothing needs no tick of the loop, and leaves no timer."""
    began = now()
    report = await TaskScope("app").close()
    assert (report.scope, report.ended, report.dropped, report.abandoned, report.scopes) == (
        "app",
        0,
        0,
        (),
        1,
    )
    assert report.clean
    assert now() == began


@virtual
async def test_close_ends_what_runs_and_drops_what_waits() -> None:
    """Running jobs are cancelled, waiting ones never begin, and the report counts both."""
    scope = TaskScope("app", max_running=2, max_waiting=5)
    jobs = [scope.start(forever) for _ in range(5)]
    await ticks()
    report = await scope.close(reason="page left")
    assert (report.ended, report.dropped, report.reason) == (2, 3, "page left")
    assert [job.state for job in jobs] == ["cancelled"] * 2 + ["dropped"] * 3
    assert {job.cancelled_by for job in jobs} == {"page left: app"}
    assert now() == 1000.0
    books(scope)


@virtual
async def test_a_closed_scope_starts_nothing() -> None:
    """start, submit, run and child are refused after close, and a coroutine given to them is closed."""
    scope = TaskScope("app")
    await scope.close()
    with pytest.raises(ScopeClosed, match="app is closed"):
        scope.start(forever())
    with pytest.raises(ScopeClosed):
        await scope.submit(forever())
    with pytest.raises(ScopeClosed):
        await scope.run(forever())
    with pytest.raises(ScopeClosed, match="no child 'c'"):
        scope.child("c")
    assert scope.statistics().refused == 3


@virtual
async def test_closing_twice_gives_the_same_report() -> None:
    """A second close, also at the same time, waits for the first one and returns its report."""
    scope = TaskScope("app")
    scope.start(swallow, 1)
    await ticks()
    first, second = await asyncio.gather(scope.close(), scope.close())
    assert first is second
    assert await scope.close() is first


@virtual
async def test_an_earlier_deadline_wins() -> None:
    """A concurrent close with a shorter time-out shortens the first one's; a longer one changes nothing."""
    scope = TaskScope("app", close_timeout=60)
    stubborn = Stubborn()
    scope.start(stubborn.run)
    await ticks()
    began = now()
    reports = await asyncio.gather(scope.close(), scope.close(2), scope.close(30))
    assert now() - began == pytest.approx(2)
    assert len({id(report) for report in reports}) == 1
    stubborn.gate.set()
    await ticks()


@pytest.mark.parametrize(("times", "expected"), [(1, 2.5), (2, 3.75), (5, 5 * 31 / 32)])
def test_a_job_that_swallows_cancellations_is_cancelled_again(times: int, expected: float) -> None:
    """Once, twice or five times: it is cancelled again at T/2, 3T/4, … and the close ends in time."""

    @virtual
    async def test() -> None:
        scope = TaskScope("app")
        scope.start(swallow, times)
        await ticks()
        report = await scope.close()
        assert report.clean
        assert report.ended == 1
        assert now() - 1000 == pytest.approx(expected)

    test()


@virtual
async def test_a_job_that_never_ends_is_abandoned_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """The close returns at its deadline; owner, site, age and stack are in report and log."""
    scope = TaskScope("app")
    child = scope.child("page")
    stubborn = Stubborn()
    job = child.start(stubborn.run, name="stuck")
    await ticks()
    with caplog.at_level(logging.ERROR, "greenroom.tasks"):
        report = await scope.close()
    assert now() == pytest.approx(1005)
    (info,) = report.abandoned
    assert (info.owner, info.name, info.state) == ("app/page", "stuck", "cancelling")
    assert "test_close.py:" in info.site
    assert "in test_a_job_that_never_ends" in info.site
    assert "Stubborn.run" in info.stack[0]
    assert any("Event.wait" in line for line in info.stack)
    assert info.cancelled_by == "closed: app"
    assert "abandoned app/page/stuck" in str(report)
    assert [record.message for record in caplog.records] == [f"abandoned {info}"]
    assert stubborn.ignored == 7
    assert [other.name for other in abandoned()] == ["stuck"]
    stats = scope.statistics()
    assert (stats.abandoned, stats.running, stats.started) == (1, 0, 1)
    stubborn.gate.set()
    with caplog.at_level(logging.WARNING, "greenroom.tasks"):
        await ticks()
    assert job.done()
    assert abandoned() == ()
    assert "abandoned app/page/stuck ended after" in caplog.records[-1].message
    assert scope.statistics() == stats


@virtual
async def test_the_late_error_of_an_abandoned_job_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An abandoned job that fails at last is not lost."""
    gate = asyncio.Event()

    async def stuck() -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass
        raise ValueError("at last")

    scope = TaskScope("app")
    scope.start(stuck)
    await ticks()
    assert not (await scope.close(1)).clean
    gate.set()
    await ticks()
    assert "at last" in caplog.text


@virtual
async def test_close_with_no_time_at_all() -> None:
    """With time-out 0 a polite job still ends; a stubborn one is abandoned at once."""
    scope = TaskScope("app")
    stubborn = Stubborn()
    polite = scope.start(forever)
    scope.start(stubborn.run)
    await ticks()
    report = await scope.close(0)
    assert now() == 1000
    assert polite.cancelled()
    assert [info.name for info in report.abandoned] == ["run"]
    stubborn.gate.set()
    await ticks()


@virtual
async def test_children_are_closed_before_their_parents() -> None:
    """A parent's job is cancelled only when the jobs of the scopes under it have ended."""
    order: list[str] = []

    async def work(name: str, cleanup: float) -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(cleanup)
            order.append(name)

    root = TaskScope("app")
    page = root.child("page")
    turn = page.child("turn")
    other = root.child("other")
    for scope, seconds in ((root, 0.0), (page, 0.1), (turn, 0.3), (other, 0.0)):
        scope.start(work, scope.name, seconds)
    await ticks()
    report = await root.close()
    assert order == ["other", "turn", "page", "app"]
    assert (report.ended, report.scopes) == (4, 4)
    assert root.statistics().scopes == 1
    assert root.children == frozenset()


@virtual
async def test_a_stuck_child_does_not_take_the_parents_time() -> None:
    """After a quarter of the time, those above it are cancelled all the same."""
    cancelled_at: list[float] = []

    async def note() -> None:
        try:
            await forever()
        finally:
            cancelled_at.append(now() - 1000)

    root = TaskScope("app", close_timeout=8)
    stubborn = Stubborn()
    root.start(note)
    page = root.child("page")
    page.start(note)
    page.child("turn").child("speech").start(stubborn.run)
    await ticks()
    report = await root.close()
    assert now() == pytest.approx(1008)
    assert cancelled_at == pytest.approx([2, 2])
    assert [info.owner for info in report.abandoned] == ["app/page/turn/speech"]
    assert report.ended == 2
    stubborn.gate.set()
    await ticks()


@virtual
async def test_closing_from_inside_does_not_deadlock() -> None:
    """A job may close its own scope: the others end, it goes on as a job of the parent, and ends there."""
    root = TaskScope("app")
    scope = root.child("page")
    other = scope.start(forever)
    seen: list[CloseReport] = []

    async def closer() -> None:
        seen.append(await scope.close())
        await asyncio.sleep(1)

    job = scope.start(closer)
    await ticks(10)
    assert seen[0].ended == 1
    assert other.cancelled()
    assert job in root.running
    assert job.path == "app/closer"
    books(root)
    await job.wait()
    assert now() == 1001
    books(root)
    assert root.statistics().finished == 1
    await root.close()


@virtual
async def test_a_job_that_closed_its_scope_is_ended_with_the_parent() -> None:
    """What goes on after closing its own scope is not orphaned: the parent's close ends it."""
    root = TaskScope("app")
    scope = root.child("page")

    async def closer() -> None:
        await scope.close()
        await forever()

    job = scope.start(closer)
    await ticks(10)
    report = await root.close()
    assert job.cancelled()
    assert job.cancelled_by == "closed: app"
    assert report.ended == 1


@virtual
async def test_a_grandchilds_job_closes_the_grandparent() -> None:
    """The closer is excused on every level up to the scope it closes, and its siblings are not."""
    root = TaskScope("app")
    middle = root.child("page")
    scope = middle.child("turn")
    jobs = [each.start(forever) for each in (root, middle, scope)]
    done: list[str] = []

    async def closer() -> None:
        report = await root.close()
        done.append(f"{report.ended} ended, {report.scopes} scopes")

    job = scope.start(closer)
    await job.wait()
    assert done == ["3 ended, 3 scopes"]
    assert all(job.cancelled() for job in jobs)
    assert now() == 1000
    books(root)


@virtual
async def test_a_cancelled_job_may_close_its_scope_in_finally() -> None:
    """`finally: await scope.close()` of a job that the same close has cancelled comes to its end."""
    scope = TaskScope("app")
    ended: list[str] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            await scope.close()
            ended.append("cleaned up")

    job = scope.start(work)
    await ticks()
    report = await scope.close()
    await job.wait()
    assert ended == ["cleaned up"]
    assert report.clean
    assert now() == 1000


@virtual
async def test_the_closer_itself_cancelled() -> None:
    """Cancelling the one who waits for a close reaches it at once; the close goes on without it."""
    scope = TaskScope("app")
    scope.start(swallow, 1)
    await ticks()
    outside = TaskScope("outside")
    closer = outside.start(scope.close)
    await ticks()
    closer.cancel("enough")
    await ticks()
    assert closer.cancelled()
    assert not scope.open
    assert now() == 1000
    report = await scope.close()
    assert report.clean
    assert now() == 1002.5
    await outside.close()


@virtual
async def test_a_closer_cancelled_from_above_is_waited_for() -> None:
    """A job that closes its page is cancelled when the server closes, which waits for its clean-up."""
    root = TaskScope("app", close_timeout=10)
    page = root.child("page")
    page.start(swallow, 1)
    trail: list[str] = []

    async def closer() -> None:
        try:
            await page.close(100)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            trail.append("cleaned up")
            raise

    job = page.start(closer)
    await ticks()
    report = await root.close()
    assert trail == ["cleaned up"]
    assert job.cancelled()
    assert (report.ended, report.clean) == (2, True)
    assert now() == 1005
    books(root)


@virtual
async def test_a_childs_own_slow_close_does_not_delay_the_parents() -> None:
    """A child that closes with a later deadline of its own is ended by the parent's earlier one."""
    root = TaskScope("app", close_timeout=4)
    page = root.child("page")
    stubborn = Stubborn()
    page.start(stubborn.run)
    page.start(swallow, 2)
    await ticks()
    first = asyncio.ensure_future(page.close(1000))
    await ticks()
    report = await root.close()
    assert now() == 1004
    assert [info.name for info in report.abandoned] == ["run"]
    assert (await first).abandoned == report.abandoned
    assert report.ended == 1
    stubborn.gate.set()
    await ticks()


@virtual
async def test_a_parents_slow_close_may_be_hurried_for_one_child() -> None:
    """While a parent closes slowly, a child may be closed faster."""
    root = TaskScope("app", close_timeout=100)
    page = root.child("page")
    stubborn = Stubborn()
    page.start(stubborn.run)
    await ticks()
    closing = asyncio.ensure_future(root.close())
    await ticks()
    report = await page.close(1)
    assert now() == 1001
    assert len(report.abandoned) == 1
    assert (await closing).abandoned == report.abandoned
    assert now() == 1001
    stubborn.gate.set()
    await ticks()


@virtual
async def test_a_job_cancelled_before_its_first_step() -> None:
    """A job whose scope closes in the same tick never runs a line, and no coroutine is left unawaited."""
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    scope = TaskScope("app")
    jobs = [scope.start(work), scope.start(work()), scope.start(work(), timeout=5), scope.start(work, key=1)]
    report = await scope.close()
    assert ran == []
    assert [job.state for job in jobs] == ["cancelled"] * 4
    assert report.ended == 4


@virtual
async def test_a_job_that_starts_others_while_it_is_cancelled() -> None:
    """The doors of the whole tree are closed before anything is cancelled."""
    root = TaskScope("app")
    page = root.child("page")
    refused: list[Exception] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            for scope in (root, page):
                try:
                    scope.start(forever)
                except ScopeClosed as error:
                    refused.append(error)
                with pytest.raises(ScopeClosed):
                    scope.child("more")

    page.start(work)
    await ticks()
    report = await root.close()
    assert len(refused) == 2
    assert report.ended == 1


@virtual
async def test_a_job_that_raises_in_finally() -> None:
    """An error during the close is reported once, and the close still ends."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)

    async def work() -> None:
        try:
            await forever()
        finally:
            raise ValueError("in finally")

    job = scope.start(work)
    await ticks()
    report = await scope.close()
    assert report.clean
    assert job.state == "failed"
    assert [str(error) for _, _, error in recorder.failures] == ["in finally"]
    books(scope)


@virtual
async def test_a_submitter_that_waits_is_refused_by_the_close() -> None:
    """Whoever waits for room learns that the scope has closed, and its job never begins."""
    scope = TaskScope("app", max_running=1)
    scope.start(forever)
    outside = TaskScope("outside", observer=Recorder())
    submitter = outside.start(scope.submit, value)
    runner = outside.start(scope.run, value())
    await ticks()
    assert scope.statistics().submitters == 2
    await scope.close()
    await ticks()
    for job in (submitter, runner):
        assert job.done()
        with pytest.raises(ScopeClosed, match="while 'value' waited"):
            job.result()
    await outside.close()


@virtual
async def test_closing_while_a_queued_job_begins() -> None:
    """Room made by the close itself is not given to waiting jobs."""
    scope = TaskScope("app", max_running=1, max_waiting=1)
    begun: list[int] = []

    async def second() -> None:
        begun.append(1)

    scope.start(forever)
    queued = scope.start(second)
    await ticks()
    await scope.close()
    await ticks()
    assert queued.state == "dropped"
    assert begun == []


@virtual
async def test_jobs_that_finish_first() -> None:
    """`on_close="finish"` lets a job go on, for half of the closing time at most."""
    scope = TaskScope("app", close_timeout=10)
    short = scope.start(value, "stored", 3, on_close="finish")
    long = scope.start(forever, on_close="finish")
    other = scope.start(value, "no", 3)
    await ticks()
    report = await scope.close()
    assert short.result() == "stored"
    assert long.cancelled()
    assert other.cancelled()
    assert now() == 1005
    assert report.clean


@virtual
async def test_leaving_the_block_closes() -> None:
    """`async with` closes the scope, also when the block raises, and notes why."""
    recorder = Recorder()
    scope = TaskScope("app", observer=recorder)
    job = scope.start(forever)
    with pytest.raises(KeyError):
        async with scope:
            raise KeyError("x")
    assert job.cancelled()
    assert job.cancelled_by == "left its block with KeyError('x'): app"
    async with TaskScope("app") as scope:
        job = scope.start(forever)
    assert job.cancelled_by == "left its block: app"


@virtual
async def test_a_job_that_waited_for_a_closed_child_is_not_a_failure() -> None:
    """A turn whose speech job is cancelled a moment before itself does not report an error of its own."""
    recorder = Recorder()
    root = TaskScope("app", observer=recorder)
    speech = root.child("speech")

    async def turn() -> None:
        await speech.run(forever)

    async def slow() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(1)

    job = root.start(turn)
    speech.start(slow)
    await ticks()
    await root.close()
    assert isinstance(job.exception(), JobCancelled)
    assert recorder.failures == []
    assert root.statistics().cancelled == 3
    books(root)


@virtual
async def test_an_observer_that_raises_does_not_stop_a_close(caplog: pytest.LogCaptureFixture) -> None:
    """An observer's own error is logged; the close and its counts are right all the same."""

    class Broken(Recorder):
        def job_failed(self, *_: object) -> None:
            raise RuntimeError("broken observer")

        scope_closed = job_failed

    scope = TaskScope("app", observer=Broken())
    scope.child("page").start(fail, ValueError("x"))
    await ticks()
    report = await scope.close()
    assert report.clean
    assert now() == 1000
    assert caplog.text.count("broken observer") >= 2
    books(scope)


@virtual
async def test_reports_reach_the_observer_once_per_scope() -> None:
    """Each scope of the tree reports its own close, deepest first; the root's covers all."""
    recorder = Recorder()
    root = TaskScope("app", observer=recorder)
    root.child("a").child("b").start(forever)
    await ticks()
    await root.close()
    assert [(report.scope, report.ended) for report in recorder.closed] == [
        ("app/a/b", 1),
        ("app/a", 1),
        ("app", 1),
    ]


@virtual
async def test_closing_a_deep_tree() -> None:
    """A chain of 300 scopes closes, deepest first."""
    root = scope = TaskScope("app")
    for depth in range(300):
        scope = scope.child(str(depth))
        scope.start(forever)
    await ticks()
    report = await root.close()
    assert (report.ended, report.scopes) == (300, 301)
    assert now() == 1000


@virtual
async def test_the_current_job_is_known() -> None:
    """current_job is the job the code runs in, and None outside of any."""
    scope = TaskScope("app")

    async def who() -> object:
        return current_job()

    assert current_job() is None
    job = scope.start(who)
    assert await job is job
    await scope.close()
