"""Does a figure grow with the visits? Robust statistics, with a margin for what does not matter.

The slope is the median of all pairwise slopes (Theil 1950, Sen 1968), taken within strata only: visits of
one manner are compared with each other (the seasonal Kendall test: Hirsch, Slack and Smith, Water
Resources Research 18, 1982, the manners being its seasons). Its interval comes from the variance of
Kendall's S (Gilbert, Statistical Methods for Environmental Pollution Monitoring, 1987), widened for
autocorrelated noise after Hamed and Rao (Journal of Hydrology 204, 1998): a machine that is busy for a
while disturbs several visits in a row.

"Flat" is not the absence of proof of growth. It is an equivalence test (two one-sided tests: Schuirmann
1987): the upper end of the one-sided interval must stay below the margin. What is neither proven flat nor proven
growing is "not enough visits".

A rise that is not a line is named after its shape: a step (the best single change point, as in Pettitt,
Applied Statistics 28, 1979) or saturated (it rose and then stayed).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["flat", "growing", "step", "saturated", "not enough visits"]
SURE = 1.96
"""Standard deviations of the interval that is shown: 95 %."""
ONE_SIDED = 1.645
"""Of each of the two one-sided tests, at 5 %."""
ALARM = 3.29
"""Standard deviations before something is called growing: 1 in 1000 by chance, for a dozen figures are
judged.
"""
PLAIN = 2.4
"""The same where the change is twice the margin and five times the noise, and few points can say no more."""
MOST_POINTS = 160
"""Of one stratum; more are thinned out evenly, for the work grows with their square."""
FEWEST_POINTS = 5
STEP_EDGE = 3
"""Points on each side of a step."""


@dataclass(frozen=True)
class Point:
    """One measurement: after how many visits, how much, and of which kind."""

    visit: float
    value: float
    stratum: str = ""


@dataclass(frozen=True)
class Trend:
    """What a figure does over a run, in its own unit."""

    status: Status
    points: int
    level: float
    """Median at the beginning."""
    change: float = 0.0
    """Over the whole run."""
    per_100: float = 0.0
    """Per 100 visits, and the 95 % interval."""
    low: float = 0.0
    high: float = 0.0
    at: int | None = None
    """The visit of a step, or where the rise ended."""

    @property
    def rises(self) -> bool:
        return self.status in ("growing", "step")


@dataclass(frozen=True)
class _Slope:
    value: float
    low: float
    high: float
    limit: float
    """Upper end of the one-sided 95 % interval."""
    deviations: float
    """How far Kendall's S is from 0, in its standard deviations."""


def trend(points: Sequence[Point], margin: float, *, tolerance: float = 0.0, settles: bool = False) -> Trend:
    """Judge one figure.

    Args:
        points: what was measured.
        margin: the change over the run that does not matter yet.
        tolerance: the same for calling it flat, if that is more: what scatters cannot be shown to stay within
            less than it scatters.
        settles: the figure may rise for long before it stays, as memory does that an allocator keeps: it is
            saturated, not growing, if it hardly rose in the last quarter.
    """
    kept = _strata(points)
    flattened = sorted((point for stratum in kept for point in stratum), key=lambda point: point.visit)
    level = _level(kept) if kept else statistics.median([p.value for p in points]) if points else 0.0
    if len(flattened) < FEWEST_POINTS:
        return Trend("not enough visits", len(flattened), level)
    inflation = _inflation(flattened, kept)
    slope = _slope(kept, inflation)
    span = flattened[-1].visit - flattened[0].visit
    if span <= 0:
        return Trend("not enough visits", len(flattened), level)
    change = slope.value * span
    base = {
        "points": len(flattened), "level": level, "change": change, "per_100": slope.value * 100,
        "low": slope.low * 100, "high": slope.high * 100,
    }  # fmt: skip
    centred = _centred(kept)
    step = _step(centred)
    stepped = step is not None and step.rise > margin and step.chance < 0.001
    # What bends is not noise, though its distance from a line looks autocorrelated.
    plain = slope.deviations * math.sqrt(inflation)
    plainly = (
        plain > PLAIN and change > 2 * margin and change > 5 * _deviation_from_line(centred, slope.value)
    )
    if stepped or plainly or (slope.deviations > ALARM and change > margin):
        found = _shape(kept, centred, slope, step, span, base, margin)
        if settles and found.status == "growing" and _settled(centred):
            return dataclasses.replace(found, status="saturated", at=round(flattened[-1].visit - span / 4))
        return found
    tolerance = max(margin, tolerance)
    if slope.limit * span <= tolerance or (
        step is not None and step.rise <= margin and slope.deviations < SURE
    ):
        flat = slope.limit * span <= tolerance or len(flattened) >= 20
        return Trend("flat" if flat else "not enough visits", **base)
    return Trend("not enough visits", **base)


