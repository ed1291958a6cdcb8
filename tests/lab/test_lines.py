"""Tests of a soak as lines of JSON."""

from __future__ import annotations

import io
import json
import re

from tests.lab.test_evidence import CAUSES, sound_run

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


def test_causes_are_told_in_both_languages() -> None:
    """Name and evidence of each, in English and in Chinese."""
    out, run = io.StringIO(), sound_run()
    CAUSES["the prompt"][0](run)
    Lines(out).verdict(run, judge(run))
    causes = json.loads(out.getvalue())["verdict"]["causes"]
    assert causes
    for cause in causes:
        assert set(cause) == {"name", "name_zh", "evidence", "evidence_zh"}
        assert not re.search(r"[\u4e00-\u9fff]", cause["name"] + cause["evidence"])
        assert re.search(r"[\u4e00-\u9fff]", cause["name_zh"])
