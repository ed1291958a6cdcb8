"""Tasks created behind the core's back are found, named, charged, adopted or refused."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from greenroom.tasks import ForeignTask, Job, TaskScope, strict

from .recording import Recorder, books, fail, forever, value
from .virtual_loop import ticks

pytestmark = pytest.mark.leaves_tasks("they make tasks without an owner on purpose, and end them")

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


def loops() -> list[Any]:
    """asyncio's own loop, and uvloop's where there is one."""
    runners: list[Any] = [pytest.param(asyncio.run, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        return runners
    return [*runners, pytest.param(uvloop.run, id="uvloop")]


@pytest.fixture(params=loops())
def run(request: pytest.FixtureRequest) -> Runner:
    """Runs a coroutine on each kind of loop."""
    runner: Runner = request.param
    return runner


def make() -> asyncio.Task[Any]:
    """What a library does."""
    return asyncio.create_task(forever(), name="hidden")


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_report(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    """report: a foreign task is made, listed with its owner and line, and logged once per line."""

    async def main() -> None:
        with strict() as watch:
            async with TaskScope("app") as scope:
                made: list[asyncio.Task[Any]] = []

                async def work() -> None:
                    made.extend(make() for _ in range(3))

                await scope.child("page").run(work)
                outside = make()
                infos = watch.foreign()
                assert [info.owner for info in infos] == ["app/page"] * 3 + ["(nobody)"]
                assert all(info.name == "hidden" and info.state == "running" for info in infos)
                assert all("test_strict.py:" in info.site and info.site.endswith("in make") for info in infos)
                assert watch.created == 4
                await end(outside, *made)
                assert watch.foreign() == ()

    run(main())
    messages = [record.message for record in caplog.records]
    assert len(messages) == 2
    assert "a task without an owner was created at" in messages[0]
    assert messages[0].endswith("in make, in app/page")
    assert messages[1].endswith("in make, in (nobody)")


def test_callbacks_are_charged_too(run: Runner) -> None:
    """A task made in a callback that a job left behind is charged to the job's scope."""

    async def main() -> None:
        with strict("allow") as watch:
            async with TaskScope("app") as scope:
                made: list[asyncio.Task[Any]] = []

                async def work() -> None:
                    asyncio.get_running_loop().call_soon(lambda: made.append(make()))

                await scope.run(work)
                await ticks()
                assert [info.owner for info in watch.foreign()] == ["app"]
                await end(*made)

    run(main())


def test_a_job_started_before_is_charged_by_its_task(run: Runner) -> None:
    """What a job creates that ran before strict was on is charged to its scope all the same."""

    async def main() -> None:
        gate = asyncio.Event()
        made: list[asyncio.Task[Any]] = []

        async def work() -> None:
            await gate.wait()
            made.append(make())

        async with TaskScope("app") as scope:
            scope.start(work)
            await ticks()
            with strict("allow") as watch:
                gate.set()
                await ticks()
                assert [info.owner for info in watch.foreign()] == ["app"]
                await end(*made)

    run(main())


def test_raise(run: Runner) -> None:
    """raise: the creation fails, naming line, owner and the way out; jobs of scopes are not touched."""

    async def main() -> None:
        with strict("raise"):
            async with TaskScope("app") as scope:

                async def work() -> None:
                    make()

                job = scope.start(value, 1)
                keyed = scope.start(value, 2, key="k", timeout=5)
                assert [await job, await keyed] == [1, 2]
                with pytest.raises(
                    ForeignTask, match=r"in make created a task behind the back of app: .*allow="
                ):
                    await scope.run(work)
                with pytest.raises(ForeignTask, match="nobody"):
                    await asyncio.gather(value())
        await end(make())

    run(main())
    gc.collect()


def test_allowed_modules(run: Runner) -> None:
    """Modules on the allow-list may create tasks; patterns work."""

    async def main() -> None:
        for pattern in (__name__, "*test_str*"):
            with strict("raise", allow=[pattern]) as watch:
                await end(make())
                assert watch.created == 0
        with strict("raise", allow=["another.*"]), pytest.raises(ForeignTask):
            make()

    run(main())


def test_adopt(run: Runner) -> None:
    """adopt: a foreign task becomes a job of the current owner, which ends it when it closes."""

    async def main() -> None:
        recorder = Recorder()
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
        with strict("adopt") as watch:
            scope = TaskScope("app", max_running=1, observer=recorder)
            made: list[asyncio.Task[Any]] = []

            async def read() -> str:
                return variable.get()

            async def work() -> None:
                made.append(make())
                context = contextvars.copy_context()
                context.run(variable.set, "mine")
                made.append(asyncio.create_task(read(), context=context))

            await scope.run(work)
            await ticks()
            adopted = made[0]
            assert isinstance(adopted, Job)
            assert (adopted.path, adopted.get_name()) == ("app/hidden", "hidden")
            assert adopted.site.endswith("in make")
            assert made[1].result() == "mine"
            assert watch.foreign() == ()
            outside = make()
            assert not isinstance(outside, Job)
            await end(outside)
            report = await scope.close()
            assert report.ended == 1
            assert adopted.cancelled()
            books(scope)

    run(main())


