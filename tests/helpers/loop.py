"""An event loop whose clock only the test moves: a minute's time-out takes no time, and none comes early.

Real input (the history store's threads) wakes the loop as ever. A test that waits for a timer it has not
moved the clock to, or for something nobody will do, fails after some real seconds.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

PATIENCE = 20.0
"""Real seconds without any event after which a test is stuck; a busy machine may take some to open a database."""


class Stuck(BaseException):
    """Nothing is ready, and no thread reports. Not an `Exception`, so that no code under test handles it."""


class _PatientSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        events = super().select(PATIENCE)
        if not events:
            raise Stuck("all tasks are blocked: nothing is ready, and only `advance` moves the clock")
        return events


class ManualLoop(asyncio.SelectorEventLoop):
    """See the file."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_PatientSelector())

    def time(self) -> float:
        return self.now

    def is_idle(self) -> bool:
        """Nothing is ready to run but the one who asks."""
        return not self._ready  # type: ignore[attr-defined]

    def next_timer(self) -> float | None:
        """When the next timer is due."""
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        return min((timer.when() for timer in timers if not timer.cancelled()), default=None)


def manual_loop() -> ManualLoop:
    """The loop the caller runs on."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ManualLoop)
    return loop


async def settle() -> None:
    """Let everything run until all tasks are blocked; the clock stands still."""
    loop = manual_loop()
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(0)
        quiet = quiet + 1 if loop.is_idle() else 0


async def advance(seconds: float) -> None:
    """Move the clock, from timer to timer, letting everything run at each."""
    loop = manual_loop()
    await settle()
    target = loop.now + seconds
    while (when := loop.next_timer()) is not None and when <= target:
        loop.now = max(loop.now, when)
        await settle()
    loop.now = target
    await settle()
