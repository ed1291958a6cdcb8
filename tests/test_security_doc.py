"""SECURITY.md keeps its word: every promise names its test, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "SECURITY.md"
NAMED = re.compile(r"`((?:tests|web/tests)/[\w/.-]+)::(\w+)`")


def promises() -> list[list[str]]:
    """The rows of the tables under "Promises"."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("\n## Promises\n")[2]
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in rows
        if not row.startswith("| Promise")
    ]


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_promise_names_its_test() -> None:
    """A promise, how it is kept, and at least one test."""
    assert len(promises()) > 10
    for row in promises():
        assert len(row) == 3, row
        assert all(row), row
        assert NAMED.search(row[2]), row


def test_the_tests_exist() -> None:
    """Each under the very name that the document gives."""
    missing = [
        f"{path}::{name}"
        for path, name in NAMED.findall(DOCUMENT.read_text(encoding="utf-8"))
        if not (ROOT / path).is_file() or name not in names_in(ROOT / path)
    ]
    assert not missing


def test_no_promise_is_made_twice() -> None:
    """Two rows with the same words are one promise."""
    words = [row[0] for row in promises()]
    assert len(words) == len(set(words))
