"""The house rules that a machine can check, for every source file at once (see CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import bootstrap
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "greenroom"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MAX_LINES = 400
MAX_TEST_LINES = 800

#: Longer files, each with its reason. It is a debt: shorten one and the test asks to take it off the list.
LONGER: dict[str, str] = {}

#: Files below these may create tasks: the core, and the lab, which measures what happens to those who do.
MAY_CREATE_TASKS = ("src/greenroom/tasks/", "src/greenroom/lab/strategies")
TASK_MAKERS = {
    "create_task",
    "ensure_future",
    "TaskGroup",
    "gather",
    "run_coroutine_threadsafe",
    "as_completed",
}


def short(path: Path) -> str:
    """The path inside the project, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.expr) -> str:
    """`asyncio.sleep` for the expression that says so; empty for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else node.attr
    return ""


def made_tasks(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each call that makes an asyncio task."""
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "asyncio"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        head, _, last = name.rpartition(".")
        plain = imported.get(name)
        if (last in TASK_MAKERS and (head == "asyncio" or last == "create_task")) or plain in TASK_MAKERS:
            yield node.lineno, name


def polling_loops(tree: ast.AST) -> Iterator[int]:
    """Line of each endless loop that sleeps for a time and looks again."""
    for loop in ast.walk(tree):
        if not isinstance(loop, ast.While) or not isinstance(loop.test, ast.Constant):
            continue
        for node in ast.walk(loop):
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "sleep":
                zero = node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
                if not zero:
                    yield loop.lineno


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_only_the_task_core_creates_tasks(path: Path) -> None:
    """Every task belongs to a scope of greenroom.tasks, so nothing else makes one."""
    if short(path).startswith(MAY_CREATE_TASKS):
        return
    found = [f"{short(path)}:{line} {name}" for line, name in made_tasks(ast.parse(path.read_bytes()))]
    assert not found, f"start it in a TaskScope instead: {found}"


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_nothing_polls(path: Path) -> None:
    """No endless loop sleeps and looks again: it waits for an event, with a deadline."""
    if short(path).startswith("src/greenroom/lab/strategies"):
        return  # it measures what polling costs
    found = [f"{short(path)}:{line}" for line in polling_loops(ast.parse(path.read_bytes()))]
    assert not found


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("import asyncio\nasyncio.create_task(f())", [2]),
        ("from asyncio import ensure_future as go\n\ngo(f())", [3]),
        ("import asyncio\nasync def f(self):\n    self.loop.create_task(g())", [3]),
        ("import asyncio\nasync def f():\n    async with asyncio.TaskGroup(): ...", [3]),
        ("gathered = gather(path)\nscope.start(f)", []),
    ],
)
def test_the_rule_about_tasks_sees_them(code: str, lines: list[int]) -> None:
    """The check above finds tasks however they are made, and nothing else."""
    assert [line for line, _ in made_tasks(ast.parse(code))] == lines


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("while True:\n    await asyncio.sleep(0.1)", [1]),
        ("while 1:\n    if ready:\n        break\n    time.sleep(delay)", [1]),
        ("while True:\n    await asyncio.sleep(0)", []),
        ("while True:\n    await event.wait()", []),
        ("for delay in delays:\n    await asyncio.sleep(delay)", []),
    ],
)
def test_the_rule_about_polling_sees_it(code: str, lines: list[int]) -> None:
    """The check above tells polling from waiting."""
    assert list(polling_loops(ast.parse(code))) == lines


def test_files_stay_short() -> None:
    """A file that cannot be read in one sitting is split."""
    page = [path for path in (ROOT / "web" / "src").rglob("*.ts*") if ".generated." not in path.name]
    lengths = {path: len(path.read_bytes().splitlines()) for path in [*SOURCES, *TESTS, *page]}
    too_long = {
        short(path): count
        for path, count in lengths.items()
        if count > (MAX_TEST_LINES if path in TESTS else MAX_LINES)
    }
    assert not {name: count for name, count in too_long.items() if name not in LONGER}
    assert set(LONGER) <= set(too_long), "no longer long (or gone): take it off the list LONGER"


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_a_source_file_says_what_it_is_for(path: Path) -> None:
    """Every source file that holds code opens with a docstring."""
    tree = ast.parse(path.read_bytes())
    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("path", TESTS, ids=short)
def test_every_test_says_what_holds(path: Path) -> None:
    """Every test function has a docstring: what is true when it passes."""
    tree = ast.parse(path.read_bytes())
    silent = [
        f"{short(path)}:{node.lineno} {node.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent


@pytest.mark.parametrize("name", sorted(bootstrap.LOCKED))
def test_the_lock_is_fresh(name: str) -> None:
    """Each lock file was made from pyproject.toml as it is now; if not: make lock."""
    first = (bootstrap.LOCKS / f"{name}.txt").read_text(encoding="utf-8").splitlines()[0]
    assert first.endswith(bootstrap.inputs_hash()), "pyproject.toml has changed since: run make lock"


@pytest.mark.parametrize("name", sorted(bootstrap.LOCKED))
def test_the_lock_names_hashes_and_no_index(name: str) -> None:
    """Packages come from the index that a machine is set up for, and are what was locked."""
    text = (bootstrap.LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    packages = re.findall(r"^[a-z0-9][^\n]*==", text, re.MULTILINE)
    hashed = re.findall(r"^[a-z0-9][^\n]*== ?[^\n]* \\\n    --hash=sha256:", text, re.MULTILINE)
    assert packages
    assert len(packages) == len(hashed)


def test_the_page_lock_names_hashes_and_no_registry() -> None:
    """The same holds for the page's packages."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert not [name for name, entry in packages.items() if "resolved" in entry or "integrity" not in entry]


def test_the_page_has_words_for_every_error() -> None:
    """Each code that the server gives an error is a key of the page's words."""
    words = (ROOT / "web" / "src" / "i18n" / "en.ts").read_text(encoding="utf-8")
    codes: set[str] = set()
    for folder in ("sessions", "conversation", "live"):
        for path in (ROOT / "src" / "greenroom" / folder).rglob("*.py"):
            codes.update(re.findall(r'\bcode="([a-z-]+)"', path.read_text(encoding="utf-8")))
    assert {"agent", "busy", "init-failed"} <= codes
    assert not [code for code in sorted(codes) if f'"error.{code}"' not in words]
