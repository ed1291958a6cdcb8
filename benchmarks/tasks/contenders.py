"""The task core and what people use instead, behind one small interface, so one run measures all alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiojobs
import aiotools
import anyio
import anyio.abc

from greenroom.tasks import TaskScope

Fn = Callable[[], Coroutine[Any, Any, None]]


class Contender:
    """Owns background tasks. `start` may be a plain function or give an awaitable."""

    name = ""
    bounded = True
    """Whether a limit is kept; where the library knows none, by a semaphore inside the task."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    async def open(self) -> None: ...

    def start(self, fn: Fn) -> Awaitable[Any] | None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Greenroom(Contender):
    name = "greenroom.tasks"

    async def open(self) -> None:
        self.scope = TaskScope("bench", max_running=self.limit, max_waiting=1_000_000)

    def start(self, fn: Fn) -> None:
        self.scope.start(fn)

    async def close(self) -> None:
        await self.scope.close()


class RawSet(Contender):
    """`create_task`, a set, and `discard` as done-callback; closed by cancelling and waiting."""

    name = "create_task + set"

    async def open(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.semaphore = asyncio.Semaphore(self.limit)

    def start(self, fn: Fn) -> None:
        task = asyncio.create_task(fn())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)


class _Stop(Exception):
    pass


class Group(Contender):
    name = "asyncio.TaskGroup"

    async def open(self) -> None:
        self.group = asyncio.TaskGroup()
        self.semaphore = asyncio.Semaphore(self.limit)
        await self.group.__aenter__()

    def start(self, fn: Fn) -> None:
        self.group.create_task(fn())

    async def close(self) -> None:
        try:
            await self.group.__aexit__(_Stop, _Stop(), None)
        except* _Stop:
            pass


class Anyio(Contender):
    name = "anyio"

    async def open(self) -> None:
        self.group: anyio.abc.TaskGroup = anyio.create_task_group()
        self.semaphore = asyncio.Semaphore(self.limit)
        await self.group.__aenter__()

    def start(self, fn: Fn) -> None:
        self.group.start_soon(fn)

    async def close(self) -> None:
        self.group.cancel_scope.cancel()
        await self.group.__aexit__(None, None, None)


class Aiojobs(Contender):
    name = "aiojobs"

    async def open(self) -> None:
        self.scheduler = aiojobs.Scheduler(limit=self.limit, pending_limit=0, close_timeout=5)

    def start(self, fn: Fn) -> Awaitable[Any]:
        return self.scheduler.spawn(fn())

    async def close(self) -> None:
        await self.scheduler.close()


class Aiotools(Contender):
    name = "aiotools"

    async def open(self) -> None:
        self.scope = aiotools.TaskScope()
        self.semaphore = asyncio.Semaphore(self.limit)
        await self.scope.__aenter__()

    def start(self, fn: Fn) -> None:
        self.scope.create_task(fn())

    async def close(self) -> None:
        self.scope.abort()
        await self.scope.__aexit__(None, None, None)


CONTENDERS: tuple[type[Contender], ...] = (Greenroom, RawSet, Group, Anyio, Aiojobs, Aiotools)
