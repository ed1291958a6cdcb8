"""The built-in engine: answers with no key, no network and no model, so that everything else can be tried.

It is also the lab's measuring stick: its speed, its slots and the length of its replies can be set, and the
same request always gets the same reply. Tokens leave on absolute deadlines, so a slow reader or a late timer
shifts nothing: what has become due meanwhile is sent in one piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from .base import AgentEngine, AgentError, ChatRequest, EngineStatistics
from .builtin_talk import compose, stretch, tokens
from .slots import Slots

if TYPE_CHECKING:
    from greenroom.config.settings import BuiltinSettings

BREATH = 16
"""Tokens after which the loop gets a turn, if no waiting gave it one."""


class Pace:
    """When tokens are due, at absolute times in seconds. `rate`: tokens per second, 0: all with the first."""

    __slots__ = ("first", "rate")

    def __init__(self, first: float, rate: float) -> None:
        self.first = first
        self.rate = rate

    def due(self, now: float) -> int | None:
        """How many tokens may have left by now; None for all of them."""
        # A timer that fires early by the rounding of a float must not make one wait again for nothing.
        late = now - self.first + 1e-6
        if late < 0:
            return 0
        return int(late * self.rate) + 1 if self.rate else None

    def time_of(self, index: int) -> float:
        """When this token is due, counted from 0."""
        return self.first + index / self.rate if self.rate else self.first


class BuiltinEngine(AgentEngine):
    """Streams small talk in English, Chinese or Japanese, token by token.

    Args:
        settings: speed, slots and length of the replies.
        time: seconds, monotonic; the loop's own by default.
        sleep: waits so many seconds.
        now: the local date and time, for when it is asked the time.
    """

    def __init__(
        self,
        settings: BuiltinSettings,
        *,
        time: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.description = "built-in demo voice"
        self._settings = settings
        self._time = time
        self._sleep = sleep
        self._now = now
        self._slots = Slots(settings.slots)
        self._closed = False
        self._started = self._finished = self._aborted = self._failed = 0

    async def start(self) -> None:
        """Wait for `init_seconds`, as a real model would take to load."""
        if self._settings.init_seconds > 0:
            await self._sleep(self._settings.init_seconds)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """Yield the reply; the time to the first token counts from when a slot is free."""
        settings = self._settings
        self._started += 1
        try:
            await self._slots.acquire()
            try:
                time = self._time or asyncio.get_running_loop().time
                pace = Pace(time() + settings.first_token_seconds, settings.tokens_per_second)
                reply = tokens(self._reply(request))
                sent, breath = 0, 0
                while sent < len(reply):
                    if self._closed:
                        raise AgentError("The agent has been shut down.", retryable=True)
                    now = time()
                    due = pace.due(now)
                    if due is None:
                        until = sent + 1
                    elif due > sent:
                        until = min(due, len(reply))
                    else:
                        await self._sleep(pace.time_of(sent) - now)
                        breath = 0
                        continue
                    yield reply[sent] if until == sent + 1 else "".join(reply[sent:until])
                    breath += until - sent
                    sent = until
                    if breath >= BREATH and sent < len(reply):
                        breath = 0
                        await asyncio.sleep(0)
            finally:
                self._slots.release()
        except (asyncio.CancelledError, GeneratorExit):
            self._aborted += 1
            raise
        except BaseException:
            self._failed += 1
            raise
        self._finished += 1

    def _reply(self, request: ChatRequest) -> str:
        text = compose(request, self._now)
        return stretch(text, self._settings.words) if self._settings.words else text

    async def aclose(self) -> None:
        """Refuse new streams and end those under way with an `AgentError` at their next token."""
        self._closed = True
        self._slots.close()

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(
            generating=self._slots.busy,
            waiting=self._slots.waiting,
            started=self._started,
            finished=self._finished,
            aborted=self._aborted,
            failed=self._failed,
            slots=self._slots.limit,
        )
