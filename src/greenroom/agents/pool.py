"""The engine pool: engines are made once per distinct settings, shared, and closed when long unused.

A start is a job of the pool's scope, so it outlives the one who asked first and serves all who ask meanwhile;
it is cancelled when nobody wants it any more. Everything that counts as use (a lease, or waiting for one) is
one number per engine, raised before the first await and lowered in one place: there is no gap in which a
cancelled waiter could leave an engine behind, or lose one that others wait for.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenroom.tasks import AnyJob, Job, ScopeClosed, ScopeFull, TaskScope

from .base import AgentEngine, AgentError

if TYPE_CHECKING:
    from greenroom.config.settings import AgentSettings

log = logging.getLogger("greenroom.agents")


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """What the pool holds and did. `starts_begun` = finished + cancelled + failed + those under way."""

    engines: int
    starting: int
    leased: int
    """Engines in use; several clients may share one."""
    idle: int
    starts_begun: int
    starts_finished: int
    starts_cancelled: int
    starts_failed: int


@dataclass(frozen=True, slots=True)
class PoolCloseReport:
    """What closing the pool found: how many engines it closed, and those that failed to close."""

    closed: int
    failures: tuple[str, ...]


class _Entry:
    __slots__ = ("engine", "error", "job", "key", "settings", "users", "wanted")

    def __init__(self, key: Hashable, settings: AgentSettings) -> None:
        self.key = key
        self.settings = settings
        self.engine: AgentEngine | None = None
        self.error: AgentError | None = None
        self.job: AnyJob[None] | None = None
        self.users = 0
        self.wanted = True


class EngineLease:
    """The right to use an engine; `release` it when done."""

    __slots__ = ("_entry", "_pool", "engine")

    def __init__(self, pool: EnginePool, entry: _Entry, engine: AgentEngine) -> None:
        self._pool: EnginePool | None = pool
        self._entry = entry
        self.engine = engine

    def release(self) -> None:
        """Give the engine back. Idempotent, never raises."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool._leave(self._entry)  # pyright: ignore[reportPrivateUsage]


