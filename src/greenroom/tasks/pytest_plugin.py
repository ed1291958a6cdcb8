"""A pytest plugin: every async test fails if it leaves a task behind, naming its owner and its line.

What counts is what the test itself caused: jobs of scopes it made, and tasks created in its context. A server
that a fixture started, and the tasks that serves with, are the fixture's. Works with pytest-asyncio (both
modes) and with anyio's plugin. A test that has a reason says so: `@pytest.mark.leaves_tasks("why")`.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

import pytest

from ._census import JobInfo, info_of
from ._job import Job
from ._strict import Origin, StrictFactory

GRACE = 0.2
"""Seconds for what is about to end: a connection's last callbacks, a task that was just cancelled."""
MARKER = "leaves_tasks"

_watching: ContextVar[_Watch | None] = ContextVar("greenroom_test", default=None)


class _Watch(StrictFactory):
    def note(self, task: asyncio.Task[Any], origin: Origin) -> None:
        if _watching.get() is self:
            super().note(task, origin)


@asynccontextmanager
async def no_tasks_left() -> AsyncGenerator[None]:
    """Fail (with pytest's own failure) if the block leaves tasks behind; they are cancelled."""
    if asyncio._get_running_loop() is None:
        yield  # trio
        return
    began, watch = monotonic(), _Watch("allow")

    def left() -> dict[asyncio.Task[Any], JobInfo]:
        jobs = [task for task in asyncio.all_tasks() if isinstance(task, Job)]
        own = {job: info_of(job, stack=True) for job in jobs if job.scope.root.created >= began}
        return watch.foreign_tasks() | own

    token = _watching.set(watch)
    with watch:
        yield
        if pending := left():
            await asyncio.wait(pending, timeout=GRACE)
    _watching.reset(token)
    if pending := left():
        for task in pending:
            task.cancel("left behind by a test")
        await asyncio.wait(pending, timeout=GRACE)
        pytest.fail(
            f"the test left {len(pending)} task(s) behind: close their scope, or mark it with "
            f"@pytest.mark.{MARKER}(reason)\n  " + "\n  ".join(sorted(map(str, pending.values()))),
            pytrace=False,
        )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{MARKER}(reason): this async test may leave tasks behind, and why")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wrap the coroutine function before any plugin runs it."""
    marker = item.get_closest_marker(MARKER)
    if marker is not None and not (marker.args or marker.kwargs.get("reason")):
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.{MARKER} needs a reason")
    if marker is not None or not isinstance(item, pytest.Function):
        return (yield)
    # With hypothesis the coroutine function sits inside the one that draws the examples.
    holder, attribute = item, "obj"
    if hasattr(item.obj, "hypothesis"):
        holder, attribute = item.obj.hypothesis, "inner_test"
    test = getattr(holder, attribute)
    if not inspect.iscoroutinefunction(test):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holder, attribute, no_tasks_left()(test))
        return (yield)
