"""An event loop whose clock jumps: a test of a five-minute time-out takes a millisecond, and is exact.

When nothing is ready and a timer is due later, the clock moves to it at once. With no timer either, the loop
waits for real input (a thread that reports back), and says so if there is none.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from greenroom.tasks.pytest_plugin import no_tasks_left

PATIENCE = 5.0
"""Real seconds a test may wait for a thread."""


class _JumpingSelector(selectors.DefaultSelector):
    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = super().select(PATIENCE)
            if not events:
                raise RuntimeError(
                    "all tasks are blocked: nothing is ready, no timer is set, no thread reports"
                )
            return events
        events = super().select(0)
        if not events and timeout > 0:
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the file."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a `VirtualLoop`; it fails if it leaves a task."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def checked() -> None:
            async with no_tasks_left():
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(checked())

    return run


async def ticks(count: int = 5) -> None:
    """Let everything that is ready run, without moving the clock."""
    for _ in range(count):
        await asyncio.sleep(0)


def now() -> float:
    return asyncio.get_running_loop().time()