class EnginePool:
    """Engines by their settings.

    Args:
        scope: owns the starts and the closing of engines.
        create: makes an engine that has not started.
        idle_seconds: how long an unused engine is kept.
        max_idle: how many unused engines are kept; the longest unused one goes first.
        close_seconds: how long the closing of one engine may take.
        clock: seconds, monotonic; the loop's own by default.
    """

    def __init__(
        self,
        scope: TaskScope,
        create: Callable[[AgentSettings], AgentEngine],
        idle_seconds: float = 300,
        max_idle: int = 8,
        *,
        close_seconds: float = 5,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._scope = scope
        self._create = create
        self._idle_seconds = idle_seconds
        self._max_idle = max_idle
        self._close_seconds = close_seconds
        self._clock = clock
        self._entries: dict[Hashable, _Entry] = {}
        self._idle: OrderedDict[Hashable, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[AnyJob[None]] = set()
        self._unclosed: list[AgentEngine] = []
        self._failures: list[str] = []
        self._closed_engines = 0
        self._open = True
        self._begun = self._finished = self._cancelled = self._failed = 0

    async def acquire(self, settings: AgentSettings) -> EngineLease:
        """A lease on the engine for these settings, started if need be.

        Returns without waiting if that engine is ready; else joins or begins its start. Cancelling the last
        one who waits cancels the start.

        Raises `AgentError` if the start fails (the next `acquire` tries again) or the pool is closed.
        """
        if not self._open:
            raise _shut_down()
        key = key_of(settings)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._begin(key, settings)
        entry.users += 1
        self._idle.pop(key, None)
        self._arm()
        try:
            if entry.engine is None and entry.job is not None:
                await entry.job.wait()
            if entry.error is not None:
                error = entry.error
                # Each waiter gets its own: a shared one would collect everybody's traceback.
                raise AgentError(error.message, hint=error.hint, retryable=error.retryable) from error
            if entry.engine is None or not entry.wanted:
                raise (
                    _shut_down()
                    if not self._open
                    else AgentError(
                        "The start of the agent was cancelled.", hint="Please try again.", retryable=True
                    )
                )
            return EngineLease(self, entry, entry.engine)
        except BaseException:
            self._leave(entry)
            raise

    def _begin(self, key: Hashable, settings: AgentSettings) -> _Entry:
        entry = _Entry(key, settings)
        try:
            entry.job = self._scope.start(self._start, entry, name=f"start {settings.kind} agent")
        except ScopeClosed:
            raise _shut_down() from None
        except ScopeFull:
            raise AgentError(
                "Too many agents are starting at once.", hint="Please try again in a moment.", retryable=True
            ) from None
        self._begun += 1
        self._entries[key] = entry
        return entry

    async def _start(self, entry: _Entry) -> None:
        engine: AgentEngine | None = None
        try:
            engine = self._create(entry.settings)
            await engine.start()
        except asyncio.CancelledError:
            if entry.wanted:
                self._cancelled += 1
                self._forget(entry)
            if engine is not None:
                await self._close_engine(engine)
            raise
        except Exception as error:
            if entry.wanted:
                self._failed += 1
                self._forget(entry)
            if isinstance(error, AgentError):
                entry.error = error
            else:
                log.exception("the start of a %s agent failed", entry.settings.kind)
                entry.error = AgentError(
                    f"The agent could not start ({type(error).__name__}).", hint="The server's log says more."
                )
            if engine is not None:
                await self._close_engine(engine)
            return
        if not entry.wanted:
            # It was cancelled and went on: nobody waits for it any more.
            await self._close_engine(engine)
            return
        self._finished += 1
        entry.engine = engine

    def _forget(self, entry: _Entry) -> None:
        entry.wanted = False
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]

    def _leave(self, entry: _Entry) -> None:
        """One user less; called once by each."""
        entry.users -= 1
        if entry.users or not entry.wanted:
            return
        if entry.engine is not None:
            self._idle[entry.key] = self._now()
            self._trim()
        else:
            self._cancel_start(entry, "nobody waits for it any more")

    def _cancel_start(self, entry: _Entry, reason: str) -> None:
        self._cancelled += 1
        self._forget(entry)
        job = entry.job
        if job is not None and not job.done():
            job.cancel(reason)
            self._track(job)

    # -- unused engines ------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _trim(self) -> None:
        """Close what has been unused for too long, and what is too much; then wait for the next one."""
        # The timer may come a little early by the clock's own resolution.
        due = self._now() - self._idle_seconds + 1e-3
        while self._idle:
            key, since = next(iter(self._idle.items()))
            if len(self._idle) <= self._max_idle and since > due:
                break
            del self._idle[key]
            entry = self._entries[key]
            self._forget(entry)
            if entry.engine is not None:
                self._close_later(entry.engine)
        self._arm()

    def _arm(self) -> None:
        """One timer, and only while something is unused; one that comes too early just looks again."""
        if not self._idle:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            wait = next(iter(self._idle.values())) + self._idle_seconds - self._now()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._trim()

    # -- closing -------------------------------------------------------------------------------------------

    def _close_later(self, engine: AgentEngine) -> None:
        try:
            job = self._scope.start(self._close_engine, engine, name="close agent", on_close="finish")
        except (ScopeClosed, ScopeFull):
            self._unclosed.append(engine)
            return
        self._track(job)

    def _track(self, job: AnyJob[None]) -> None:
        """Remember what `aclose` must wait for, until it has ended: a done job still holds its engine."""
        self._closing.add(job)
        if isinstance(job, Job):
            job.add_done_callback(self._closing.discard)

    async def _close_engine(self, engine: AgentEngine) -> None:
        try:
            async with asyncio.timeout(self._close_seconds):
                await engine.aclose()
            self._closed_engines += 1
        except Exception as error:
            log.exception("closing the agent %s failed", engine.description)
            self._failures.append(f"{engine.description}: {type(error).__name__}: {error}"[:300])
            del self._failures[:-100]

    async def aclose(self) -> PoolCloseReport:
        """Cancel starts, close all engines (leased ones too), each whatever befalls the others. Idempotent.

        Cancelling the caller does not stop it.
        """
        if self._open:
            self._open = False
            for entry in list(self._entries.values()):
                if entry.engine is None:
                    self._cancel_start(entry, "the pool closes")
                else:
                    self._forget(entry)
                    self._close_later(entry.engine)
            self._idle.clear()
            self._arm()
        deadline = asyncio.get_running_loop().time() + 2 * self._close_seconds
        for job in list(self._closing):
            if not await job.wait(max(0.0, deadline - asyncio.get_running_loop().time())):
                self._failures.append(f"{job.path}: still under way after {2 * self._close_seconds:g} s")
        while self._unclosed:
            await self._close_engine(self._unclosed.pop())
        return PoolCloseReport(self._closed_engines, tuple(self._failures))

    def statistics(self) -> PoolStatistics:
        """Counts, kept as things happen."""
        ready = [entry for entry in self._entries.values() if entry.engine is not None]
        return PoolStatistics(
            engines=len(ready),
            starting=len(self._entries) - len(ready),
            leased=sum(entry.users > 0 for entry in ready),
            idle=len(self._idle),
            starts_begun=self._begun,
            starts_finished=self._finished,
            starts_cancelled=self._cancelled,
            starts_failed=self._failed,
        )

    def all_engines(self) -> tuple[AgentEngine, ...]:
        """The engines that are ready (for the ops page)."""
        return tuple(entry.engine for entry in self._entries.values() if entry.engine is not None)


def key_of(settings: AgentSettings) -> Hashable:
    """What makes two engines the same: the kind, and the settings of that kind alone."""
    if settings.kind == "builtin":
        return ("builtin", settings.builtin)
    if settings.kind == "openai":
        return ("openai", settings.openai)
    return (settings.kind, settings.builtin, settings.openai)


def _shut_down() -> AgentError:
    return AgentError("The server is shutting down.", retryable=True)
