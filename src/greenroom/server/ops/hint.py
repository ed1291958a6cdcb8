"""Is it getting slower? A baseline band, and a hint for whoever looks at the page. Plain functions.

The method: first replies are compared within a character only (strata), in blocks of which each gives its
median, so that one slow visit weighs nothing. Whether they rise is Mann and Kendall's test (Mann, Econometrica
13, 1945; the strata as in the seasonal test of Hirsch, Slack and Smith, Water Resources Research 18, 1982), how
fast is the median of all pairwise slopes (Theil 1950, Sen, JASA 63, 1968). A rise that is a jump is found as the
best change point (Pettitt, Applied Statistics 28, 1979). Both count only beyond a margin of what anybody would
notice. The band is median ± k · MAD of the first visits, the MAD scaled by 1.4826 to a standard deviation.

It does not tell load from leak: more visitors at once wait longer in any server with few slots. `greenroom
soak` makes the same visits again and again, and can tell.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

from greenroom.server.ops.messages import OpsBaseline, OpsVerdict, OpsVerdictFigures, OpsVisits, VerdictState

METHOD = "Theil-Sen slope and Mann-Kendall test within characters, Pettitt change point; band median ± 5 MAD"
WARM_UP = 3
"""Visits that are left out: caches fill."""
BASELINE_VISITS = 30
NEEDED = 20
K = 5.0
MARGIN_MS = 30.0
MARGIN_SHARE = 0.25
"""A change below the larger of the two does not matter: the same margins as `greenroom soak` has."""
RECENT = 20
BLOCKS = 60
SURE = 3.29
"""Standard deviations: 1 in 1000 by chance."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Some visits in a row of one character: their middle and their median, less the character's own."""

    visit: float
    value: float
    stratum: str


class Baseline:
    """Remembers the first visits after the warm-up, also when the log has long forgotten them."""

    def __init__(self) -> None:
        self.band: OpsBaseline | None = None

    def learn(self, visits: OpsVisits) -> OpsBaseline | None:
        """Form the band from the oldest visits once there are enough; afterwards it stays."""
        if self.band is not None:
            return self.band
        answered = _answered(visits)
        if len(answered) < BASELINE_VISITS:
            return None
        first = answered[:BASELINE_VISITS]
        character = Counter(name for _, _, name in first).most_common(1)[0][0]
        values = [value for _, value, name in first if name == character]
        median = statistics.median(values)
        spread = 1.4826 * statistics.median(abs(value - median) for value in values)
        # A server whose replies are all alike would have a band without width.
        reach = max(K * spread, 0.05 * median, 1.0)
        self.band = OpsBaseline(
            low_ms=round(max(0.0, median - reach), 2),
            median_ms=round(median, 2),
            high_ms=round(median + reach, 2),
            visits=len(values),
            k=K,
            character=character,
        )
        return self.band


def verdict(visits: OpsVisits, band: OpsBaseline | None) -> OpsVerdict:
    """Judge the visits that are kept."""
    answered = _answered(visits)
    if len(answered) < NEEDED or band is None:
        return _told("not_enough", len(answered), band)
    recent = statistics.median(
        [value for _, value, name in answered if name == band.character][-RECENT:] or [band.median_ms]
    )
    margin = max(MARGIN_MS, MARGIN_SHARE * band.median_ms)
    blocks = _blocks(answered)
    slope, deviations = _trend(blocks)
    span = answered[-1][0] - answered[0][0]
    change = slope * span
    at, rise, chance = _jump(blocks)
    state: VerdictState = "flat"
    if chance < 0.001 and rise > margin and _fits_better_as_jump(blocks, at, rise, slope):
        state, change = "step", rise
    elif deviations > SURE and change > margin:
        state, at = "growing", None
    elif recent - band.median_ms > margin and recent > band.high_ms:
        # It rose before the oldest visit that is kept, and stayed there.
        state, change, at = "step", recent - band.median_ms, None
    else:
        at = None
    return _told(state, len(answered), band, recent, change, slope * 100, margin, at)


