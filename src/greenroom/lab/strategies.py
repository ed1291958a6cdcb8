"""Six ways to run conversations in the background: the analysis' four, a task group, and Greenroom's core.

Each is written as its advocates would write it, as short as it can be without being unfair, because two of
the measured columns come from the code itself: how many lines it takes, and what it leaves behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from greenroom.tasks import ScopeClosed, TaskScope

Converse = Callable[[int, int], Awaitable[None]]
"""`converse(page, message)`: holds one conversation; raises when it fails."""


class Strategy(ABC):
    """Runs `converse` for each message. `tick` is the polling interval of those that poll, scaled."""

    key: ClassVar[str]
    title: ClassVar[str]
    bounded_waiting: ClassVar[bool] = False

    def __init__(self, converse: Converse, parallel: int, tick: float) -> None:
        self.converse = converse
        self.parallel = parallel
        self.tick = tick
        self.errors_seen = 0

    async def start(self) -> None:  # noqa: B027 - most need no beginning
        """Begin."""

    @abstractmethod
    async def message(self, page: int, number: int) -> None:
        """A message has come."""

    async def page_closed(self, page: int) -> None:  # noqa: B027
        """A page has gone; a strategy that keeps no books has nothing to do here."""

    async def close(self) -> None:  # noqa: B027
        """The server stops."""

    @classmethod
    def lines(cls) -> int:
        """Lines of code, without comments, blank lines and docstrings of the shared base."""
        source = inspect.getsource(cls).splitlines()[1:]
        return sum(1 for line in source if line.strip() and not line.strip().startswith(("#", '"""')))


class Polling(Strategy):
    """The loop of the analysis: every 0.1 s one message is taken from the queue."""

    def __init__(self, converse: Converse, parallel: int, tick: float) -> None:
        super().__init__(converse, parallel, tick)
        self.queue: deque[tuple[int, int]] = deque()
        self.loop_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.loop_task = asyncio.create_task(self._consume_loop())

    async def message(self, page: int, number: int) -> None:
        self.queue.append((page, number))

    async def _consume_loop(self) -> None:
        while True:
            await asyncio.sleep(self.tick)
            while self.queue and self.may_start():
                await self.forward(*self.queue.popleft())

    def may_start(self) -> bool:
        return True

    @abstractmethod
    async def forward(self, page: int, number: int) -> None: ...

    async def close(self) -> None:
        if self.loop_task is not None:
            self.loop_task.cancel()
            await asyncio.wait([self.loop_task], timeout=5)


class AsFound(Polling):
    key, title = "D", "D. as found (fire and forget)"

    async def forward(self, page: int, number: int) -> None:
        asyncio.create_task(self.converse(page, number))  # type: ignore[arg-type]  # noqa: RUF006  # pyright: ignore


class TrackedSet(Polling):
    key, title = "A", "A. tracked set + limit"

    def __init__(self, converse: Converse, parallel: int, tick: float) -> None:
        super().__init__(converse, parallel, tick)
        self.tasks: set[asyncio.Task[Any]] = set()

    def may_start(self) -> bool:
        return len(self.tasks) < self.parallel

    async def forward(self, page: int, number: int) -> None:
        task: asyncio.Task[Any] = asyncio.create_task(self.converse(page, number))  # type: ignore[arg-type]  # pyright: ignore
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        await super().close()
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=5)


class SemaphoreInside(Polling):
    key, title = "B", "B. semaphore"

    def __init__(self, converse: Converse, parallel: int, tick: float) -> None:
        super().__init__(converse, parallel, tick)
        self.limit = asyncio.Semaphore(parallel)

    async def forward(self, page: int, number: int) -> None:
        asyncio.create_task(self.limited(page, number))  # noqa: RUF006

    async def limited(self, page: int, number: int) -> None:
        async with self.limit:
            await self.converse(page, number)


class DirectAwait(Polling):
    key, title = "C", "C. direct await"

    async def forward(self, page: int, number: int) -> None:
        try:
            await self.converse(page, number)
        except Exception:  # noqa: BLE001 - one conversation that fails must not end the loop
            self.errors_seen += 1


class Group(Strategy):
    key, title = "T", "TaskGroup (one for the server)"

    async def start(self) -> None:
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()
        self.holder = asyncio.create_task(self.hold())
        await self.ready.wait()

    async def hold(self) -> None:
        while not self.stop.is_set():
            try:
                async with asyncio.TaskGroup() as self.group:
                    self.ready.set()
                    await self.stop.wait()
            except* Exception as failed:  # noqa: BLE001 - a failure ends the whole group; begin another
                self.errors_seen += len(failed.exceptions)

    async def message(self, page: int, number: int) -> None:
        with contextlib.suppress(RuntimeError):
            self.group.create_task(self.converse(page, number))  # type: ignore[arg-type]  # pyright: ignore

    async def close(self) -> None:
        self.stop.set()
        self.holder.cancel()
        await asyncio.wait([self.holder], timeout=5)


class Scopes(Strategy):
    key, title = "G", "Greenroom: a scope per page"
    bounded_waiting = True

    async def start(self) -> None:
        self.root = TaskScope("server", observer=self)
        self.pages: dict[int, TaskScope] = {}

    async def message(self, page: int, number: int) -> None:
        if page not in self.pages:
            self.pages[page] = self.root.child(f"page {page}", max_running=1, max_waiting=20)
        with contextlib.suppress(ScopeClosed):
            self.pages[page].start(self.converse, page, number)  # type: ignore[arg-type]  # pyright: ignore

    async def page_closed(self, page: int) -> None:
        if page in self.pages:
            await self.pages.pop(page).close()

    def job_failed(self, job: Any, error: BaseException) -> None:
        self.errors_seen += 1

    def job_abandoned(self, info: Any) -> None:
        self.errors_seen += 1

    def scope_closed(self, report: Any) -> None:
        pass

    async def close(self) -> None:
        await self.root.close()


STRATEGIES: tuple[type[Strategy], ...] = (AsFound, TrackedSet, SemaphoreInside, DirectAwait, Group, Scopes)
