"""The audit itself: text in, findings out. Many files are shared among processes."""

from __future__ import annotations

import ast
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from greenroom.tasks.audit import files, suppress
from greenroom.tasks.audit.context import Context
from greenroom.tasks.audit.findings import RULES, Finding
from greenroom.tasks.audit.module import Module
from greenroom.tasks.audit.rule_calls import blocking, unbounded_queues
from greenroom.tasks.audit.rule_cancel import swallowed
from greenroom.tasks.audit.rule_dropped import dropped, unbounded_waiters
from greenroom.tasks.audit.rule_kept import kept_for_ever
from greenroom.tasks.audit.rule_maps import lookup_after_pop
from greenroom.tasks.audit.rule_outlives import not_cancelled
from greenroom.tasks.audit.rule_overwritten import overwritten
from greenroom.tasks.audit.rule_polling import polling
from greenroom.tasks.audit.rule_waits import close_without_deadline, errors_ignored

_CHECKS: dict[str, Callable[[Context], Iterator[Finding]]] = {
    "GA001": dropped,
    "GA002": kept_for_ever,
    "GA003": overwritten,
    "GA004": not_cancelled,
    "GA005": polling,
    "GA006": close_without_deadline,
    "GA007": errors_ignored,
    "GA008": swallowed,
    "GA009": lookup_after_pop,
    "GA010": blocking,
    "GA011": unbounded_queues,
    "GA012": unbounded_waiters,
}
ALL_RULES = frozenset(RULES)
_PARALLEL_FROM = 250
"""Below this many files starting a second process costs more than it saves."""


@dataclass
class Result:
    """What an audit of many files found."""

    files: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])


def audit_text(path: str, text: str, rules: frozenset[str] = ALL_RULES) -> list[Finding]:
    """Findings in one file's text, sorted by place. `path` is only used in the findings.

    Never raises for bad input: a file that cannot be parsed gives one GA000.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        module = Module(path, text, tree)
        context = Context(module)
        found = [item for rule, check in _CHECKS.items() if rule in rules for item in check(context)]
        marks = suppress.read(text, tree)
    except SyntaxError as error:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        reason = f"syntax error for Python {python}, which reads it here: {error.msg}"
        return _unreadable(path, files.Unreadable(reason, error.lineno or 1, error.offset or 1), rules)
    except (ValueError, RecursionError, MemoryError) as error:
        return _unreadable(path, files.Unreadable(f"cannot parse: {error}"), rules)
    left = suppress.apply(path, found, marks, rules, module.lines)
    return sorted({item for item in left if item.rule in rules})


def audit_file(path: str, rules: frozenset[str] = ALL_RULES) -> list[Finding]:
    """Findings in one file; a file that cannot be read gives one GA000."""
    try:
        source = files.read(path)
    except files.Unreadable as error:
        return _unreadable(path, error, rules)
    return [] if source is None else audit_text(path, source.text, rules)


def audit_paths(
    paths: Iterable[str | Path],
    *,
    rules: frozenset[str] = ALL_RULES,
    exclude: Sequence[str] = (),
    jobs: int | None = 1,
) -> Result:
    """Audit files and folders in `jobs` processes; None takes one a core for large trees.

    More than one process needs a main module that can be imported (`if __name__ == "__main__":`).

    Raises:
        FileNotFoundError: a given path does not exist.
    """
    todo = list(files.walk(paths, exclude))
    if jobs is None:
        jobs = min(os.cpu_count() or 1, 8) if len(todo) >= _PARALLEL_FROM else 1
    result = Result(files=len(todo))
    if jobs <= 1:
        for path in todo:
            result.findings += audit_file(path, rules)
    else:
        # spawn, not fork: the caller may have threads (an event loop's executor), and forking those hangs.
        start = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=start) as pool:
            for found in pool.map(audit_file, todo, [rules] * len(todo), chunksize=16):
                result.findings += found
    result.findings.sort()
    return result


def _unreadable(path: str, error: files.Unreadable, rules: frozenset[str]) -> list[Finding]:
    rule = RULES["GA000"]
    if rule.id not in rules:
        return []
    return [Finding(path, error.line, max(error.col, 1), rule.id, rule.severity, error.reason, rule.remedy)]
