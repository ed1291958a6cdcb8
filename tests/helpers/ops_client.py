"""Somebody who watches a server: the ops page's side of `/ops/*`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Self

import httpx
import msgspec
from httpx_sse import ServerSentEvent, aconnect_sse

from greenroom.server.ops.messages import EVENTS


class OpsWatcher:
    """One open stream. Every event it gets is checked against its message class."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stack = AsyncExitStack()
        self.seen: list[tuple[str, Any]] = []
        self.state: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self._client = await self._stack.enter_async_context(httpx.AsyncClient(timeout=10, trust_env=False))
        source = await self._stack.enter_async_context(
            aconnect_sse(self._client, "GET", f"{self._url}/ops/events")
        )
        assert source.response.status_code == 200, source.response.status_code
        self._events = source.aiter_sse()
        name, self.state = await self.next()
        assert name == "state"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()  # type: ignore[attr-defined]
        await self._stack.aclose()

    async def next(self, seconds: float = 10.0) -> tuple[str, Any]:
        """The next event: its name and its data."""
        async with asyncio.timeout(seconds):
            found: ServerSentEvent = await anext(self._events)  # type: ignore[arg-type]
        msgspec.json.decode(found.data, type=EVENTS[found.event], strict=False)
        self.seen.append((found.event, json.loads(found.data)))
        return self.seen[-1]

    async def until(
        self, name: str, check: Callable[[Any], Any] = lambda data: True, seconds: float = 15.0
    ) -> Any:
        """The first event of this name that passes the check."""
        async with asyncio.timeout(seconds):
            while True:
                found, data = await self.next(seconds)
                if found == name and check(data):
                    return data
