"""Tests of a soak as lines of JSON."""

from __future__ import annotations

import io
import json

from greenroom.lab.lines import Lines
from greenroom.lab.record import Run, Visit
from greenroom.lab.verdict import judge


def test_each_visit_is_a_line() -> None:
    """Told once each, then the verdict in both languages."""
    out = io.StringIO()
    lines, run = Lines(out), Run("ws://x", "mixed")
    run.visits.append(Visit(1, "polite", first_reply=0.25))
    lines(run)
    run.visits += [Visit(2, "early"), Visit(3, "polite", error="lost")]
    lines(run)
    lines(run)
    lines.verdict(run, judge(run))
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("visit") for line in told] == [1, 2, 3, None]
    assert told[0] == {"visit": 1, "manner": "polite", "first_reply": 0.25, "error": None}
    verdict = told[3]["verdict"]
    assert (verdict["outcome"], verdict["exit_code"], verdict["causes"]) == ("not enough visits", 3, [])
    assert set(verdict["headline"]) == {"en", "zh"}
