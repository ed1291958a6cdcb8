"""Keeps a source of live chat running: one job, which connects again after a loss, and hands messages on.

The job is the only one who touches the source. Between two attempts it waits for an event, so "try again
now" works at once. A source that cannot succeed without its user (a wrong name, a missing key) stops and says
so.
"""

from __future__ import annotations

import asyncio
import random as _random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic, time
from typing import Literal

import structlog

from greenroom.live.sources.backoff import Backoff, Pauses
from greenroom.live.sources.base import EVERYBODY, ChatMessage, ChatSource, SourceError
from greenroom.live.sources.moderation import Moderation, ModerationRules, Verdict
from greenroom.tasks import AnyJob, TaskScope

__all__ = ["OnMessage", "SourceRunner", "SourceStatistics", "State"]

log = structlog.stdlib.get_logger("greenroom.live.sources")

State = Literal["idle", "connecting", "connected", "waiting", "ended", "failed"]
OnMessage = Callable[[str, ChatMessage], None]
"""`on_message(room, message)`: must be quick and bounded, as a room's queue is; its errors are logged."""

MAX_PER_SECOND = 200
"""Messages of one source that are looked at in a second; the rest is counted and dropped unread."""
REMEMBERED_IDS = 2000
"""Message ids kept so that one message delivered by two connections is handed on once."""
SLICE = 50
"""Messages handled before the loop gets its turn."""


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """One source at one moment.

    Args:
        since: seconds in the present state.
        next_try: seconds until the next attempt, while `waiting`.
        received: messages that came; `accepted` went to the room, `refused` did not, by reason (moderation's,
            `flood`: too many a second, `duplicate`: seen before, `callback`: the room raised).
    """

    url: str
    room: str
    state: State
    since: float
    next_try: float | None
    connections: int
    failures_in_a_row: int
    last_error: str
    last_hint: str
    received: int
    accepted: int
    refused: Mapping[str, int]
    last_message_at: float | None


