"""The turns of one client: one runs, a few wait in order, an interruption ends them all."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from greenroom.config.settings import LimitSettings
from greenroom.conversation.turn import INTERRUPTED, Turn, TurnInput, TurnLimits
from greenroom.sessions.outbox import OutboxClosed
from greenroom.sessions.services import TurnEnd
from greenroom.tasks import AnyJob, Job, QueuedJob, ScopeClosed, ScopeFull, current_job

if TYPE_CHECKING:
    from greenroom.sessions.service_context import ServiceContext

END_SECONDS = 1.0
"""How long an interruption waits for the turn to end; milliseconds, unless an agent misbehaves."""


class Turns:
    """Starts turns, and knows the one that runs: no message can orphan the one before it."""

    def __init__(self, context: ServiceContext, limits: LimitSettings) -> None:
        self._context = context
        self._waiting = limits.turns_waiting
        self._limits = TurnLimits(limits.turn_seconds, limits.playback_grace_seconds, limits.speech_jobs)
        self._scope = context.scope.child("turns", max_running=1, max_waiting=limits.turns_waiting)
        self._turn: Turn | None = None
        self._job: Job[Any] | None = None
        self._jobs: list[AnyJob[Any]] = []
        self._visit = context.is_page
        """Whether the next turn that ends is the first one of a visit."""

    @property
    def current(self) -> Turn | None:
        """The turn that runs."""
        return self._turn

    def begin(self, given: TurnInput) -> bool:
        """Start a turn, or let it wait for its place; False if too many wait already.

        Raises `OutboxClosed` once the client has gone.
        """
        try:
            job = self._scope.start(self._run, given, name="turn")
        except ScopeFull:
            return False
        except ScopeClosed:
            raise OutboxClosed("the page was closed") from None
        self._jobs = [*(job for job in self._jobs if not job.done()), job]
        return True

    async def hold(self, given: TurnInput) -> bool:
        """`begin`, and wait until that turn has ended; cancelling the caller ends it. False if refused."""
        if not self.begin(given):
            return False
        job = self._jobs[-1]
        try:
            await job.wait()
        except asyncio.CancelledError:
            job.cancel("whoever held the conversation was cancelled")
            raise
        return True

    async def _run(self, given: TurnInput) -> None:
        turn = self._turn = Turn(self._context, given, self._limits)
        job = self._job = current_job()
        began = monotonic()
        how = "finished"
        meter = self._context.services.meter
        meter.turn_began()
        try:
            await turn.run()
        except OutboxClosed:
            how = "client gone"
        except BaseException:
            how = "cut off"
            raise
        finally:
            if self._job is job:
                self._turn = self._job = None
            visit, self._visit = self._visit, False
            seconds = monotonic() - began
            meter.turn_ended(TurnEnd(how, turn.first_reply_seconds, seconds, visit, turn.character.conf_name))

    async def idle(self) -> None:
        """Wait until no turn runs or waits."""
        for job in self._jobs:
            await job.wait()

    async def interrupt(self, heard: str) -> bool:
        """The visitor cut in: end the turn, send nothing more of it, keep `heard`.

        False if none ran, or it was cut off already (in a room, several may cut in at the same time).
        """
        for job in self._jobs:
            # Also one that has its place and has not taken its first step yet: it is nobody's turn so far.
            if not job.done() and self._job is not (job.job if isinstance(job, QueuedJob) else job):
                job.cancel(INTERRUPTED)
        turn = await self._end(INTERRUPTED + " by the visitor", discard=True)
        if turn is None:
            return False
        await turn.interrupted(heard)
        return True

    async def cut(self, why: str) -> None:
        """End a turn that has begun to answer, for another reason than the visitor's; the client is told.

        One that still waits for its agent goes on: its answer has not begun, the next agent will give it.
        """
        ended = None
        # Meanwhile the next one may begin to answer. No await may follow the last look.
        while (turn := self._turn) is not None and turn is not ended and turn.phase != "waiting":
            ended = turn
            await self._end(why, discard=False)

    async def _end(self, reason: str, *, discard: bool) -> Turn | None:
        turn, job = self._turn, self._job
        if turn is None or job is None or turn.phase in ("ending", "ended"):
            return None
        if turn.silence != "none":
            # Somebody was faster, and has settled how it ends.
            await job.wait(END_SECONDS)
            return None
        turn.silence = "all" if discard else "but its end"
        job.cancel(reason)
        if discard:
            self._context.outbox.discard(turn)
        await job.wait(END_SECONDS)
        if discard:
            self._context.outbox.discard(turn)
        return turn
