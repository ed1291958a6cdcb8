"""What happens at a kiosk in one day: who comes when, and what each visitor does. No I/O.

The screen stands in a hall that is open around the clock. People come at a rate that depends on the hour, each
says a few things, and in between nothing happens for minutes or hours. That nothing is skipped when the script
is played: the moments below are in virtual seconds, the deeds in between take their real time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.helpers.moody_provider import HICCUPS, Hiccup

DAY = 86_400.0
BY_HOUR = (1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 10, 11, 13, 12, 10, 9, 10, 12, 14, 11, 8, 5, 3, 2)
"""How many visitors an hour brings, in proportion."""

Leave = Literal["end word", "walks away", "walks away in mid-reply"]
Reload = Literal["", "polite", "abrupt"]


@dataclass(frozen=True)
class Remark:
    """One thing a visitor says."""

    text: str
    hiccup: Hiccup = ""
    """How the provider fails over it."""
    interrupted: bool = False
    """The visitor cuts the answer short."""
    picture: bool = False


@dataclass(frozen=True)
class Visit:
    """One visitor."""

    at: float
    """Virtual seconds since midnight."""
    called: bool
    """Whether the visitor says the wake word; without it nothing may be answered."""
    remarks: tuple[Remark, ...]
    switches: tuple[str, ...] = ()
    """Characters put on stage before the last remark, in quick succession."""
    leave: Leave = "end word"
    reload: Reload = ""
    """The page is loaded again after the visit: the browser crashed, or somebody pressed F5."""
    bored: bool = False
    """After the visit the page lets the character speak on its own."""
    browses: bool = False
    """Looks through the old conversations and opens one."""


SAYINGS = (
    "Where do I find the exit?",
    "What is your name, and what do you do here all day?",
    "Tell me something nice.",
    "How is the weather in there?",
    "Do you know when the next train leaves?",
    "My daughter wants to know whether you sleep at night.",
    "Why are you in this box?",
    "Sing something!",
)
CHARACTERS = ("kiosk-white.yaml", "kiosk-sakura.yaml", "kiosk-bloodsucker.yaml")


def visits_of_day(chance: random.Random, expected: int) -> Iterator[Visit]:
    """The visits of one day at one screen, about `expected` of them, in order."""
    whole = sum(BY_HOUR)
    for hour, weight in enumerate(BY_HOUR):
        count = sum(chance.random() < weight / whole for _ in range(expected))
        for at in sorted(chance.uniform(0, 3600) for _ in range(count)):
            yield _visit(chance, hour * 3600 + at)


def _visit(chance: random.Random, at: float) -> Visit:
    called = chance.random() > 0.1
    remarks = [_remark(chance) for _ in range(chance.choice((1, 1, 2, 2, 3, 5)))]
    switches: tuple[str, ...] = ()
    if called and chance.random() < 0.15:
        switches = tuple(chance.choice(CHARACTERS) for _ in range(chance.choice((1, 1, 2, 3))))
    return Visit(
        at,
        called,
        tuple(remarks),
        switches,
        chance.choices(("end word", "walks away", "walks away in mid-reply"), (5, 4, 1))[0],
        chance.choices(("", "polite", "abrupt"), (90, 6, 4))[0],
        bored=chance.random() < 0.1,
        browses=chance.random() < 0.05,
    )


def _remark(chance: random.Random) -> Remark:
    hiccup: Hiccup = chance.choice(HICCUPS) if chance.random() < 0.04 else ""
    return Remark(
        chance.choice(SAYINGS),
        hiccup,
        interrupted=not hiccup and chance.random() < 0.08,
        picture=chance.random() < 0.03,
    )
