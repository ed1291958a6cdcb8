"""Findings as text, JSON and SARIF 2.1.0, and the baseline file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from greenroom.tasks.audit.findings import RULES, Finding, Severity

_SARIF_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(findings: list[Finding], files: int, hidden: int = 0) -> str:
    """For people: one place per finding with its line of code and what to do; a sum at the end."""
    out: list[str] = []
    for item in findings:
        out.append(
            f"{item.path}:{item.line}:{item.col}: {item.severity.label} {item.rule} "
            f"({item.name}): {item.message}"
        )
        if item.code:
            out.append(f"    {item.code}")
        out.append(f"    fix: {item.remedy}")
    counts = Counter(item.severity for item in findings)
    parts = [_count(counts[level], level.label) for level in sorted(Severity, reverse=True) if counts[level]]
    summary = ", ".join(parts) if parts else "nothing found"
    out.append(f"{summary} in {_count(files, 'file')}")
    if hidden:
        out[-1] += f" ({hidden} below --min-severity; --min-severity info shows all)"
    return "\n".join(out) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 or noun == Severity.INFO.label else f"{number} {noun}s"


def as_json(findings: list[Finding], files: int) -> str:
    """For programs: `{"version": 1, "files": n, "counts": {...}, "findings": [...]}`."""
    body: dict[str, Any] = {
        "version": 1,
        "files": files,
        "counts": {
            "severity": _counts(item.severity.label for item in findings),
            "rule": _counts(item.rule for item in findings),
        },
        "findings": [
            {
                "path": _uri_path(item.path),
                "line": item.line,
                "col": item.col,
                "rule": item.rule,
                "name": item.name,
                "severity": item.severity.label,
                "message": item.message,
                "remedy": item.remedy,
                "code": item.code,
            }
            for item in findings
        ],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_sarif(findings: list[Finding]) -> str:
    """For code hosts and editors: SARIF 2.1.0 with one run."""
    ids = sorted(RULES)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "greenroom audit",
                "rules": [
                    {
                        "id": rule.id,
                        "name": "".join(part.capitalize() for part in rule.name.split("-")),
                        "shortDescription": {"text": rule.harm},
                        "help": {"text": rule.remedy},
                        "defaultConfiguration": {"level": _SARIF_LEVEL[rule.severity]},
                    }
                    for rule in (RULES[name] for name in ids)
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": item.rule,
                "ruleIndex": ids.index(item.rule),
                "level": _SARIF_LEVEL[item.severity],
                "message": {"text": f"{item.message}. Fix: {item.remedy}."},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": quote(_uri_path(item.path))},
                            "region": {
                                "startLine": item.line,
                                "startColumn": item.col,
                                **({"snippet": {"text": item.code}} if item.code else {}),
                            },
                        }
                    }
                ],
            }
            for item in findings
        ],
    }
    body = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _counts(items: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(items).items()))


def _uri_path(path: str) -> str:
    return Path(path).as_posix()


def write_baseline(path: Path, findings: list[Finding]) -> None:
    """Remember today's findings, so that only new ones are reported.

    A finding is known by file, rule and line of code, not by line number: edits elsewhere in the
    file do not bring it back.
    """
    counts = Counter(_fingerprint(item) for item in findings)
    known = [
        {"path": key[0], "rule": key[1], "code": key[2], "count": count}
        for key, count in sorted(counts.items())
    ]
    path.write_text(json.dumps({"version": 1, "known": known}, indent=2) + "\n", encoding="utf-8")


def without_baseline(path: Path, findings: list[Finding]) -> list[Finding]:
    """The findings that the baseline does not know.

    Raises:
        ValueError: the file is not a baseline; the message names it.
        OSError: it cannot be read.
    """
    try:
        body: Any = json.loads(path.read_text(encoding="utf-8"))
        known = Counter(
            {(str(e["path"]), str(e["rule"]), str(e["code"])): int(e["count"]) for e in body["known"]}
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a baseline of this audit ({error})") from error
    left: list[Finding] = []
    for item in findings:
        key = _fingerprint(item)
        if known[key] > 0:
            known[key] -= 1
        else:
            left.append(item)
    return left


def _fingerprint(item: Finding) -> tuple[str, str, str]:
    return _uri_path(item.path), item.rule, item.code
