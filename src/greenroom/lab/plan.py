"""The order of visits: what happens when, for each mode. No I/O.

The mixed mode is an experiment. Visits that differ in one thing only follow each other, so that a
difference in what follows has one explanation: pages that leave before the reply has begun can hold a
provider's slot but no speech engine; pages that leave when it has begun can hold both; silent pages can
hold neither.
"""

from __future__ import annotations

from collections.abc import Iterator
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
MILESTONES = frozenset({1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000})
"""Visits that the table shows: they hear their reply, whatever the mode."""
ABRUPT = frozenset({"early", "late", "patient", "switch", "flip", "half-open"})

Window = Literal["rest", "glow", "settle"]
"""`rest`: a longer window of doing nothing; `glow`: a short one right after abrupt visits; `settle`:
wait, within limits, until the server has calmed down.
"""

_ROUNDS: dict[str, tuple[str, ...]] = {
    "mixed": (
        "polite", "polite", ":rest", "silent", "early", "early", "early", "early", ":glow", "polite",
        "late", "late", "polite", "burst", "silent", ":settle", "switch", ":settle",
        "flip", "flip", ":glow", "switch", ":settle",
    ),
    "polite": (*["polite"] * 8, ":rest"),
    "abrupt": ("late", "late", "late", "late", "patient"),
    "burst": ("burst", "burst", "polite", "burst", "burst", "polite", ":rest"),
    "switch": ("switch", ":settle", "flip", "flip", ":glow", "switch", ":settle", "polite", ":rest"),
    "half-open": ("half-open", "half-open", "half-open", "polite", ":rest"),
    "room": (*["room"] * 6, ":rest"),
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


class NoSuchMode(ValueError):
    """Not a mode, or one that this kind of server has no visits for."""


def steps(mode: str, manners: frozenset[str]) -> Iterator[Step]:
    """Yield visits and windows without end. Raises NoSuchMode."""
    if mode not in _ROUNDS:
        raise NoSuchMode(f"no mode {mode!r}: it is one of {', '.join(MODES)}")
    plan = [part for part in _ROUNDS[mode] if part.startswith(":") or part in manners]
    if not any(part in plan for part in (mode, "polite", "late")):
        raise NoSuchMode(f"mode {mode!r} needs visits that this server has no script for")
    return _steps(plan, _AT_MILESTONES.get(mode, "polite"))


def _steps(plan: list[str], probe: str) -> Iterator[Step]:
    number, after, index = 0, "calm", 0
    while True:
        part = plan[index % len(plan)]
        if part.startswith(":"):
            index += 1
            window: Window = "rest" if part == ":rest" else "glow" if part == ":glow" else "settle"
            yield Step(number, window=window, after=after if window == "glow" else "rest")
            if window != "glow":
                after = "calm"
            continue
        number += 1
        if number in MILESTONES and part != probe:
            manner = probe  # The plan goes on where it was.
        else:
            manner = part
            index += 1
        yield Step(number, manner, after=after)
        after = manner if manner in ABRUPT else "calm"