def _settled(centred: list[Point]) -> bool:
    """Whether the last quarter rose by less than a third of what a straight line would have."""
    first, last = centred[0].visit, centred[-1].visit
    begin = last - (last - first) / 4
    early = statistics.median(point.value for point in centred[:STEP_EDGE])
    late = statistics.median(point.value for point in centred[-STEP_EDGE:])
    near = sorted(centred, key=lambda point: abs(point.visit - begin))[:STEP_EDGE]
    rise = late - statistics.median(point.value for point in near)
    return rise < (late - early) / 12


def scatter(points: Sequence[Point]) -> float:
    """The standard deviation from one visit of a manner to the next, robustly, and without the trend."""
    kept = _strata(points)
    slope = _slope(kept, 1.0).value if kept else 0.0
    jumps = [
        abs(later.value - earlier.value - slope * (later.visit - earlier.visit))
        for stratum in kept
        for earlier, later in itertools.pairwise(stratum)
    ]
    # Half of all differences of two normal variables are below 0.954 of their standard deviation.
    return statistics.median(jumps) / 0.954 if jumps else 0.0


def rise_of_the_quickest(points: Sequence[Point]) -> float:
    """How much the lower quintile rose from the first third of the visits to the last one.

    What others do on a machine makes visits longer, but now and then one is left in peace. If those are as quick
    as ever, the server is.
    """
    centred = _centred(_strata(points))
    third = len(centred) // 3
    if third < STEP_EDGE:
        return math.inf
    first, last = (
        sorted(point.value for point in part)[third // 5] for part in (centred[:third], centred[-third:])
    )
    return last - first


def start(points: Sequence[Point]) -> float:
    """The level at the beginning: the median there, less what a trend had already added by then."""
    first = sorted(points, key=lambda point: point.visit)[: max(3, len(points) // 4)]
    if not first:
        return 0.0
    kept = _strata(points)
    slope = _slope(kept, 1.0).value if kept else 0.0
    begin = first[0].visit
    return statistics.median(point.value - max(0.0, slope) * (point.visit - begin) for point in first)


def _shape(
    kept: list[list[Point]], centred: list[Point], slope: _Slope, step: _Step | None, span: float,
    base: dict[str, float | int], margin: float,
) -> Trend:  # fmt: skip
    """A certain rise: a line, a step, or a curve that has levelled off."""
    line = _deviation_from_line(centred, slope.value)
    if step is not None and step.rise > margin and step.deviation < 0.5 * line:
        return Trend("step", **{**base, "change": step.rise}, at=step.visit)  # type: ignore[arg-type]
    middle = centred[0].visit + span / 2
    later = [[p for p in stratum if p.visit >= middle] for stratum in kept]
    later = [stratum for stratum in later if len(stratum) >= 3]
    if sum(map(len, later)) >= FEWEST_POINTS:
        end = _slope(later, 1.0)
        if end.value < 0.2 * slope.value and end.deviations < SURE:
            return Trend("saturated", **base, at=round(middle))  # type: ignore[arg-type]
    return Trend("growing", **base)  # type: ignore[arg-type]


def _strata(points: Sequence[Point]) -> list[list[Point]]:
    """The points by stratum, in order, without strata too small to compare anything in."""
    found: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        found[point.stratum].append(point)
    kept: list[list[Point]] = []
    for stratum in found.values():
        if len(stratum) >= 3:
            stratum.sort(key=lambda point: point.visit)
            kept.append(_thin(stratum))
    return kept


def _thin(points: list[Point]) -> list[Point]:
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(index * step)] for index in range(MOST_POINTS)]


def _level(strata: list[list[Point]]) -> float:
    """The median of the first quarter of the largest stratum."""
    largest = max(strata, key=len)
    return statistics.median(point.value for point in largest[: max(3, len(largest) // 4)])


def _centred(strata: list[list[Point]]) -> list[Point]:
    """All points in order, each less the median of its stratum."""
    found: list[Point] = []
    for stratum in strata:
        middle = statistics.median(point.value for point in stratum)
        found += [Point(point.visit, point.value - middle) for point in stratum]
    return sorted(found, key=lambda point: point.visit)


def _slope(strata: list[list[Point]], inflation: float) -> _Slope:
    """Sen's slope within strata, and Kendall's S with its interval."""
    slopes: list[float] = []
    balance, variance = 0, 0.0
    for stratum in strata:
        count = len(stratum)
        for index, earlier in enumerate(stratum):
            for later in stratum[index + 1 :]:
                distance = later.visit - earlier.visit
                if distance <= 0:
                    continue
                rise = later.value - earlier.value
                balance += (rise > 0) - (rise < 0)
                slopes.append(rise / distance)
        variance += _variance(count, [point.value for point in stratum])
    if not slopes:
        return _Slope(0.0, 0.0, 0.0, 0.0, 0.0)
    slopes.sort()
    deviation = math.sqrt(variance * inflation)
    value = statistics.median(slopes)
    if deviation == 0.0:
        return _Slope(value, value, value, value, 0.0)
    low = slopes[max(0, math.floor((len(slopes) - SURE * deviation) / 2))]
    high, limit = (
        slopes[min(len(slopes) - 1, math.ceil((len(slopes) + reach * deviation) / 2))]
        for reach in (SURE, ONE_SIDED)
    )
    continuity = (balance > 0) - (balance < 0)
    return _Slope(value, low, high, limit, (balance - continuity) / deviation)


def _variance(count: int, values: list[float]) -> float:
    """Of Kendall's S under no trend, with the correction for ties."""
    ties: dict[float, int] = defaultdict(int)
    for value in values:
        ties[value] += 1
    tied = sum(t * (t - 1) * (2 * t + 5) for t in ties.values() if t > 1)
    return (count * (count - 1) * (2 * count + 5) - tied) / 18


def _inflation(points: list[Point], strata: list[list[Point]]) -> float:
    """How much autocorrelation of detrended ranks widens the variance of S; at least 1 (Hamed, Rao)."""
    count = len(points)
    if count < 10:
        return 1.0
    slope = _slope(strata, 1.0).value
    residuals = [point.value - slope * point.visit for point in _centred(strata)]
    grain = 1e-9 * max(1.0, max(residuals) - min(residuals))
    ranks = [rank - (count + 1) / 2 for rank in _ranks([round(value / grain) for value in residuals])]
    power = sum(rank * rank for rank in ranks)
    if power == 0.0:
        return 1.0
    total = 0.0
    for lag in range(1, count // 4):
        correlation = sum(a * b for a, b in zip(ranks, ranks[lag:], strict=False)) / power
        if correlation > SURE / math.sqrt(count):
            total += (count - lag) * (count - lag - 1) * (count - lag - 2) * correlation
        else:
            break
    return max(1.0, 1.0 + 2 * total / (count * (count - 1) * (count - 2)))


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(values):
        end = start
        while end + 1 < len(values) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for index in range(start, end + 1):
            ranks[order[index]] = (start + end) / 2 + 1
        start = end + 1
    return ranks


@dataclass(frozen=True)
class _Step:
    visit: int
    rise: float
    deviation: float
    """Mean absolute distance of the points from the step."""
    chance: float
    """Of such a step without any change (Pettitt's approximation)."""


def _step(centred: list[Point]) -> _Step | None:
    """The single change point that fits best."""
    count = len(centred)
    if count < 2 * STEP_EDGE:
        return None
    values = [point.value for point in centred]
    ranks = _ranks(values)
    best, where, running = 0.0, 0, 0.0
    for index in range(count - 1):
        running += ranks[index]
        height = abs(2 * running - (index + 1) * (count + 1))
        if STEP_EDGE <= index + 1 <= count - STEP_EDGE and height > best:
            best, where = height, index + 1
    if not where:
        return None
    before, after = statistics.median(values[:where]), statistics.median(values[where:])
    deviation = statistics.fmean(
        abs(value - (before if index < where else after)) for index, value in enumerate(values)
    )
    chance = min(1.0, 2 * math.exp(-6 * best * best / (count**3 + count**2)))
    return _Step(round(centred[where].visit), after - before, deviation, chance)


def _deviation_from_line(centred: list[Point], slope: float) -> float:
    """Mean absolute distance of the points from the line of this slope."""
    rests = [point.value - slope * point.visit for point in centred]
    middle = statistics.median(rests)
    return statistics.fmean(abs(rest - middle) for rest in rests)
