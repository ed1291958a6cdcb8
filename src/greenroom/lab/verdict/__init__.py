"""What a run means: a trend for each figure, and the likely causes with their evidence. No I/O."""

from greenroom.lab.verdict.causes import Cause, find_causes
from greenroom.lab.verdict.figures import FIGURES, Figure, Point
from greenroom.lab.verdict.judge import Verdict, judge
from greenroom.lab.verdict.trend import Status, Trend, trend

__all__ = [
    "FIGURES",
    "Cause",
    "Figure",
    "Point",
    "Status",
    "Trend",
    "Verdict",
    "find_causes",
    "judge",
    "trend",
]
