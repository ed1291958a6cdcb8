"""One sample a second: the one task of the ops room that runs all the time.

An idle server wakes up for it once a second, for about 0.1 ms. The lag of the loop is how late a timer comes:
that of the second itself, and, only while somebody is being answered, of a timer every 50 ms.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from time import monotonic, time

from greenroom.server.ops.messages import OpsSample
from greenroom.server.ops.process import Process
from greenroom.server.ops.recorder import Recorder, percentile
from greenroom.server.ops.samples import STEP_SECONDS, SampleHistory
from greenroom.tasks import TaskScope

PROBE_SECONDS = 0.05
SLICE = 1000
"""Scopes counted before the loop gets its turn: about half a millisecond."""
MOST_KINDS = 32


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the server's parts hold right now."""

    slots_busy: int
    slots_waiting: int
    queue_waiting: int
    clients: int
    viewers: int


class LagProbe:
    """Measures how late the loop comes to its timers while something is going on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = monotonic) -> None:
        # Not the loop's own clock, which uvloop advances once a round, in whole milliseconds.
        self._clock = clock
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._worst = 0.0

    def run(self, running: int) -> None:
        """Probe while turns run (`Recorder.on_turns`)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if running:
            self._arm()

    def note(self, seconds: float) -> None:
        """A timer came so late."""
        self._worst = max(self._worst, seconds)

    def take(self) -> float:
        """The worst since the last call, in seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    def _arm(self) -> None:
        self._due = self._clock() + PROBE_SECONDS
        self._timer = self._loop.call_later(PROBE_SECONDS, self._fire)

    def _fire(self) -> None:
        self.note(self._clock() - self._due)
        self._arm()


async def tasks_by_kind(root: TaskScope) -> dict[str, int]:
    """Running tasks by the branch of the tree they live in; those of the root itself under its own name.

    The loop runs between slices, so this is no instant of a tree of many thousand scopes.
    """
    found: defaultdict[str, int] = defaultdict(int)
    found[root.name] = root.load[0]
    looked = 0
    for branch in sorted(root.children, key=lambda scope: scope.created)[:MOST_KINDS]:
        count = 0
        for scope in branch.walk():
            count += scope.load[0]
            looked += 1
            if looked % SLICE == 0:
                await asyncio.sleep(0)
        found[branch.name] += count
    return dict(found)


async def seconds(clock: Callable[[], float] = monotonic) -> AsyncGenerator[float, None]:
    """A clock: yields each second how many seconds late the loop came to it.

    After a long stop (a suspended machine) the missed seconds are not made up for.
    """
    for due in _moments(clock):
        await asyncio.sleep(due - clock())
        yield clock() - due


def _moments(clock: Callable[[], float]) -> Iterator[float]:
    due = clock()
    while True:
        due = max(due, clock() - STEP_SECONDS) + STEP_SECONDS
        yield due


class Sampler:
    """Takes a sample each second.

    Args:
        root: whose tasks are counted.
        recorder: knows the replies of this second.
        history: keeps the samples.
        gauges: reads the other figures.
        done: told of each sample, when it is in the history.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        root: TaskScope,
        recorder: Recorder,
        history: SampleHistory,
        gauges: Callable[[], Gauges],
        done: Callable[[OpsSample], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._root = root
        self._recorder = recorder
        self._history = history
        self._gauges = gauges
        self._done = done
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        probe = LagProbe(asyncio.get_running_loop(), self._clock)
        process = Process()
        self._recorder.on_turns = probe.run
        try:
            async for late in seconds(self._clock):
                probe.note(late)
                await self._sample(process, probe.take())
        finally:
            self._recorder.on_turns = lambda running: None
            probe.run(0)
            process.close()

    async def _sample(self, process: Process, lag: float) -> None:
        kinds = await tasks_by_kind(self._root)
        usage = process.look()
        gauges = self._gauges()
        replies, count = self._recorder.take_replies()
        sample = OpsSample(
            t=round(time(), 1),
            reply_ms_p50=_rounded(percentile(replies, 0.5)),
            reply_ms_p95=_rounded(percentile(replies, 0.95)),
            replies=count,
            tasks=sum(kinds.values()),
            rss_mb=usage.rss_mb,
            cpu_pct=usage.cpu_pct,
            loop_lag_ms=round(max(0.0, lag) * 1000, 2),
            slots_busy=gauges.slots_busy,
            slots_waiting=gauges.slots_waiting,
            queue_waiting=gauges.queue_waiting,
            clients=gauges.clients,
            viewers=gauges.viewers,
            threads=usage.threads,
            fds=usage.fds,
            tasks_by_kind=kinds,
        )
        self._history.add(sample, replies)
        self._done(sample)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
