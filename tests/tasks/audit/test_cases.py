"""Small programs, each with one shape: found where it harms, silent where it does not.

The programs stand in cases/: positive.txt and negative.txt hold one shape each, the *_variants.txt the same
defects as other people write them, and their sound twins. A positive one marks its findings
(`#! GA001 error`) and must have exactly those; a negative one must have none of warning or error
severity.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from greenroom.tasks.audit import RULES, Severity, audit_text

_MARK = re.compile(r"#!\s*(GA\d+)\s+(\w+)")


@dataclass(frozen=True)
class Case:
    """One program. `expected` holds (line, rule, severity) of each mark in it."""

    name: str
    code: str
    expected: tuple[tuple[int, str, str], ...]


def _load(name: str) -> list[Case]:
    text = (Path(__file__).parent / "cases" / f"{name}.txt").read_text(encoding="utf-8")
    cases: list[Case] = []
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, code = part.partition("\n")
        marks = tuple(
            (number, rule, severity)
            for number, line in enumerate(code.split("\n"), 1)
            for rule, severity in _MARK.findall(line)
        )
        cases.append(Case(title.strip(), code, marks))
    return cases


POSITIVE = _load("positive") + _load("positive_variants")
NEGATIVE = _load("negative") + _load("negative_variants")


@pytest.mark.parametrize("case", POSITIVE, ids=lambda case: case.name)
def test_positive(case: Case) -> None:
    """every marked line is found with its rule and severity, and no other error or warning is."""
    findings = audit_text(f"{case.name}.py", case.code)
    wanted = Counter(case.expected)
    got = Counter((item.line, item.rule, item.severity.label) for item in findings)
    assert not wanted - got, f"missed {wanted - got}, got {got}"
    assert {key for key in got - wanted if key[2] != "info"} == set()


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case.name)
def test_negative(case: Case) -> None:
    """nothing of warning or error severity is said about sound code."""
    findings = audit_text(f"{case.name}.py", case.code)
    assert [item for item in findings if item.severity >= Severity.WARNING] == []


def test_every_rule_has_cases() -> None:
    """each rule of the audit proper is held by at least two positive cases."""
    seen: Counter[str] = Counter()
    for case in POSITIVE:
        seen.update({rule for _, rule, _ in case.expected})
    assert [rule for rule in RULES if rule not in {"GA000", "GA100"} and seen[rule] < 2] == []
