"""The whole verdict: a trend for each figure that was measured, the causes, and one word for all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from greenroom.lab.record import Run
from greenroom.lab.verdict.causes import Cause, find_causes
from greenroom.lab.verdict.figures import FIGURES, WARM_UP
from greenroom.lab.verdict.trend import Point, Trend

Outcome = Literal["flat", "growing", "not enough visits"]
NEEDED = ("first_reply",)
"""Figures without which nothing can be called flat."""
COUNTED = ("whole_reply", "memory", "threads", "fds", "children")
"""Figures that must be shown to be flat, where they were measured at all."""
CUT_OFF = 0.05
"""Share of visits that may time out before replies are called saturated."""
HELD = ("memory", "fds", "threads", "tasks")
"""What connections hold that have vanished, as long as the server cannot know it."""
TALK = ("polite", "patient", "late", "burst", "switch", "room")


@dataclass(frozen=True)
class Verdict:
    """What a run comes to."""

    outcome: Outcome
    trends: dict[str, Trend] = field(default_factory=dict)
    """By figure; only of those that were measured."""
    causes: list[Cause] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    """Figures that are neither flat nor harmless."""

    @property
    def exit_code(self) -> int:
        """0 flat, 1 growing or with a cause named, 3 not enough visits."""
        return {"flat": 0, "growing": 1, "not enough visits": 3}[self.outcome]


def judge(run: Run) -> Verdict:
    """Judge a run."""
    trends: dict[str, Trend] = {}
    for name, figure in FIGURES.items():
        if name in HELD and _were_held(run):
            continue
        points = figure.read(run)
        if points:
            trends[name] = figure.judge(run, points)
    _cut_off(run, trends)
    causes = find_causes(run, trends)
    failing = [name for name, found in trends.items() if _fails(name, found)]
    unclear = [name for name, found in trends.items() if found.status == "not enough visits"]
    if failing or causes:
        outcome: Outcome = "growing"
    elif any(name not in trends for name in NEEDED) or set(unclear) & {*NEEDED, *COUNTED}:
        outcome = "not enough visits"
    else:
        outcome = "flat"
    return Verdict(outcome, trends, causes, failing)


def _were_held(run: Run) -> bool:
    """Whether peers that the lab itself made vanish held files and memory, and have been let go at the end."""
    if run.mode != "half-open":
        return False
    fds = [sample.fds for sample in run.samples if sample.visit > WARM_UP and sample.fds is not None]
    return len(fds) < 2 or fds[-1] - fds[0] <= 0.3 * (max(fds) - fds[0]) + FIGURES["fds"].absolute


def _fails(name: str, found: Trend) -> bool:
    if found.status == "growing":
        return True
    if found.status == "step":
        return FIGURES[name].step_matters
    return found.status == "saturated" and name in ("first_reply", "whole_reply")


def _cut_off(run: Run, trends: dict[str, Trend]) -> None:
    """Replies that did not come in time have no figure: they would make a dying server look flat."""
    asked = [visit for visit in run.visits if visit.number > WARM_UP and visit.sent]
    late = [visit for visit in asked if visit.timed_out and visit.first_reply is None]
    if len(late) < 2 or len(late) < CUT_OFF * len(asked):
        return
    points = [
        Point(visit.number, run.patience if visit.first_reply is None else visit.first_reply)
        for visit in asked
        if visit.manner in TALK and (visit.first_reply is not None or visit.timed_out)
    ]
    found = FIGURES["first_reply"].judge(run, points)
    trends["first_reply"] = Trend(
        "saturated",
        found.points,
        found.level,
        found.change,
        found.per_100,
        found.low,
        found.high,
        late[0].number,
    )
