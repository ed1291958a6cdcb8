"""Numbers and curves as short texts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

BARS = "▁▂▃▄▅▆▇█"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def sparkline(values: Sequence[float | None], width: int, *, floor: float = 0.0) -> str:
    """The last `width` values as bars from `floor` to the highest of them; a gap where there is none."""
    shown = values[-width:] if width > 0 else []
    there = [value for value in shown if value is not None]
    if not there:
        return ""
    top = max(*there, floor + 1e-9)
    return "".join(
        " " if value is None else BARS[min(7, int((max(value, floor) - floor) / (top - floor) * 7.999))]
        for value in shown
    )


def squeezed(values: Sequence[float | None], width: int) -> list[float | None]:
    """As many values as there is room for: each the median of some in a row, so that the whole curve shows."""
    if width <= 0 or len(values) <= width:
        return list(values)[: max(0, width)]
    found: list[float | None] = []
    for index in range(width):
        part = values[index * len(values) // width : (index + 1) * len(values) // width]
        there = [value for value in part if value is not None]
        found.append(median(there) if there else None)
    return found


def duration(seconds: float) -> str:
    """`850 ms`, `4.2 s`, `3 min`, `5 h 20 min`, `3 d 4 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"
    return f"{seconds // DAY:.0f} d {seconds % DAY // HOUR:.0f} h"


def milliseconds(value: float | None) -> str:
    """`256 ms`, `1.50 s`; a dash if there is none."""
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.2f} s"


def latest(values: Sequence[float | None]) -> float | None:
    """The last value that is there."""
    return next((value for value in reversed(values) if value is not None), None)
