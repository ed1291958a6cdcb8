"""Tests of the tree of owners, and of where a task stands."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.tasks.virtual_loop import ticks, virtual

from greenroom.server.ops.messages import OpsOwner
from greenroom.server.ops.tree import (
    SLICE,
    TASKS_OF_ONE,
    BadCursor,
    abandoned_tasks,
    find_job,
    kind_of,
    short_file,
    short_reason,
    stack_of,
    tree_page,
    with_code,
)
from greenroom.tasks import TaskScope


async def forever() -> None:
    await asyncio.Event().wait()


async def stubborn() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not stubborn_ones:
                raise


stubborn_ones: list[str] = []


@virtual
async def test_the_tree_in_the_order_of_birth() -> None:
    """Parents first, older siblings first, each with its tasks: those that run, then those that wait."""
    async with TaskScope("server") as root:
        clients = root.child("clients")
        first = clients.child("client 7f3a", max_running=1, max_waiting=5)
        clients.child("client 0001")
        root.child("rooms")
        first.child("turns")
        for name in ("turn", "next", "last"):
            first.start(forever, name=name)
        await ticks()
        page = await tree_page(root, None, 100)
        assert [(owner.path, owner.depth, owner.kind) for owner in page.owners] == [
            ("server", 0, "server"),
            ("server/clients", 1, "clients"),
            ("server/clients/client 7f3a", 2, "client"),
            ("server/clients/client 7f3a/turns", 3, "turns"),
            ("server/clients/client 0001", 2, "client"),
            ("server/rooms", 1, "rooms"),
        ]
        assert (page.left_off, page.next) == (0, None)
        owner = page.owners[2]
        assert (owner.running, owner.waiting, owner.tasks_left_off) == (1, 2, 0)
        assert [(task.name, task.state, task.position) for task in owner.tasks] == [
            ("turn", "running", 0), ("next", "waiting", 1), ("last", "waiting", 2),
        ]  # fmt: skip
        assert "test_tree.py" in owner.tasks[0].site
        assert "/" not in owner.tasks[0].site.partition("ops/")[0]
        assert all(owner.open and owner.age_s >= 0 for owner in page.owners)


async def pages_of(root: TaskScope, limit: int) -> list[OpsOwner]:
    owners: list[OpsOwner] = []
    after: str | None = None
    while True:
        page = await tree_page(root, after, limit)
        assert sum(1 + len(owner.tasks) for owner in page.owners) <= limit
        owners += page.owners
        if page.next is None:
            return owners
        assert page.left_off > 0
        after = page.next


@virtual
async def test_pages_go_on_where_the_last_one_ended() -> None:
    """Each owner once, with all its tasks, whatever the size of a page."""
    async with TaskScope("server") as root:
        for number in range(20):
            branch = root.child(f"branch {number}")
            for leaf in range(3):
                owner = branch.child(f"leaf {leaf}")
                for _ in range(leaf):
                    owner.start(forever)
        whole = [owner.path for owner in (await tree_page(root, None, 2000)).owners]
        for limit in (5, 7, 50):
            owners = await pages_of(root, limit)
            assert [owner.path for owner in owners] == whole
            assert sum(len(owner.tasks) for owner in owners) == 60


@virtual
async def test_who_comes_and_goes_between_pages_confuses_nobody() -> None:
    """No owner is listed twice, and none that stays is missed."""
    async with TaskScope("server") as root:
        scopes = [root.child(f"a {number}") for number in range(10)]
        page = await tree_page(root, None, 5)
        await scopes[0].close()
        await scopes[3].close()
        root.child("late")
        rest = await tree_page(root, page.next, 100)
        paths = [owner.name for owner in (*page.owners, *rest.owners)]
        assert paths == ["server", *(f"a {number}" for number in range(10)), "late"]


@virtual
async def test_an_owner_of_very_many_tasks() -> None:
    """Some of them are listed, the number of the others is told."""
    async with TaskScope("server") as root:
        for _ in range(1000):
            root.start(forever)
        page = await tree_page(root, None, 2000)
        assert len(page.owners[0].tasks) == TASKS_OF_ONE
        assert page.owners[0].tasks_left_off == page.left_off == 1000 - TASKS_OF_ONE
        assert page.next is None
        small = await tree_page(root, None, 10)
        assert len(small.owners[0].tasks) == 9
        assert small.owners[0].tasks_left_off == 991


@virtual
async def test_a_cursor_from_nowhere_is_refused() -> None:
    """The error says what it is not."""
    async with TaskScope("server") as root:
        with pytest.raises(BadCursor, match="no place in the tree"):
            await tree_page(root, "zz top", 10)


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_big_tree_stops_nobody() -> None:
    """Ten thousand owners: the loop is never held up for long."""
    async with TaskScope("server") as root:
        clients = root.child("clients")
        for number in range(10_000):
            clients.child(f"client {number}").start(forever)
        await asyncio.sleep(0)
        worst, done = 0.0, False

        async def beat() -> None:
            nonlocal worst
            while not done:
                # Processor time: a busy machine holds everybody up, and this is not about that.
                before = time.thread_time()
                await asyncio.sleep(0)
                worst = max(worst, time.thread_time() - before)

        beats = root.start(beat)
        page = await tree_page(root, None, 2000)
        done = True
        await beats.wait()
        assert len(page.owners) > 900
        assert worst < 0.03


@pytest.mark.parametrize("of_the_root", [0, 1])
@virtual
async def test_the_loop_gets_its_turn_whatever_the_shape(of_the_root: int) -> None:
    """Between any two turns of the loop no more than a slice is told, whether counts are odd or even."""
    async with TaskScope("server") as root:
        for _ in range(of_the_root):
            root.start(forever)
        clients = root.child("clients")
        for number in range(1000):
            clients.child(f"client {number}").start(forever)
        await ticks()
        turns, done = 0, False

        async def beat() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        beats = root.start(beat)
        page = await tree_page(root, None, 2000)
        done = True
        await beats.wait()
        told = sum(1 + len(owner.tasks) for owner in page.owners)
        assert turns >= told // SLICE - 1


@virtual
async def test_a_job_is_found_by_its_id() -> None:
    """Whether it runs or waits, wherever it lives; ids are never used twice."""
    async with TaskScope("app") as root:
        page = root.child("page", max_running=1, max_waiting=1)
        running, waiting = page.start(forever), page.start(forever)
        assert running.id != waiting.id
        assert await find_job(root, running.id) is running
        assert await find_job(root, waiting.id) is waiting
        running.cancel()
        await ticks()
        begun = waiting.job  # type: ignore[union-attr]
        assert begun is not None
        assert await find_job(root, running.id) is None
        assert await find_job(root, begun.id) is begun


@virtual
async def test_where_a_task_stands() -> None:
    """Its frames from the outside in, with the line of code; one that waits for its turn stands nowhere."""
    async with TaskScope("server", max_running=1, max_waiting=5) as root:
        job = root.start(forever, name="keeper")
        queued = root.start(forever, name="next")
        await ticks()
        assert await find_job(root, job.id) is job
        stack = with_code(*stack_of(job))
        assert (stack.id, stack.name, stack.owner, stack.state) == (job.id, "keeper", "server", "running")
        assert stack.frames[0].function == "forever"
        assert stack.frames[0].code == "await asyncio.Event().wait()"
        assert stack.frames[0].file.endswith("test_tree.py")
        assert stack.frames[1].file == "asyncio/locks.py"
        found = await find_job(root, queued.id)
        assert found is not None
        waiting, places = stack_of(found)
        assert (waiting.state, waiting.frames, places) == ("waiting", [], [])
        assert await find_job(root, "77-1") is None
        job.cancel("enough")
        await job.wait()
        assert await find_job(root, job.id) is None


@virtual
async def test_abandoned_tasks_are_told() -> None:
    """With where they came from and who cancelled them, as long as they run; their stack can be asked for."""
    root = TaskScope("server")
    page = root.child("clients").child("client a", close_timeout=1)
    stubborn_ones.append("x")
    job = page.start(stubborn, name="stubborn")
    await ticks()
    await page.close(reason="closed by the page")
    try:
        (told,) = abandoned_tasks()
        assert (told.owner, told.name, told.id) == ("server/clients/client a", "stubborn", job.id)
        assert told.cancelled_by == "closed by the page: server/clients/client a"
        assert await find_job(root, told.id) is job
    finally:
        stubborn_ones.clear()
        job.cancel()
        await asyncio.wait([job])  # type: ignore[list-item]
    assert abandoned_tasks() == []
    await root.close()


def test_places_without_the_machine_around_them() -> None:
    """Where the package is installed is nobody's business."""
    assert short_file("/home/me/.venv/lib/python3.11/site-packages/greenroom/a/b.py") == "greenroom/a/b.py"
    assert short_file("/home/me/src/greenroom/src/greenroom/cli.py") == "greenroom/cli.py"
    assert short_file("/usr/lib/python3.11/asyncio/locks.py") == "asyncio/locks.py"
    assert (
        short_reason("cancelled at /x/src/greenroom/cli.py:3 in f") == "cancelled at greenroom/cli.py:3 in f"
    )
    assert short_reason("closed: server/a") == "closed: server/a"
    assert short_reason(None) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("client 7f3a", "client"), ("room main", "room"), ("live chat", "live chat"), ("server", "server")],
)
def test_what_an_owner_is(name: str, kind: str) -> None:
    """Its name without what tells it from others of its kind."""
    assert kind_of(name) == kind
