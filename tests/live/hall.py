"""Queues without a server: conversations end when and how the test says, the listener writes down all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from greenroom.live.proxy_message_queue import ProxyMessageQueue
from greenroom.live.queue_policy import DropReason, QueueItem, QueueLimits
from greenroom.tasks import TaskScope

Trigger = Callable[[QueueItem], Awaitable[str | None]]


class Fates:
    """A `QueueListener` that keeps what became of each message, by its text."""

    def __init__(self) -> None:
        self.started_texts: list[str] = []
        self.fate: dict[str, list[str]] = {}
        self.places: dict[str, list[int]] = {}
        self.hows: Counter[str] = Counter()

    def _note(self, item: QueueItem, what: str) -> None:
        self.fate.setdefault(item.id, []).append(what)

    def queued(self, item: QueueItem, position: int, waiting: int) -> None:
        assert 1 <= position <= waiting
        self.places.setdefault(item.text, []).append(position)

    def merged(self, item: QueueItem, twin: QueueItem, retry_after: float) -> None:
        assert retry_after > 0
        self._note(item, f"merged into {twin.id}")

    def moved(self, positions: list[tuple[QueueItem, int]], waiting: int) -> None:
        for item, position in positions:
            self.queued(item, position, waiting)

    def started(self, item: QueueItem) -> None:
        self.started_texts.append(item.text)
        self._note(item, "started")

    def dropped(self, item: QueueItem, reason: DropReason, retry_after: float) -> None:
        self._note(item, reason)

    def ended(self, item: QueueItem, how: str, seconds: float) -> None:
        assert self.fate[item.id][-1] == "started"
        assert seconds >= 0
        self.hows[how] += 1
        self.fate[item.id][-1] = how


class Hall:
    """Rooms without a server. `async with Hall() as hall: hall.room(...)`.

    Conversations are counted: `at_once` is how many run, `most_at_once` the most there were.
    """

    def __init__(self, max_concurrent_forwards: int = 5) -> None:
        self.max_concurrent_forwards = max_concurrent_forwards
        self.root = TaskScope("hall", close_timeout=1.0)
        self.forwards = self.root.child("forwards", max_running=max_concurrent_forwards)
        self.at_once = self.most_at_once = 0
        self.talking: Counter[str] = Counter()

    async def __aenter__(self) -> Hall:
        return self

    async def __aexit__(self, *_: object) -> None:
        report = await self.root.close()
        assert report.clean

    def room(
        self, trigger: Trigger, *, name: str = "main", seconds: float = 60.0, **limits: Any
    ) -> tuple[ProxyMessageQueue, Fates, TaskScope]:
        """A queue that has begun to consume, its listener, and the scope that its loop lives in."""
        fates = Fates()
        scope = self.root.child(f"room {name}")

        async def counted(item: QueueItem) -> str | None:
            self.at_once += 1
            self.talking[name] += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            assert self.talking[name] == 1, "two conversations in one room"
            try:
                return await trigger(item)
            finally:
                self.at_once -= 1
                self.talking[name] -= 1

        queue = ProxyMessageQueue(
            name,
            scope,
            self.forwards,
            counted,
            fates,
            limits=QueueLimits(**{"merge_window": 0.0, **limits}),
            max_concurrent_forwards=self.max_concurrent_forwards,
            conversation_seconds=seconds,
            clock=asyncio.get_running_loop().time,
        )
        queue.start()
        return queue, fates, scope


class Scripted:
    """A trigger that holds each conversation until the test says how it ends."""

    def __init__(self) -> None:
        self.now: QueueItem | None = None
        self._end: asyncio.Future[str | None] | None = None

    async def __call__(self, item: QueueItem) -> str | None:
        self.now = item
        self._end = asyncio.get_running_loop().create_future()
        try:
            return await self._end
        finally:
            self.now = None

    def end(self, how: str | None = None) -> None:
        assert self._end is not None
        self._end.set_result(how)

    def fail(self, error: BaseException) -> None:
        assert self._end is not None
        self._end.set_exception(error)
