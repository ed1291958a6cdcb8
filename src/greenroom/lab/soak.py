"""The soak: pays the visits of a plan, watches a bystander and the server's processes, writes everything
down.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, perf_counter

import psutil

from greenroom import __version__
from greenroom.lab.plan import MODES, Step, steps
from greenroom.lab.process import ProcessTree, own_wait
from greenroom.lab.record import Quiet, Run, Visit
from greenroom.lab.verdict.rules_replies import RECOVERY_SECONDS
from greenroom.lab.visitors import Gone, Visitor
from greenroom.lab.watch import Watch
from greenroom.tasks import TaskScope

REST_SECONDS = 0.5
FINAL_REST_SECONDS = 2.0
GIVE_UP_AFTER = 3
"""Replies in a row that did not come in time: more of them would show nothing new."""
UNREACHED_LIMIT = 5
KEPT_SECONDS = 60.0
"""Protocol pings every 20 s, 20 s for the answer and 10 s for the close, as is usual, have ended by then."""
LOOK_SECONDS = 0.5
RECOVERY_VISITS = 3


@dataclass(frozen=True)
class Options:
    """How long, how many at once, and what."""

    mode: str = "mixed"
    visits: int = 50
    parallel: int = 1
    duration: float | None = None
    """Seconds; the run ends when either this or the visits are used up."""


class Soak:
    """One run against one server.

    Args:
        url: for the record.
        visitor: pays the visits.
        tree: the server's processes; None if they cannot be seen from here.
        tasks: asks the server how many tasks it has; None if it does not tell.
        on_visit: called after each visit, for a display.
    """

    def __init__(
        self,
        url: str,
        visitor: Visitor,
        options: Options,
        *,
        tree: ProcessTree | None = None,
        tasks: Callable[[], Awaitable[int | None]] | None = None,
        on_visit: Callable[[Run], None] = lambda run: None,
    ) -> None:
        self.run = Run(
            url, options.mode, began=datetime.now(UTC).isoformat(timespec="seconds"), machine=_machine(),
            greenroom=__version__, parallel=options.parallel, pid=tree.pid if tree else None,
        )  # fmt: skip
        self._visitor = visitor
        self._options = options
        self._tree = tree
        self._tasks = tasks
        self._on_visit = on_visit
        self._began = monotonic()
        self._watch: Watch | None = None
        self._late = 0
        self._unreached = 0
        self._baseline = 0.0
        """Wake-ups per second of the server at rest, before the visits."""
        self._read: int | None = None
        """Read calls of the server when the latest page was open."""

    async def go(self) -> Run:
        """Carry the plan out. Raises Unreachable if there is nobody to visit."""
        plan = steps(self._options.mode, self._visitor.manners)
        async with TaskScope("soak", threads=2, close_timeout=3.0) as scope:
            self._scope = scope
            page = await self._visitor.bystander()
            await self._visitor.check(self._options.mode)
            self._watch = Watch(page, self._waited)
            if self._options.parallel == 1:
                self._visitor.on_opened = self._opened
            watching = scope.start(self._watch.run, name="bystander")
            self._began = monotonic()
            try:
                await self._sample(0)
                await self._window("rest", 0, REST_SECONDS)
                self._baseline = self.run.quiets[-1].wakeups if self.run.quiets else 0.0
                for step in plan:
                    if (reason := self._over(step)) is not None:
                        if reason:
                            self.run.notes.append(reason)
                        break
                    await (self._visits(step) if step.window is None else self._watch_step(step))
                await self._patiently()
                await self._visitor.finish()
                if self._options.mode == "abrupt" and self.run.died is None:
                    await self._recover()
                await self._settle("rest")
                await self._window("rest", len(self.run.visits), FINAL_REST_SECONDS)
                if self._tree is not None:
                    await scope.run_in_thread(self._tree.adopt_strays)
                await self._sample(len(self.run.visits))
            finally:
                watching.cancel("the soak is over")
                await self._visitor.finish()
                with contextlib.suppress(Gone):
                    await page.leave()
        self.run.seconds = monotonic() - self._began
        self.run.notes += self._visitor.notes
        errors = Counter(visit.error for visit in self.run.visits if visit.error)
        if errors:
            (error, times), *others = errors.most_common()
            more = f", and {sum(count for _, count in others)} with others" if others else ""
            self.run.notes.append(
                f"of {len(self.run.visits)} visits {times} ended with an error: {error}{more}"
            )
        return self.run

    def _over(self, step: Step) -> str | None:
        """Why to stop before this step: a note, an empty text for "as planned", None to go on."""
        options = self._options
        if self.run.died is not None:
            return f"stopped after visit {self.run.died}: the server's process has ended"
        if self._late >= GIVE_UP_AFTER:
            return (
                f"stopped after visit {step.number - 1}: {self._late} replies in a row did not come in time"
            )
        if self._unreached >= UNREACHED_LIMIT:
            return f"stopped after visit {step.number - 1}: the server did not let {self._unreached} pages in"
        if options.duration is not None and monotonic() - self._began >= options.duration:
            return ""
        return "" if step.window is None and len(self.run.visits) >= options.visits else None

    # -- visits ----------------------------------------------------------------------------------------------

    async def _visits(self, step: Step) -> None:
        """One visit, or several of the same manner at once."""
        assert self._watch is not None
        count = max(step.together, self._options.parallel)
        count = min(count, self._options.visits - len(self.run.visits))
        made = len(self.run.visits)
        visits = [
            Visit(made + 1 + index, step.manner, step.after, monotonic() - self._began)
            for index in range(count)
        ]
        self._watch.wake()
        self._watch.take()
        before = self._tree.activity() if self._tree else None
        lab_before = own_wait()
        if count == 1:
            read, self._read = self._tree.reads()[0] if self._tree is not None else None, None
            await self._visitor.pay(visits[0])
            if read is not None and self._read is not None:
                visits[0].reads = self._read - read
        else:
            for job in [self._scope.start(self._visitor.pay, visit) for visit in visits]:
                await job.wait()
        after = self._tree.activity() if self._tree else None
        waited = max(0.0, after.waited - before.waited) if before is not None and after is not None else 0.0
        worst, stall = self._watch.take()
        for visit in visits:
            visit.bystander, visit.stall = worst, stall
            visit.waited = waited + own_wait() - lab_before
            if before is not None and after is not None:
                visit.cpu = max(0.0, after.cpu - before.cpu) / count
            self._count(visit)
        self.run.visits += visits
        if self._tree is not None and not self._tree.alive():
            self.run.died = visits[-1].number
        if step.manner not in ("early", "late", "flip"):
            await self._sample(len(self.run.visits))
        self._on_visit(self.run)

    def _waited(self) -> float:
        found = self._tree.activity() if self._tree is not None else None
        return found.waited if found is not None else 0.0

    def _opened(self) -> None:
        assert self._watch is not None
        self._watch.opened()
        self._read = self._tree.reads()[0] if self._tree is not None else None

    def _count(self, visit: Visit) -> None:
        if visit.connect is None:
            self._unreached += 1
        else:
            self._unreached = 0
        if visit.timed_out:
            self._late += 1
        elif visit.first_reply is not None:
            self._late = 0

    async def _patiently(self) -> None:
        """In the half-open mode, wait until the server has let the first vanished peers go, or should have."""
        vanished = self._visitor.vanished
        ages = vanished.look()
        while self._options.mode == "half-open" and ages and ages[-1] < KEPT_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            ages = vanished.look()
        self.run.let_go, self.run.kept = vanished.let_go, ages

    async def _recover(self) -> None:
        """Leave the server alone, and see what a visit meets then."""
        assert self._watch is not None
        worst = max((v.first_reply or 0.0 for v in self.run.visits), default=0.0)
        if any(visit.timed_out for visit in self.run.visits):
            worst = RECOVERY_SECONDS
        await self._watch.hush()
        await asyncio.sleep(min(RECOVERY_SECONDS, 0.5 + 2 * worst))
        for _ in range(RECOVERY_VISITS):
            visit = Visit(len(self.run.visits), "polite")
            await self._visitor.pay(visit)
            if visit.first_reply is not None:
                self.run.recovery.append(visit.first_reply)

    # -- watching --------------------------------------------------------------------------------------------

    async def _watch_step(self, step: Step) -> None:
        if self._tree is None:
            return
        if step.window == "settle":
            await self._settle(step.after)
        elif step.window == "glow":
            await self._watch_hush(self._farewell_seconds())
            await self._window(step.after, step.number, self._glow_seconds())
        else:
            await self._settle(step.after)
            await self._window("rest", step.number, REST_SECONDS)
            await self._sample(step.number)

    async def _watch_hush(self, seconds: float) -> None:
        assert self._watch is not None
        await self._watch.hush()
        await asyncio.sleep(seconds)

    def _farewell_seconds(self) -> float:
        """What a sound server may take to clean up after a page, such as to store what was said."""
        whole = [visit.whole_reply for visit in self.run.visits if visit.whole_reply is not None]
        first = [visit.first_reply for visit in self.run.visits if visit.first_reply is not None]
        return min(0.25, 0.1 * min(whole or first, default=0.5))

    def _glow_seconds(self) -> float:
        """Short against a reply: the visit that follows must still meet what the closed pages left."""
        replies = [visit.first_reply for visit in self.run.visits if visit.first_reply is not None]
        return min(0.4, max(0.06, 0.3 * min(replies, default=0.4)))

    async def _window(self, after: str, visit: int, seconds: float) -> None:
        assert self._watch is not None
        if self._tree is None:
            return
        await self._watch.hush()
        before, began = self._tree.activity(), perf_counter()
        await asyncio.sleep(seconds)
        found, spent = self._tree.activity(), perf_counter() - began
        if before is not None and found is not None:
            cpu = max(0.0, found.cpu - before.cpu) / spent
            wakeups = max(0, found.wakeups - before.wakeups) / spent
            wanted = cpu + max(0.0, found.waited - before.waited) / spent
            children = max(0.0, found.children - before.children) / spent
            self.run.quiets.append(Quiet(visit, after, spent, cpu, wanted, wakeups, children))

    async def _settle(self, after: str) -> None:
        """Wait until the server is as quiet as at first, at most two whole replies (and at least 50 ms)."""
        assert self._watch is not None
        if self._tree is None:
            return
        await self._watch.hush()
        whole = [visit.whole_reply for visit in self.run.visits if visit.whole_reply is not None]
        deadline = perf_counter() + min(10.0, 2 * max(whole, default=0.5))
        limit = 20.0 + 2 * self._baseline
        quiet = 0
        while quiet < 2 and perf_counter() < deadline:
            before = self._tree.activity()
            await asyncio.sleep(0.05)
            found = self._tree.activity()
            if before is None or found is None:
                return
            quiet = quiet + 1 if (found.wakeups - before.wakeups) / 0.05 < limit else 0

    async def _sample(self, visit: int) -> None:
        tasks = await self._tasks() if self._tasks is not None else None
        if self._tree is None:
            return
        sample = await self._scope.run_in_thread(self._tree.sample, visit, monotonic() - self._began)
        sample.tasks = tasks
        self.run.samples.append(sample)


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} cores, {memory:.0f} GiB"


__all__ = ["MODES", "Options", "Soak"]
