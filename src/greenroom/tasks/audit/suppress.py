"""Comments that silence findings: `# greenroom: ignore[GA003] reason`.

On the finding's line or in the comment lines right above it; `ignore-file[...]` anywhere in the file
silences the whole file. A suppression that hides nothing is reported, so that none outlives its
reason.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field

from greenroom.tasks.audit.findings import RULES, Finding

_MARK = re.compile(r"#\s*greenroom:\s*(ignore-file|ignore)\s*(?:\[([^\]]*)\])?")


@dataclass(eq=False)
class Suppression:
    """One comment. `lines` are the lines it covers; empty means the whole file."""

    line: int
    col: int
    rules: frozenset[str]
    lines: frozenset[int]
    used: set[str] = field(default_factory=set[str])

    def hides(self, finding: Finding) -> bool:
        """True when the comment covers this finding; remembers that it did."""
        if finding.rule not in self.rules or (self.lines and finding.line not in self.lines):
            return False
        self.used.add(finding.rule)
        return True


def read(source: str, tree: ast.AST) -> list[Suppression]:
    """All suppressions of a file. `tree` tells which lines one simple statement spans."""
    if "greenroom:" not in source:
        return []
    spans = _spans(tree)
    found: list[Suppression] = []
    comment_lines: set[int] = set()
    marks: list[tuple[tokenize.TokenInfo, re.Match[str], bool]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                if alone:
                    comment_lines.add(token.start[0])
                match = _MARK.search(token.string)
                if match:
                    marks.append((token, match, alone))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return []  # what ast accepts and tokenize does not has no comments we could trust
    for token, match, alone in marks:
        line = token.start[0]
        rules = frozenset(item.strip().upper() for item in (match[2] or "").split(",") if item.strip())
        lines: frozenset[int] = frozenset()
        if match[1] == "ignore":
            target = line
            while alone and target in comment_lines:
                target += 1
            first, last = spans.get(target, (target, target))
            lines = frozenset(range(first, last + 1))
        found.append(Suppression(line, token.start[1] + 1, rules, lines))
    return found


def _spans(tree: ast.AST) -> dict[int, tuple[int, int]]:
    """For every line of a simple statement, the statement's first and last line."""
    spans: dict[int, tuple[int, int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.end_lineno is not None:
            for line in range(node.lineno, node.end_lineno + 1):
                spans[line] = (node.lineno, node.end_lineno)
    return spans


def _hidden(finding: Finding, suppressions: list[Suppression]) -> bool:
    hidden = False
    for mark in suppressions:  # no early end: every comment that covers it counts as used
        hidden = mark.hides(finding) or hidden
    return hidden


def apply(
    path: str,
    findings: Iterable[Finding],
    suppressions: list[Suppression],
    active: frozenset[str],
    lines: list[str],
) -> list[Finding]:
    """The findings that are left, and one GA100 for each suppression of an active rule that hid nothing."""
    left = [finding for finding in findings if not _hidden(finding, suppressions)]
    rule = RULES["GA100"]
    for mark in suppressions:
        problems = [
            f"{name} is not a rule of this audit" if name not in RULES else f"{name} finds nothing here"
            for name in sorted(mark.rules - mark.used)
            if name in active or name not in RULES
        ]
        if not mark.rules:
            problems = ["the suppression names no rule: write ignore[GA001] with the ids meant"]
        for problem in problems:
            code = lines[mark.line - 1].strip() if mark.line <= len(lines) else ""
            left.append(
                Finding(path, mark.line, mark.col, "GA100", rule.severity, problem, rule.remedy, code)
            )
    return left
