"""Tests of numbers and curves as short texts."""

from __future__ import annotations

import pytest

from greenroom.server.ops.top.format import duration, latest, milliseconds, sparkline, squeezed


def test_curves() -> None:
    """From the floor to the highest value; gaps stay gaps; only the end is shown where room is short."""
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([None, 5, None], 10) == " █ "
    assert sparkline([1, 2, 4], 2) == "▄█"
    assert sparkline([0, 0], 5) == "▁▁"
    assert sparkline([-3, 3], 5) == "▁█"
    assert sparkline([None], 5) == sparkline([], 5) == sparkline([1], 0) == ""


def test_a_long_curve_is_squeezed() -> None:
    """Each value is the median of some in a row, so that one odd visit does not show."""
    assert squeezed([1.0, 2.0], 5) == [1.0, 2.0]
    assert squeezed([1.0, 1.0, 90.0, 2.0, 2.0, None], 2) == [1.0, 2.0]
    assert squeezed([None, None, 3.0, 3.0], 2) == [None, 3.0]
    assert len(squeezed([1.0] * 2000, 77)) == 77
    assert squeezed([1.0], 0) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.85, "850 ms"), (4.2, "4.2 s"), (200, "3 min"), (19_205, "5 h 20 min"), (273_700, "3 d 4 h")],
)
def test_durations(seconds: float, text: str) -> None:
    """In the units one would say."""
    assert duration(seconds) == text


def test_milliseconds() -> None:
    """Seconds from a thousand on; a dash for nothing."""
    assert [milliseconds(value) for value in (None, 255.6, 1500)] == ["–", "256 ms", "1.50 s"]
    assert latest([1.0, None]) == 1.0
    assert latest([]) is None
