"""The figures that are judged: how each is read out of a run, and what change of it does not matter."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from greenroom.lab.record import Run, Sample, Visit
from greenroom.lab.verdict.trend import Point, Trend, rise_of_the_quickest, scatter, start, trend

MB = 1024 * 1024
TOLERANCE = 2.5
"""Standard deviations from one visit to the next: 99 of 100 visits stay within, so no visitor can tell."""
TELLING_WAIT = 0.02
FEWEST_SLOPES = 4
WARM_UP = 1
"""Visits that are shown but not judged: the first one imports, connects and compiles."""


@dataclass(frozen=True)
class Figure:
    """One figure. `absolute` and `relative` (to its level at the beginning): the larger one is the margin."""

    name: str
    title: str
    title_zh: str
    unit: str
    """`s`, `bytes`, `count`, `share` or `per second`."""
    read: Callable[[Run], list[Point]]
    absolute: float
    relative: float = 0.0
    timed: bool = False
    """Whether a busy machine makes it longer, and models of all speeds make it scatter."""
    step_matters: bool = True
    """Whether one step up is a failure; what a server holds may take one when something is first used."""
    settles: bool = False
    """Whether it may rise for long before it stays."""

    def margin(self, run: Run, points: Sequence[Point], *, disturbed: bool = True) -> float:
        """The change that does not matter, or that a machine as busy as this one cannot show.

        What is no more than the usual difference between one visit and the next, nobody notices either: where
        replies take from one to three seconds by chance, half a second more over the run is no growth.
        """
        least = max(self.absolute, self.relative * abs(start(points)))
        if not self.timed:
            return least
        return max(least, scatter(points)) + (disturbance(run, points) if disturbed else 0.0)

    def judge(self, run: Run, points: Sequence[Point]) -> Trend:
        """What this figure does over the run, or over a part of it.

        Where others' work on the machine explains a growth, or the doubt, it is what remains without it.
        """
        found = self._judge(run, points)
        if not self.timed or found.status in ("flat", "saturated"):
            return found
        alone = less_waiting(run, points)
        remains = self._judge(run, alone, disturbed=False)
        if remains.status == "growing" and rise_of_the_quickest(points) < 0.55 * self.margin(
            run, alone, disturbed=False
        ):
            return dataclasses.replace(remains, status="not enough visits")
        return found if remains.rises and found.rises else remains

    def _judge(self, run: Run, points: Sequence[Point], *, disturbed: bool = True) -> Trend:
        margin = self.margin(run, points, disturbed=disturbed)
        tolerance = max(self.margin(run, points), TOLERANCE * scatter(points)) if self.timed else 0.0
        return trend(points, margin, tolerance=tolerance, settles=self.settles)


def _visits(value: Callable[[Visit], float | None], *, talk: bool = False) -> Callable[[Run], list[Point]]:
    def read(run: Run) -> list[Point]:
        return [
            Point(visit.number, found, f"{visit.manner} after {visit.after}" if talk else visit.manner)
            for visit in run.visits
            if visit.number > WARM_UP and (found := value(visit)) is not None
        ]

    return read


def _samples(value: Callable[[Sample], float | None]) -> Callable[[Run], list[Point]]:
    """Samples but the first: what is loaded by the first visit is no growth."""

    def read(run: Run) -> list[Point]:
        return [
            Point(sample.visit, found)
            for sample in run.samples
            if sample.visit > WARM_UP and (found := value(sample)) is not None
        ]

    return read


def _rests(value: str) -> Callable[[Run], list[Point]]:
    def read(run: Run) -> list[Point]:
        return [Point(quiet.visit, getattr(quiet, value)) for quiet in run.quiets if quiet.after == "rest"]

    return read


FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("first_reply", "first reply", "首次回复", "s",
               _visits(lambda v: v.first_reply, talk=True), 0.03, 0.25, True),
        Figure("whole_reply", "whole reply", "完整回复", "s",
               _visits(lambda v: v.whole_reply, talk=True), 0.05, 0.25, True),
        Figure("connect", "connect", "建立连接", "s", _visits(lambda v: v.connect), 0.015, 1.0, True),
        Figure("opened", "page open", "打开页面", "s", _visits(lambda v: v.opened), 0.015, 1.0, True),
        Figure("bystander", "bystander's worst round trip", "旁观页面最慢往返", "s",
               _visits(lambda v: v.bystander), 0.03, 1.0),
        Figure("cpu", "CPU per visit", "每次访问 CPU", "s", _visits(lambda v: v.cpu), 0.02, 0.5),
        Figure("memory", "memory", "内存", "bytes",
               _samples(lambda s: s.memory), 6 * MB, 0.03, step_matters=False, settles=True),
        Figure("threads", "threads", "线程", "count", _samples(lambda s: s.threads), 2.5, step_matters=False),
        Figure("fds", "open files", "文件描述符", "count", _samples(lambda s: s.fds), 3.5, step_matters=False),
        Figure("children", "child processes", "子进程", "count", _samples(lambda s: s.children), 1.5,
               step_matters=False),
        Figure("tasks", "tasks", "任务", "count", _samples(lambda s: s.tasks), 3.5),
        Figure("idle_cpu", "CPU at rest", "空闲 CPU", "share", _rests("cpu"), 0.03),
        Figure("idle_wakeups", "wake-ups at rest", "空闲唤醒", "per second", _rests("wakeups"), 20.0, 1.0),
    )
}  # fmt: skip


def less_waiting(run: Run, points: Sequence[Point]) -> list[Point]:
    """Times less what others' work on this machine explains of them.

    A visit knows how long its two processes were ready to run while others had the cores. How much of that the
    figure takes up is estimated from the visits themselves, and is at least nothing and at most all of it: the
    median slope over neighbours of one manner (between visits far apart a trend would be taken for waiting),
    weighted by how much their waiting differs.
    """
    waited = {visit.number: visit.waited or 0.0 for visit in run.visits}
    strata: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        strata.setdefault(point.stratum, []).append((waited.get(round(point.visit), 0.0), point.value))
    slopes = sorted(
        ((later[1] - earlier[1]) / (later[0] - earlier[0]), abs(later[0] - earlier[0]))
        for found in strata.values()
        for earlier, later in itertools.pairwise(found)
        if abs(later[0] - earlier[0]) > TELLING_WAIT
    )
    share = 0.0
    if len(slopes) >= FEWEST_SLOPES:
        rest = sum(weight for _, weight in slopes) / 2
        for slope, weight in slopes:
            rest -= weight
            if rest <= 0:
                share = min(1.0, max(0.0, slope))
                break
    if not share:
        return list(points)
    return [
        Point(point.visit, max(0.0, point.value - share * waited.get(round(point.visit), 0.0)), point.stratum)
        for point in points
    ]


def disturbance(run: Run, points: Sequence[Point]) -> float:
    """Seconds by which the machine's other work blurs a figure.

    No more than its visits waited for a core (the third quartile), and no more than three times what it
    scatters: a busy machine does not disturb every figure.
    """
    waited = sorted(visit.waited for visit in run.visits if visit.waited is not None)
    if not waited or not points:
        return 0.0
    return min(waited[len(waited) * 3 // 4], 3 * scatter(points))


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of those that were measured."""
    found = sorted(value for value in values if value is not None)
    if not found:
        return None
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2