def test_adopting_while_the_owner_closes(run: Runner) -> None:
    """What is created while its owner closes goes to the nearest open scope above, or to nobody."""

    async def main() -> None:
        with strict("adopt") as watch:
            root = TaskScope("app")
            page = root.child("page")
            made: list[asyncio.Task[Any]] = []

            async def work() -> None:
                try:
                    await forever()
                finally:
                    made.append(make())

            page.start(work)
            root.start(work)
            await ticks()
            await page.close()
            assert made[0] in root.running
            await root.close()
            assert made[0].cancelled()
            assert [info.owner for info in watch.foreign()] == ["app"]
            await end(made[1])

    run(main())


def test_the_errors_of_adopted_tasks_are_left_to_their_makers(run: Runner) -> None:
    """An adopted task that fails is counted; whoever made it sees the error, the observer does not."""

    async def main() -> None:
        recorder = Recorder()
        with strict("adopt"):
            async with TaskScope("app", observer=recorder) as scope:

                async def work() -> str:
                    try:
                        await asyncio.create_task(fail(ValueError("x")))
                    except ValueError as error:
                        return str(error)
                    return "no error"

                assert await scope.run(work) == "x"
                assert recorder.failures == []
                assert scope.statistics().failed == 1

    run(main())


def test_what_asyncio_ends_itself_is_no_finding(run: Runner) -> None:
    """wait_for and the clean-up of async generators create no task that could be forgotten."""

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)

    async def main() -> None:
        with strict("raise") as watch:
            assert await asyncio.wait_for(value(3), 5) == 3
            async for _ in numbers():
                break
            gc.collect()
            await ticks()
            assert watch.created == 0

    run(main())


def test_a_servers_callbacks_are_seen(run: Runner) -> None:
    """asyncio.start_server makes a task per connection, in a callback of the loop: it is charged."""

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        with strict("allow") as watch:
            async with TaskScope("app") as scope:

                async def listen() -> asyncio.Server:
                    return await asyncio.start_server(serve, "127.0.0.1", 0)

                server = await scope.run(listen)
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                for _ in range(50):
                    if watch.foreign():
                        break
                    await asyncio.sleep(0.001)
                (info,) = watch.foreign()
                assert info.owner == "app"
                assert "streams.py:" in info.site
                writer.close()
                await writer.wait_closed()
                server.close()
                for _ in range(50):
                    if not watch.foreign():
                        break
                    await asyncio.sleep(0.001)
                assert not watch.foreign()

    run(main())


def test_install_and_uninstall() -> None:
    """install works on a loop that does not run yet, keeps the factory that was there, and gives it back."""
    loop = asyncio.new_event_loop()
    seen: list[str] = []

    def theirs(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        seen.append(coro.__name__)
        return asyncio.Task(coro, loop=loop, **options)

    factory: Any = theirs
    loop.set_task_factory(factory)
    watch = strict("allow").install(loop)
    with pytest.raises(RuntimeError, match="installed already"):
        watch.install(loop)

    async def main() -> None:
        task = make()
        assert len(watch.foreign()) == 1
        await end(task)

    loop.run_until_complete(main())
    watch.uninstall()
    watch.uninstall()
    assert loop.get_task_factory() is factory
    assert seen == ["main", "forever"]
    loop.close()


def test_two_at_once() -> None:
    """Strict factories may be nested: each sees the task."""

    async def main() -> None:
        with strict("allow") as outer, strict("allow") as inner:
            task = make()
            assert (outer.created, inner.created) == (1, 1)
            assert [info.site for info in outer.foreign()] == [info.site for info in inner.foreign()]
            await end(task)
        assert asyncio.get_running_loop().get_task_factory() is None

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_are_seen_and_jobs_are_not_eager() -> None:
    """With an eager factory on the loop, foreign tasks go on being eager and jobs on being ordinary."""

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009
        ran: list[str] = []

        async def work(name: str) -> None:
            ran.append(name)

        with strict("allow") as watch:
            async with TaskScope("app") as scope:
                task = asyncio.create_task(work("eager"))
                assert ran == ["eager"]
                job = scope.start(work, "job")
                assert ran == ["eager"]
                await job
                await task
                assert watch.created == 1

    asyncio.run(main())


async def test_the_log_stays_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """However often one line creates tasks, it is logged once."""
    with caplog.at_level(logging.WARNING, "greenroom.tasks"), strict() as watch:
        for _ in range(50):
            await end(make())
    assert len(caplog.records) == 1
    assert watch.created == 50
