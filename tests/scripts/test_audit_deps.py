"""The judgement over pip-audit's report: silence is no good news."""

from __future__ import annotations

import json

import audit_deps

GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


def judge(*packages: object) -> tuple[int, str]:
    code, lines = audit_deps.judge(json.dumps({"dependencies": packages}))
    return code, "\n".join(lines)


def test_nothing_known() -> None:
    """All were judged, none is vulnerable."""
    assert judge(GOOD, GOOD) == (0, "2 packages, no known vulnerability")


def test_a_vulnerability() -> None:
    """Named with its number and the version that mends it, also among packages that are unknown."""
    assert judge(GOOD, BAD, UNKNOWN) == (1, "b 2: PYSEC-1, mended in 3")


def test_what_was_not_judged_is_not_good() -> None:
    """A service that does not know the packages, knows none, or was not reached at all: exit code 2."""
    assert judge(GOOD, UNKNOWN)[0] == 2
    assert judge()[0] == 2
    assert audit_deps.judge("")[0] == 2
    assert audit_deps.judge("[]")[0] == 2
