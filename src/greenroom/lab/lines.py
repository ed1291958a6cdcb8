"""A soak as lines of JSON, for a program that watches it: each visit, then the verdict or the error."""

from __future__ import annotations

from typing import Any, TextIO

import msgspec

from greenroom.lab.record import Run
from greenroom.lab.verdict import Verdict
from greenroom.lab.wording import cause_lines, headline


class Lines:
    """Writes a line for each visit that is over; call it as `on_visit`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told = 0

    def __call__(self, run: Run) -> None:
        for visit in run.visits[self._told :]:
            self.write(
                visit=visit.number, manner=visit.manner, first_reply=visit.first_reply, error=visit.error
            )
        self._told = len(run.visits)

    def verdict(self, run: Run, verdict: Verdict) -> None:
        """Write the last line of a run that came to its end."""
        self.write(
            verdict={
                "outcome": verdict.outcome,
                "headline": {language: headline(verdict, run, language) for language in ("en", "zh")},
                "causes": _causes(verdict),
                "exit_code": verdict.exit_code,
            }
        )

    def write(self, **fields: Any) -> None:
        self._out.write(msgspec.json.encode(fields).decode() + "\n")
        self._out.flush()


def _causes(verdict: Verdict) -> list[dict[str, str]]:
    both = zip(cause_lines(verdict, "en"), cause_lines(verdict, "zh"), strict=True)
    return [
        {"name": name, "evidence": evidence, "name_zh": name_zh, "evidence_zh": evidence_zh}
        for (name, evidence), (name_zh, evidence_zh) in both
    ]