class SourceRunner:
    """Runs one source for one room. `start` once; it ends with its scope, or by `stop`.

    Args:
        scope: owns the job.
        on_message: gets what passed moderation.
        on_verdict: sees every message with its verdict (`greenroom sources test`).
        on_state: told about every change of state.
    """

    def __init__(
        self,
        source: ChatSource,
        scope: TaskScope,
        on_message: OnMessage,
        *,
        room: str = "main",
        rules: ModerationRules | None = None,
        pauses: Pauses | None = None,
        on_verdict: Callable[[ChatMessage, Verdict], None] | None = None,
        on_state: Callable[[SourceStatistics], None] | None = None,
        clock: Callable[[], float] = monotonic,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.source = source
        self.room = room
        self.moderation = Moderation(rules or ModerationRules(), clock)
        self._scope = scope
        self._on_message = on_message
        self._on_verdict = on_verdict
        self._on_state = on_state
        self._clock = clock
        self._backoff = Backoff(pauses or Pauses(), random)
        self._again = asyncio.Event()
        self._job: AnyJob[None] | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._second = clock()
        self._in_second = 0
        self._state: State = "idle"
        self._since = clock()
        self._next_try: float | None = None
        self._connected_at: float | None = None
        self._connections = 0
        self._error: SourceError | None = None
        self._received = 0
        self._dropped = {"flood": 0, "duplicate": 0, "callback": 0}
        self._last_message_at: float | None = None
        source.on_connected = self._connected

    # -- for the owner -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Raises `ScopeClosed` or `ScopeFull`, and `RuntimeError` if it runs already."""
        if self._job is not None and not self._job.done():
            raise RuntimeError(f"{self.source.url} runs already")
        self._job = self._scope.start(self._run, name=f"source {self.source.url}")

    def stop(self) -> None:
        """End it; what is on its way is not handed on."""
        if self._job is not None:
            self._job.cancel("the source was stopped")

    def retry_now(self) -> None:
        """Cut the pause before the next attempt short; without effect while there is none."""
        self._again.set()

    async def wait(self) -> None:
        """Return when it has ended for good: stopped, the stream over, or failed."""
        if self._job is not None:
            await self._job.wait()

    def statistics(self) -> SourceStatistics:
        """Everything the ops page shows."""
        now = self._clock()
        refused: dict[str, int] = dict(self.moderation.refused)
        refused.update({reason: count for reason, count in self._dropped.items() if count})
        return SourceStatistics(
            url=self.source.url,
            room=self.room,
            state=self._state,
            since=now - self._since,
            next_try=None if self._next_try is None else max(0.0, self._next_try - now),
            connections=self._connections,
            failures_in_a_row=self._backoff.failures,
            last_error="" if self._error is None else self._error.message,
            last_hint="" if self._error is None else self._error.hint,
            received=self._received,
            accepted=self.moderation.accepted - self._dropped["callback"],
            refused=refused,
            last_message_at=self._last_message_at,
        )

    # -- the job -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while (pause := await self._attempt()) is not None:
                await self._wait(pause)
        except asyncio.CancelledError:
            self._enter("idle")
            raise

    async def _attempt(self) -> float | None:
        """One connection, from its beginning to its end; the pause before the next, or None for no other."""
        self._again.clear()
        self._connected_at = None
        self._enter("connecting")
        try:
            await self._listen()
        except SourceError as error:
            self._error = error
        except Exception as error:
            # A defect of ours, or an answer nobody has seen before: reported whole, and tried again.
            log.exception("the source failed unexpectedly", source=self.source.url)
            self._error = SourceError(f"{type(error).__name__}: {error}", "please report this")
        else:
            log.info("the live chat has ended", source=self.source.url, room=self.room)
            self._enter("ended")
            return None
        error = self._error
        if not error.retryable:
            log.error("the source stopped", source=self.source.url, error=error.message, hint=error.hint)
            self._enter("failed")
            return None
        held = 0.0 if self._connected_at is None else self._clock() - self._connected_at
        pause = max(self._backoff.lost(held), error.retry_after or 0.0)
        log.warning(
            "the source will connect again",
            source=self.source.url,
            error=error.message,
            seconds=round(pause, 1),
        )
        return pause

    async def _listen(self) -> None:
        async with aclosing(self.source.messages()) as messages:
            count = 0
            async for message in messages:
                self._take(message)
                count += 1
                if count % SLICE == 0:
                    # A generator with a full buffer never waits, so nobody else would get a turn.
                    await asyncio.sleep(0)

    async def _wait(self, pause: float) -> None:
        self._next_try = self._clock() + pause
        self._enter("waiting")
        try:
            async with asyncio.timeout(pause):
                await self._again.wait()
        except TimeoutError:
            pass
        finally:
            self._next_try = None

    def _connected(self) -> None:
        self._connected_at = self._clock()
        self._connections += 1
        self._error = None
        log.info("the source is connected", source=self.source.url, room=self.room)
        self._enter("connected")

    def _enter(self, state: State) -> None:
        self._state = state
        self._since = self._clock()
        if self._on_state is not None:
            self._on_state(self.statistics())

    # -- messages ------------------------------------------------------------------------------------------

    def _take(self, message: ChatMessage) -> None:
        self._received += 1
        self._last_message_at = time()
        if self._flooded(message):
            self._dropped["flood"] += 1
            return
        if message.id in self._seen:
            self._dropped["duplicate"] += 1
            return
        self._seen[message.id] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
        verdict = self.moderation.judge(message)
        if self._on_verdict is not None:
            self._on_verdict(message, verdict)
        if verdict.message is None:
            return
        try:
            self._on_message(self.room, verdict.message)
        except Exception:  # the room's own error must not cost it the chat
            self._dropped["callback"] += 1
            log.exception("a room could not take a message", source=self.source.url, room=self.room)

    def _flooded(self, message: ChatMessage) -> bool:
        now = self._clock()
        if now - self._second >= 1.0:
            self._second = now
            self._in_second = 0
        self._in_second += 1
        return self._in_second > MAX_PER_SECOND and message.priority == EVERYBODY
