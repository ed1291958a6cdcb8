"""The charts' data: for each figure the points of each run, and the line of its trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from greenroom.lab.record import Run
from greenroom.lab.table import MANNERS_ZH
from greenroom.lab.verdict import FIGURES, Point, Trend, Verdict

MOST_POINTS = 2000
"""In one chart; longer runs are thinned out evenly."""
BY_MANNER = ("first_reply", "whole_reply", "connect", "opened", "bystander", "cpu")


def charts(runs: Sequence[tuple[str, Run, Verdict]]) -> list[dict[str, Any]]:
    """One chart for each figure that any run has, in the order of the verdict."""
    found: list[dict[str, Any]] = []
    for name, figure in FIGURES.items():
        series: list[dict[str, Any]] = []
        for label, run, verdict in runs:
            points = _thin(figure.read(run))
            if not points:
                continue
            if len(runs) == 1 and name in BY_MANNER:
                series += _by_manner(points)
            else:
                series.append(_series(label, label, points, line=name not in BY_MANNER))
            if name in verdict.trends and verdict.trends[name].rises:
                series.append(_trend_line(label, points, verdict.trends[name]))
        if series:
            found.append(
                {
                    "name": name,
                    "unit": figure.unit,
                    "en": figure.title,
                    "zh": figure.title_zh,
                    "series": series,
                }
            )
    return found


def _thin(points: list[Point]) -> list[Point]:
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(index * step)] for index in range(MOST_POINTS)]


def _by_manner(points: list[Point]) -> list[dict[str, Any]]:
    """The points of each manner of visit; what went before does not matter here."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.stratum.partition(" after ")[0], []).append(point)
    return [
        _series(manner, MANNERS_ZH.get(manner, manner), group, line=False) for manner, group in groups.items()
    ]


def _series(en: str, zh: str, points: list[Point], *, line: bool) -> dict[str, Any]:
    xs, ys = [point.visit for point in points], [round(point.value, 6) for point in points]
    return {"en": en, "zh": zh, "kind": "line" if line else "points", "x": xs, "y": ys}


def _trend_line(label: str, points: list[Point], found: Trend) -> dict[str, Any]:
    xs = sorted({point.visit for point in points})
    if found.status == "step" and found.at is not None:
        ys = [found.level + (found.change if x >= found.at else 0.0) for x in xs]
    else:
        ys = [found.level + found.per_100 / 100 * (x - xs[0]) for x in xs]
    name = f"{label}: " if label else ""
    return {
        "en": f"{name}trend",
        "zh": f"{name}趋势",
        "kind": "trend",
        "x": xs,
        "y": [round(y, 6) for y in ys],
    }
