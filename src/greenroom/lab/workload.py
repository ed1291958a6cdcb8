"""The workload of `greenroom compare`: who says what when, how long an answer takes, who leaves. Seeded.

A provider with few slots answers all pages. Pages come and go; some leave in the middle of an answer, as
visitors do; some conversations fail. Every strategy gets exactly the same plan.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkloadSettings:
    """What is played. Times in seconds of the played world, before scaling."""

    seed: int = 7
    pages: int = 40
    arrivals_per_second: float = 0.55
    messages_per_page: int = 3
    answer_seconds: float = 4.0
    """Mean length of an answer; single ones vary from a half to twice of it."""
    first_token_share: float = 0.2
    slots: int = 4
    """Answers the provider gives at once."""
    leave_share: float = 0.4
    """Pages that are closed in the middle of an answer."""
    fail_share: float = 0.05
    parallel: int = 5
    """The strategies' own limit on conversations at once (`max_concurrent_forwards`)."""


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """One message: when after its page's arrival, how long its answer takes, whether it fails."""

    number: int
    at: float
    seconds: float
    fails: bool


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """One page: when it comes, what it says, when after its arrival it goes (None: when all is said)."""

    number: int
    arrives: float
    messages: tuple[PlannedMessage, ...]
    leaves: float | None


@dataclass(frozen=True, slots=True)
class Workload:
    settings: WorkloadSettings
    pages: tuple[PlannedPage, ...] = field(default=())

    @property
    def messages(self) -> int:
        return sum(len(page.messages) for page in self.pages)


def plan(settings: WorkloadSettings) -> Workload:
    """The same settings give the same plan."""
    dice = random.Random(settings.seed)
    pages: list[PlannedPage] = []
    now = 0.0
    for number in range(settings.pages):
        now += dice.expovariate(settings.arrivals_per_second)
        messages: list[PlannedMessage] = []
        at = 0.2
        for index in range(settings.messages_per_page):
            seconds = settings.answer_seconds * dice.uniform(0.5, 2.0)
            messages.append(PlannedMessage(index, at, seconds, dice.random() < settings.fail_share))
            at += dice.expovariate(1 / (settings.answer_seconds * 1.5))
        leaves = (
            dice.uniform(1.0, settings.answer_seconds * 1.5) if dice.random() < settings.leave_share else None
        )
        pages.append(PlannedPage(number, now, tuple(messages), leaves))
    return Workload(settings, tuple(pages))