def _told(
    state: VerdictState,
    visits: int,
    band: OpsBaseline | None,
    recent: float | None = None,
    change: float | None = None,
    per_100: float | None = None,
    margin: float | None = None,
    at: float | None = None,
) -> OpsVerdict:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    return OpsVerdict(
        state=state,
        text_key=f"ops.verdict.{state}",
        method=METHOD,
        figures=OpsVerdictFigures(
            visits=visits,
            baseline_ms=None if band is None else band.median_ms,
            recent_ms=rounded(recent),
            change_ms=rounded(change),
            per_100_ms=rounded(per_100),
            margin_ms=rounded(margin),
            at=None if at is None else round(at),
            needed=WARM_UP + BASELINE_VISITS,
        ),
    )


def _answered(visits: OpsVisits) -> list[tuple[int, float, str]]:
    """Number, first reply and character of the visits that got one, without the warm-up."""
    return [
        (number, first, character)
        for number, first, character in zip(visits.n, visits.first_reply_ms, visits.character, strict=True)
        if first is not None and number > WARM_UP
    ]


def _blocks(answered: list[tuple[int, float, str]]) -> list[_Block]:
    strata: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, value, character in answered:
        strata[character].append((number, value))
    size = max(1, math.ceil(len(answered) / BLOCKS))
    found: list[_Block] = []
    for name, points in strata.items():
        if len(points) < 5:
            continue
        level = statistics.median(value for _, value in points)
        for begin in range(0, len(points) - size + 1, size):
            block = points[begin : begin + size]
            middle = statistics.median(number for number, _ in block)
            found.append(_Block(middle, statistics.median(value for _, value in block) - level, name))
    return sorted(found, key=lambda block: block.visit)


def _trend(blocks: list[_Block]) -> tuple[float, float]:
    """Slope in ms per visit, and how sure it is a rise, in standard deviations of Kendall's S."""
    slopes: list[float] = []
    score, variance = 0, 0.0
    strata: defaultdict[str, list[_Block]] = defaultdict(list)
    for block in blocks:
        strata[block.stratum].append(block)
    for points in strata.values():
        count = len(points)
        variance += count * (count - 1) * (2 * count + 5) / 18
        for index, earlier in enumerate(points):
            for later in points[index + 1 :]:
                if later.visit > earlier.visit:
                    slopes.append((later.value - earlier.value) / (later.visit - earlier.visit))
                score += (later.value > earlier.value) - (later.value < earlier.value)
    if not slopes or not variance:
        return 0.0, 0.0
    return statistics.median(slopes), (score - math.copysign(1, score)) / math.sqrt(
        variance
    ) if score else 0.0


def _jump(blocks: list[_Block]) -> tuple[float | None, float, float]:
    """Where the best change point is, how much it rises there in ms, and how likely that is by chance."""
    values = [block.value for block in blocks]
    count = len(values)
    if count < 10:
        return None, 0.0, 1.0
    ranks = _ranks(values)
    best, best_at, running = 0.0, 0, 0.0
    for index in range(count - 1):
        running += ranks[index]
        # Pettitt's U, for a rise: the later values rank higher than the earlier ones.
        statistic = (index + 1) * (count + 1) - 2 * running
        if statistic > best and 3 <= index + 1 <= count - 3:
            best, best_at = statistic, index + 1
    if not best_at:
        return None, 0.0, 1.0
    chance = 2 * math.exp(-6 * best**2 / (count**3 + count**2))
    rise = statistics.median(values[best_at:]) - statistics.median(values[:best_at])
    return blocks[best_at].visit, rise, chance


def _ranks(values: list[float]) -> list[float]:
    """Ranks from 1; equal values share the middle one."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end + 1 < len(order) and values[order[end + 1]] == values[order[begin]]:
            end += 1
        for index in order[begin : end + 1]:
            ranks[index] = (begin + end) / 2 + 1
        begin = end + 1
    return ranks


def _fits_better_as_jump(blocks: list[_Block], at: float | None, rise: float, slope: float) -> bool:
    if at is None:
        return False
    as_line = [block.value - slope * block.visit for block in blocks]
    as_jump = [block.value - (rise if block.visit >= at else 0.0) for block in blocks]
    return _scatter(as_jump) < _scatter(as_line)


def _scatter(values: list[float]) -> float:
    middle = statistics.median(values)
    return sum(abs(value - middle) for value in values)
