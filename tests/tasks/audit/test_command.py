"""The command line: formats, filters, baseline, exit codes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.tasks.audit import RULES, main

CODE = """import asyncio
import time


class Box:
    def __init__(self):
        self.inbox = asyncio.Queue()

    async def go(self):
        asyncio.create_task(work())
        time.sleep(1)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with an error, a warning and an info."""
    path = tmp_path / "box 1.py"
    path.write_text(CODE)
    return path


def test_text(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """the text names place, severity, rule, code line and fix, and sums up."""
    assert main([str(source)]) == 1
    out = capsys.readouterr().out
    assert f"{source}:10:9: error GA001 (dropped-task): a task is started and dropped" in out
    assert "    asyncio.create_task(work())\n    fix: keep it" in out
    assert "1 error, 1 warning in 1 file (1 below --min-severity; --min-severity info shows all)" in out


def test_json(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """json carries every field and the counts, infos too when asked."""
    assert main([str(source), "--format", "json", "--min-severity", "info"]) == 1
    body = json.loads(capsys.readouterr().out)
    assert body["counts"]["severity"] == {"error": 1, "info": 1, "warning": 1}
    first = body["findings"][0]
    assert (first["line"], first["rule"], first["name"]) == (7, "GA011", "unbounded-queue")
    assert set(first) == {"path", "line", "col", "rule", "name", "severity", "message", "remedy", "code"}


def test_sarif(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """sarif has version, schema, all rules, and results that point into them with escaped addresses."""
    assert main([str(source), "--format", "sarif"]) == 1
    body = json.loads(capsys.readouterr().out)
    assert body["version"] == "2.1.0"
    assert body["$schema"].endswith("sarif-2.1.0.json")
    (run,) = body["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(RULES)
    assert len(run["results"]) == 2
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].endswith("box%201.py")
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        (["--select", "GA001"], {"GA001"}),
        (["--select", "dropped-task,ga011", "--min-severity", "info"], {"GA001", "GA011"}),
        (["--ignore", "GA001"], {"GA010"}),
        (["--min-severity", "error"], {"GA001"}),
    ],
)
def test_filters(
    source: Path, capsys: pytest.CaptureFixture[str], options: list[str], rules: set[str]
) -> None:
    """rules are chosen by id or name, findings by severity."""
    assert main([str(source), "--format", "json", *options]) == 1
    assert {item["rule"] for item in json.loads(capsys.readouterr().out)["findings"]} == rules


def test_exclude_and_clean_exit(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """nothing left to find is exit code 0."""
    assert main([str(source.parent), "--exclude", "box*"]) == 0
    assert "nothing found in 0 files" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "at least one file"),
        (["nowhere"], "nowhere: no such file"),
        (["--select", "GA999", "."], "unknown rule 'GA999'"),
        (["--min-severity", "bad", "."], "use error, warning or info"),
        (["--format", "xml", "."], "invalid choice"),
        (["--baseline", "missing.json", __file__], "missing.json"),
    ],
)
def test_wrong_calls(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    """a wrong call is exit code 2 and says on stderr what is wrong."""
    assert main(argv) == 2
    assert words in capsys.readouterr().err


def test_unreadable_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """a file that cannot be parsed makes the audit incomplete: exit code 2, unless ignored."""
    (tmp_path / "bad.py").write_text("async def f(:\n")
    assert main([str(tmp_path)]) == 2
    assert "GA000" in capsys.readouterr().out
    assert main([str(tmp_path), "--ignore", "GA000"]) == 0


def test_baseline(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """known findings stay silent also when lines move; a new one of the same kind is reported."""
    baseline = str(tmp_path / "known.json")
    assert main([str(source), "--write-baseline", baseline]) == 0
    source.write_text("# a line above\n" + CODE)
    assert main([str(source), "--baseline", baseline]) == 0
    source.write_text(CODE + "        asyncio.create_task(work())\n")
    capsys.readouterr()
    assert main([str(source), "--baseline", baseline]) == 1
    assert "1 error in 1 file" in capsys.readouterr().out


def test_broken_baseline(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """a file that is no baseline is named, not half used."""
    broken = tmp_path / "known.json"
    broken.write_text('{"known": [{"path": 1}]}')
    assert main([str(source), "--baseline", str(broken)]) == 2
    assert "not a baseline" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """--help is exit code 0 and shows calls that can be copied, each of which the parser takes."""
    assert main(["--help"]) == 0
    examples = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("  greenroom audit ")
    ]
    assert len(examples) >= 4
    for line in examples:
        words = shlex.split(line.partition("  #")[0].split("   ")[0].split(" > ")[0])[2:]
        assert main([*words, "--list-rules"]) == 0, line


def test_counts_read_as_english(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """the sum says `1 error` and `2 errors`."""
    source.write_text(CODE + CODE)
    assert main([str(source)]) == 1
    assert "2 errors, 2 warnings in 1 file" in capsys.readouterr().out


def test_list_rules(capsys: pytest.CaptureFixture[str]) -> None:
    """--list-rules prints every rule."""
    assert main(["--list-rules"]) == 0
    out = capsys.readouterr().out
    assert all(rule in out for rule in RULES)


def test_module_runs(source: Path) -> None:
    """python -m greenroom.tasks.audit works and hands back the exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "greenroom.tasks.audit", str(source), "--select", "GA001"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "GA001" in done.stdout
