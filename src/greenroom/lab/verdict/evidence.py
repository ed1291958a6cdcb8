"""Comparisons inside a run that the causes rest on. Each answers one question and says how sure it is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greenroom.lab.record import Quiet, Run, Sample, Visit
from greenroom.lab.verdict.figures import disturbance
from greenroom.lab.verdict.trend import Point, scatter

TALK = ("polite", "patient")
ENOUGH = 3
TELLING = 6
SPINNING = 0.15
"""Share of a core at rest from which on wake-ups mean nothing: what never sleeps is only ever put back."""


@dataclass(frozen=True)
class Shift:
    """What usually is, and how much more it is after abrupt visits."""

    usual: float
    more: float
    certain: bool
    """Nearly every time, and by more than the margin."""


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


def after_abrupt(
    run: Run, read: Callable[[Visit], float | None], manners: Sequence[str], after: str, least: float = 0.03
) -> Shift | None:
    """Compare visits right after abrupt ones with visits of the same manner in the calm.

    Each is compared with its neighbours, the calm one before and the calm one after, so that a figure
    that grows over the run does not hide the difference, nor make one. Certain: seven tenths of the
    differences, and their median, exceed the margin (`least`, a quarter of the usual, or what nine of ten
    calm visits differ from their own neighbours by). None with fewer than two to compare.
    """
    calm = _calm(run, read, manners)
    usual: list[float] = []
    more: list[float] = []
    for visit in run.visits:
        found = read(visit)
        if visit.manner not in manners or visit.after != after or found is None:
            continue
        expected = _between(calm, visit.number)
        if expected is not None:
            usual.append(expected)
            more.append(found - expected)
    if len(more) < 2:
        return None
    middle = statistics.median(more)
    # Few calm visits do not show what chance does; then the waiting for a core has to.
    busy = disturbance(run, [Point(at, value) for at, value in calm]) if len(calm) < TELLING else 0.0
    chance = max(_chance(calm), _chance(_calm(run, read, TALK)))
    margins = [max(least, 0.25 * value, chance) + busy for value in usual]
    clear = sum(difference > margin for difference, margin in zip(more, margins, strict=True))
    certain = middle > statistics.median(margins) and clear >= 0.7 * len(more)
    if len(more) < ENOUGH:
        # Two visits can both be slow by chance, if slow ones are common: these must be slower than any other.
        others = [*calm, *_calm(run, read, TALK)]
        slowest = max((value for _, value in others), default=0.0)
        spread = max(scatter([Point(at, value) for at, value in found]) for found in (calm, others))
        certain = certain and min(more) > 5 * spread
        certain = certain and min(a + b for a, b in zip(usual, more, strict=True)) > 1.25 * slowest
    return Shift(statistics.median(usual), middle, certain)


def _calm(run: Run, read: Callable[[Visit], float | None], manners: Sequence[str]) -> list[tuple[int, float]]:
    """Number and value of the visits of these manners before which nobody had left abruptly."""
    return [
        (visit.number, found)
        for visit in run.visits
        if visit.manner in manners and visit.after == "calm" and visit.number > 1
        and (found := read(visit)) is not None
    ]  # fmt: skip


def _chance(calm: Sequence[tuple[int, float]]) -> float:
    """How much longer than its neighbours a calm visit takes in nine of ten cases: a model is not a clock."""
    found: list[float] = []
    for index, (number, value) in enumerate(calm):
        expected = _between([*calm[:index], *calm[index + 1 :]], number)
        if expected is not None:
            found.append(value - expected)
    if len(found) < 2:
        return 0.0
    found.sort()
    place = 0.9 * (len(found) - 1)
    low = int(place)
    high = min(low + 1, len(found) - 1)
    return max(0.0, found[low] + (place - low) * (found[high] - found[low]))


def _between(calm: Sequence[tuple[int, float]], number: int) -> float | None:
    """What a calm visit would have taken then: by the nearest two before, and the nearest one after."""
    before = [value for at, value in calm if at < number][-2:]
    later = next((value for at, value in calm if at > number), None)
    if not before:
        return later
    return max(statistics.median(before), later) if later is not None else statistics.median(before)


def delay_after(run: Run, after: str) -> Shift | None:
    """How much longer the first reply takes right after abrupt visits than in the calm."""
    return after_abrupt(run, lambda visit: visit.first_reply, ("polite", "patient"), after)


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
        elif quiet.after == after and before is not None and before.wanted < SPINNING:
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


def memory_by_manner(run: Run) -> dict[str, list[float]]:
    """Bytes that each visit of a manner left, from one sample to the next; of manners seen twice."""
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
    return {manner: changes for manner, changes in found.items() if len(changes) >= 2}


def trimmed(changes: Sequence[float]) -> float:
    """The mean without the extremes."""
    ordered = sorted(changes)
    cut = len(ordered) // 5
    return statistics.fmean(ordered[cut : len(ordered) - cut] if cut else ordered)


def rests(run: Run) -> list[Quiet]:
    """The windows of rest, in order."""
    return [quiet for quiet in run.quiets if quiet.after == "rest"]
