"""Comparisons inside a run that the causes rest on. Each answers one question and says how sure it is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greenroom.lab.record import Quiet, Run, Sample, Visit
from greenroom.lab.verdict.figures import median_of


SPINNING = 0.15
"""Share of a core at rest from which on wake-ups mean nothing: what never sleeps is only ever put back."""


@dataclass(frozen=True)
class Shift:
    """Two groups of measurements: the usual value, and how much more the other group has."""

    usual: float
    more: float
    certain: bool
    """Nearly every measurement of the one group is above nearly every one of the other."""


def shift(usual: Sequence[float], other: Sequence[float], margin: float) -> Shift | None:
    """Compare two groups (Hodges and Lehmann 1963: the median of all pairwise differences).

    Certain means: more than the margin, and the probability that a measurement of the second group exceeds one
    of the first (the Mann-Whitney statistic) is at least 0.9. None if a group has fewer than two.
    """
    if len(usual) < 2 or len(other) < 2:
        return None
    differences = [b - a for a in usual for b in other]
    more = statistics.median(differences)
    above = sum((d > 0) + 0.5 * (d == 0) for d in differences) / len(differences)
    return Shift(statistics.median(usual), more, more > margin and above >= 0.9)


def values(
    run: Run, read: Callable[[Visit], float | None], manners: Sequence[str], after: str | None = None
) -> list[float]:
    """A measurement of all visits of these manners, and of what went before."""
    return [
        found
        for visit in run.visits
        if visit.manner in manners
        and (after is None or visit.after == after)
        and (visit.number > 1 or len(run.visits) < 4)
        and (found := read(visit)) is not None
    ]


def delay_after(
    run: Run, after: str, manners: Sequence[str] = ("polite", "patient"), margin: float | None = None
) -> Shift | None:
    """How much longer the first reply takes right after abrupt visits than in the calm."""
    usual = values(run, lambda v: v.first_reply, manners, "calm")
    other = values(run, lambda v: v.first_reply, manners, after)
    if margin is None:
        margin = max(0.03, 0.25 * (median_of(usual) or 0.0))
    return shift(usual, other, margin)


@dataclass(frozen=True)
class Glow:
    """What the server does right after abrupt visits of one manner, compared with its rest before."""

    windows: int
    busy: int
    """Windows that were clearly busier than the rest before."""
    wakeups: float
    """Median, per second."""
    rest: float

    @property
    def certain(self) -> bool:
        return self.windows >= 2 and self.busy >= 0.75 * self.windows


def glow(run: Run, after: str, least: float = 25.0) -> Glow | None:
    """Compare the windows after abrupt visits with the latest rest before each."""
    found: list[Quiet] = []
    busy = 0
    rests: list[float] = []
    before: Quiet | None = None
    for quiet in run.quiets:
        if quiet.after == "rest":
            before = quiet
        elif quiet.after == after and before is not None and before.cpu < SPINNING:
            found.append(quiet)
            rests.append(before.wakeups)
            # Whole wake-ups in a short window are few: three of them may be chance.
            surplus = (quiet.wakeups - 1.5 * before.wakeups) * quiet.seconds
            busy += surplus >= max(3.0, least * quiet.seconds)
    if not found:
        return None
    return Glow(len(found), busy, statistics.median(q.wakeups for q in found), statistics.median(rests))


@dataclass(frozen=True)
class Left:
    """What is more at the end than at the beginning, with how it came."""

    count: float
    per_visit: float
    steady: bool
    """It came bit by bit over the run, not at once."""


def left_behind(run: Run, read: Callable[[Sample], float | None], least: float) -> Left | None:
    """Compare the first sample after the first visit with the last one; None if nothing much was left."""
    points = [(s.visit, found) for s in run.samples if s.visit >= 1 and (found := read(s)) is not None]
    if len(points) < 3:
        return None
    (first_visit, first), (last_visit, last) = points[0], points[-1]
    count = last - first
    if count < least or last_visit <= first_visit:
        return None
    halfway = min(points, key=lambda point: abs(point[0] - (first_visit + last_visit) / 2))[1]
    steady = 0.2 <= (halfway - first) / count <= 0.8
    return Left(count, count / (last_visit - first_visit), steady)


def memory_by_manner(run: Run) -> dict[str, float]:
    """Bytes that a visit of each manner typically leaves, from one sample to the next; mean without extremes."""
    manners = {visit.number: visit.manner for visit in run.visits}
    found: dict[str, list[float]] = {}
    for earlier, later in zip(run.samples, run.samples[1:], strict=False):
        between = [manners[n] for n in range(earlier.visit + 1, later.visit + 1) if n in manners]
        if (
            len(between) == 1
            and earlier.visit >= 2
            and earlier.memory is not None
            and later.memory is not None
        ):
            found.setdefault(between[0], []).append(later.memory - earlier.memory)
    return {manner: _trimmed(changes) for manner, changes in found.items() if len(changes) >= 2}


def _trimmed(changes: list[float]) -> float:
    ordered = sorted(changes)
    cut = len(ordered) // 5
    return statistics.fmean(ordered[cut : len(ordered) - cut] if cut else ordered)


def rests(run: Run) -> list[Quiet]:
    """The windows of rest, in order."""
    return [quiet for quiet in run.quiets if quiet.after == "rest"]
