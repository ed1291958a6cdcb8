"""A short evening at the kiosk of `benchmarks/kiosk`: nothing goes wrong, and nothing is left when it closes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kiosk.__main__ import run


async def test_every_visitor_of_a_short_evening_is_answered(tmp_path: Path) -> None:
    """Also those whose provider fails, who cut in, or who reload the page; each failure is told to whom it concerns."""
    record = await run(minutes=0.01, visits=6, seed=7, out=tmp_path / "kiosk.json")
    tally = record["tally"]
    assert tally["problems"] == []
    assert tally["turns"] > 20
    assert tally["switches"] > 0
    assert tally["hiccups"] > 0
    assert record["log_complaints"] == 0
    assert record["after"] == {"tasks": record["days"][0]["tasks"] - 3, "tidy": 0}
