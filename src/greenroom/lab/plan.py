"""The order of visits: what happens when, for each mode. No I/O.

The mixed mode is an experiment. Visits that differ in one thing only follow each other, so that a
difference in what follows has one explanation: pages that leave before the reply has begun can hold a
provider's slot but no speech engine; pages that leave when it has begun can hold both; silent pages can
hold neither.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

MODES = {
    "mixed": "all manners in turn; the one that tells causes apart",
    "polite": "visits that hear the whole reply and close politely",
    "abrupt": "pages closed in the middle of a reply, several in a row",
    "burst": "two messages at once",
    "switch": "three character changes at once, closed in the middle of the reply",
    "half-open": "peers that vanish without closing",
    "room": "two viewers of one room",
}
MANNERS = {
    "silent": "opens the page, says nothing, closes politely",
    "polite": "asks, hears the whole reply, closes politely",
    "early": "asks and is gone before the reply begins",
    "late": "is gone when the reply has begun, or should have",
    "patient": "hears the reply begin, however long it takes, and is gone",
    "burst": "sends two messages at once, hears all, closes politely",
    "switch": "changes the character three times at once, asks, and is gone when the reply has begun",
    "flip": "changes the character three times at once and is gone",
    "half-open": "asks, then neither reads nor closes",
    "room": "two viewers of a room; one asks, both hear",
}
MILESTONES = frozenset({1, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000})
"""Visits that the table shows: they hear their reply, whatever the mode."""
ABRUPT = frozenset({"early", "late", "patient", "switch", "flip", "half-open"})

Window = Literal["rest", "glow", "settle"]
"""`rest`: a longer window of doing nothing; `glow`: a short one right after abrupt visits; `settle`:
wait, within limits, until the server has calmed down.
"""

Block = tuple[str, ...]
"""What must not be torn apart: abrupt visits, a window perhaps, and the visit that meets what they left."""

EARLY_PAGES = 4
_EARLY: Block = (*["early"] * EARLY_PAGES, ":glow", "polite")
_LATE: Block = ("late*3", "polite")
_FLIP: Block = ("flip", "flip", ":glow", "switch", ":settle")
_ROUNDS: dict[str, tuple[Block, ...]] = {
    "mixed": (
        ("polite",), ("polite", ":rest"), ("silent",), _EARLY, _LATE, ("polite",), ("burst",),
        ("silent", ":settle"), ("switch", ":settle"), _FLIP,
    ),
    "polite": (*[("polite",)] * 7, ("polite", ":rest")),
    "abrupt": (*[("late",)] * 4, ("late", ":glow"), *[("late",)] * 3, ("patient",)),
    "burst": (("burst",), ("burst",), ("polite",), ("burst",), ("burst",), ("polite", ":rest")),
    "switch": (("switch", ":settle"), _FLIP, ("polite", ":rest")),
    "half-open": (("half-open", "half-open", "half-open", "polite"), (":rest",)),
    "room": (*[("room",)] * 5, ("room", ":rest")),
}  # fmt: skip
_AT_MILESTONES = {"abrupt": "patient", "room": "room"}


@dataclass(frozen=True)
class Step:
    """A visit to pay, or a window to watch."""

    number: int
    """Of the visit; of the latest one, for a window."""
    manner: str = ""
    window: Window | None = None
    after: str = "calm"
    together: int = 1
    """How many such visits are paid at the same time."""


class NoSuchMode(ValueError):
    """Not a mode, or one that this kind of server has no visits for."""


def steps(mode: str, manners: frozenset[str]) -> Iterator[Step]:
    """Yield visits and windows without end. Raises NoSuchMode."""
    if mode not in _ROUNDS:
        raise NoSuchMode(f"no mode {mode!r}: it is one of {', '.join(MODES)}")
    plan = [
        tuple(part for part in block if part.startswith(":") or part.partition("*")[0] in manners)
        for block in _ROUNDS[mode]
    ]
    if not any(part in block for block in plan for part in (mode, "polite", "late")):
        raise NoSuchMode(f"mode {mode!r} needs visits that this server has no script for")
    return _steps(plan, _AT_MILESTONES.get(mode, "polite"))


def _steps(plan: list[Block], probe: str) -> Iterator[Step]:
    number, after = 0, "calm"
    for block in itertools.cycle(plan):
        parts = [part.partition("*") for part in block]
        sizes = [0 if name.startswith(":") else int(times or 1) for name, _, times in parts]
        # A milestone that would fall into the block comes before it, and the block later by as much.
        while MILESTONES & _others(number, parts, sizes, probe):
            number += 1
            yield Step(number, probe, after=after)
            after = probe if probe in ABRUPT else "calm"
        for (name, _, _), size in zip(parts, sizes, strict=True):
            if size:
                yield Step(number + 1, name, after=after, together=size)
                number += size
                after = name if name in ABRUPT else "calm"
            else:
                window: Window = "rest" if name == ":rest" else "glow" if name == ":glow" else "settle"
                yield Step(number, window=window, after=after if window == "glow" else "rest")
                if window != "glow":
                    after = "calm"


def _others(number: int, parts: Sequence[tuple[str, str, str]], sizes: Sequence[int], probe: str) -> set[int]:
    """The numbers that a block would give to visits of other manners than the probe's."""
    found: set[int] = set()
    for (name, _, _), size in zip(parts, sizes, strict=True):
        if name != probe:
            found.update(range(number + 1, number + 1 + size))
        number += size
    return found
