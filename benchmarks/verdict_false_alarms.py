"""How often `greenroom soak` cries wolf: `python benchmarks/verdict_false_alarms.py RUN.json… [--runs 1000]`.

Takes real runs of a sound server (`greenroom soak --json`), best from the noisy machine one has in mind, and makes
many new ones out of their own noise: each figure of each manner is resampled in blocks of neighbours (the moving
block bootstrap: Künsch, Annals of Statistics 17, 1989), which keeps the bad minutes of a busy machine together
but takes away whatever trend there was. Everything the verdict reads is resampled: times, counts, windows.

Prints how many of them are called flat, growing (each one a false alarm) and undecided, and what was blamed. With no
alarm in 1000 runs the rate is below 3 in 1000, with 95 % certainty (the rule of three).
"""

from __future__ import annotations

import argparse
import copy
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from greenroom.lab.record import Run, load
from greenroom.lab.verdict import judge

T = TypeVar("T")
TIMES = (
    "connect",
    "opened",
    "first_reply",
    "whole_reply",
    "pace",
    "switched",
    "bystander",
    "stall",
    "cpu",
    "waited",
    "reads",
)
COUNTS = ("threads", "fds", "children", "tasks")
RATES = ("cpu", "wanted", "wakeups", "child_cpu")


def blocks(values: Sequence[T], rng: random.Random) -> list[T]:
    """As many values again, in blocks of neighbours of about the cube root of their number, at least 2."""
    size = min(len(values), max(2, round(len(values) ** (1 / 3)) + 1))
    found: list[T] = []
    while len(found) < len(values):
        start = rng.randrange(len(values) - size + 1)
        found += values[start : start + size]
    return found[: len(values)]


def resample(
    items: Sequence[Any], names: Sequence[str], kind: Callable[[Any], str], rng: random.Random
) -> None:
    """Give the items of one kind the figures of others of their kind, all figures of one item together."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        groups[kind(item)].append(item)
    for group in groups.values():
        donors = blocks([{name: getattr(item, name) for name in names} for item in group], rng)
        for item, donor in zip(group, donors, strict=True):
            for name, value in donor.items():
                setattr(item, name, value)


def detrended(run: Run, name: str) -> dict[int, float]:
    """A figure less its own straight line, by the index of its sample."""
    points = [(i, getattr(s, name)) for i, s in enumerate(run.samples) if getattr(s, name) is not None]
    if len(points) < 3:
        return {}
    (first, low), (last, high) = points[1], points[-1]
    slope = (high - low) / (last - first)
    return {i: value - slope * (i - first) for i, value in points}


def shuffled(run: Run, rng: random.Random) -> Run:
    """A new run of the same sound server."""
    made = copy.deepcopy(run)
    resample(made.visits[1:], TIMES, lambda visit: f"{visit.manner} after {visit.after}", rng)
    resample(made.quiets, RATES, lambda quiet: quiet.after, rng)
    resample(made.samples[1:], COUNTS, lambda sample: "all", rng)
    levels = detrended(made, "memory")
    if levels:
        # Memory moves in steps that stay: its changes are resampled, not its levels.
        order = sorted(levels)
        changes = [levels[later] - levels[earlier] for earlier, later in pairwise(order)]
        mean = sum(changes) / len(changes)
        value = levels[order[0]]
        for index, change in zip(order[1:], blocks(changes, rng), strict=True):
            value += change - mean
            made.samples[index].memory = round(value)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    sources = [load(path) for path in options.files]
    outcomes: Counter[str] = Counter()
    blamed: Counter[str] = Counter()
    for number in range(options.runs):
        verdict = judge(shuffled(sources[number % len(sources)], rng))
        outcomes[verdict.outcome] += 1
        blamed.update(verdict.failing)
        blamed.update(cause.name for cause in verdict.causes)
    for outcome, count in outcomes.most_common():
        print(f"{outcome:<20}{count:6d}  {count / options.runs:8.2%}")
    alarms = outcomes["growing"]
    # Clopper and Pearson's upper limit, by its normal approximation from 5 alarms on.
    upper = 3 / options.runs if not alarms else (alarms + 1.96 * math.sqrt(alarms) + 2) / options.runs
    print(f"false alarms: {alarms} of {options.runs}; at most {upper:.2%} with 95 % certainty")
    for name, count in blamed.most_common():
        print(f"  {name:<20}{count:6d}")


if __name__ == "__main__":
    main()
