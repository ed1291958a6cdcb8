"""The figures that are judged: how each is read out of a run, and what change of it does not matter."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from greenroom.lab.record import Run, Sample, Visit
from greenroom.lab.verdict.trend import Point

MB = 1024 * 1024
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
    """Whether a busy machine makes it longer."""
    step_matters: bool = True
    """Whether one step up is a failure; memory may take one when something is first used."""

    def margin(self, level: float, disturbance: float = 0.0) -> float:
        """The change that does not matter, or that a machine as busy as this one cannot show."""
        return max(self.absolute, self.relative * abs(level)) + (disturbance if self.timed else 0.0)


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
               _samples(lambda s: s.memory), 6 * MB, 0.03, step_matters=False),
        Figure("threads", "threads", "线程", "count", _samples(lambda s: s.threads), 2.5),
        Figure("fds", "open files", "文件描述符", "count", _samples(lambda s: s.fds), 3.5),
        Figure("children", "child processes", "子进程", "count", _samples(lambda s: s.children), 1.5),
        Figure("tasks", "tasks", "任务", "count", _samples(lambda s: s.tasks), 3.5),
        Figure("idle_cpu", "CPU at rest", "空闲 CPU", "share", _rests("cpu"), 0.03),
        Figure("idle_wakeups", "wake-ups at rest", "空闲唤醒", "per second", _rests("wakeups"), 20.0, 1.0),
    )
}  # fmt: skip


def disturbance(run: Run, points: Sequence[Point]) -> float:
    """Seconds by which the machine's other work blurs a figure.

    No more than its visits waited for a core (the third quartile), and no more than it scatters (three times the
    median jump from one visit of a manner to the next): a busy machine does not disturb every figure.
    """
    waited = sorted(visit.waited for visit in run.visits if visit.waited is not None)
    if not waited or not points:
        return 0.0
    strata: dict[str, list[float]] = {}
    for point in points:
        strata.setdefault(point.stratum, []).append(point.value)
    jumps = [abs(b - a) for values in strata.values() for a, b in itertools.pairwise(values)]
    scatter = statistics.median(jumps) if jumps else 0.0
    return min(waited[len(waited) * 3 // 4], 3 * scatter)


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of those that were measured."""
    found = sorted(value for value in values if value is not None)
    if not found:
        return None
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2
