"""Files are found once and read as Python reads them; what cannot be read is reported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenroom.tasks.audit import audit_file, audit_paths, files

DROP = "import asyncio\nasync def f():\n    asyncio.create_task(g())\n"


def test_walk_skips_what_is_not_source(tmp_path: Path) -> None:
    """hidden folders, caches, virtual environments and other files are left out."""
    for name in ("a.py", "pkg/b.py", ".git/c.py", "pkg/__pycache__/d.py", "node_modules/e.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(DROP)
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "env" / "f.py").write_text(DROP)
    found = [Path(path).relative_to(tmp_path).as_posix() for path in files.walk([tmp_path])]
    assert sorted(found) == ["a.py", "pkg/b.py"]


def test_walk_takes_named_files_and_each_once(tmp_path: Path) -> None:
    """a file named directly is read whatever its name, and a second mention adds nothing."""
    script = tmp_path / "tool"
    script.write_text(DROP)
    assert list(files.walk([script, script, tmp_path])) == [str(script)]


@pytest.mark.parametrize("pattern", ["vendor", "vendor/*", "*/x.py", "x.py", "vendor/"])
def test_exclude(tmp_path: Path, pattern: str) -> None:
    """a glob matches a path, a folder of it, or its last name."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "x.py").write_text(DROP)
    (tmp_path / "y.py").write_text(DROP)
    assert [Path(path).name for path in files.walk([tmp_path], [pattern])] == ["y.py"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symlinks")
def test_symlink_loops_end(tmp_path: Path) -> None:
    """a folder that links to its parent and a link that points to itself are survived."""
    (tmp_path / "a.py").write_text(DROP)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.py").symlink_to(tmp_path / "self.py")
    assert audit_paths([tmp_path]).files == 1


def test_missing_path() -> None:
    """a path that does not exist is named in the error."""
    with pytest.raises(FileNotFoundError, match="no-such-place"):
        audit_paths(["no-such-place"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"async def f(:\n", "syntax error"),
        (b"import asyncio\nprint 'Python 2'\n", "syntax error for Python 3."),
        (b"# coding: nonsense-8\nasync def f(): pass\n", "cannot decode"),
        (b"async def f(): '\xff'\n", "cannot decode"),
        (b"async def f():\n\tpass\n        pass\n", "syntax error"),
        (b"async def f(): pass\n\x00", ""),
        (b"async def f():\n    return " + b"(" * 5000 + b")" * 5000 + b"\n", ""),
        (b"async def f():\n    return " + b"-" * 50_000 + b"1\n", ""),
    ],
)
def test_odd_files_are_reported(tmp_path: Path, data: bytes, reason: str) -> None:
    """files that Python cannot read give one GA000 that says why, never an exception."""
    path = tmp_path / "odd.py"
    path.write_bytes(data)
    findings = audit_file(str(path))
    assert [item.rule for item in findings] == ["GA000"]
    assert reason in findings[0].message


def test_old_code_without_async_is_passed_over(tmp_path: Path) -> None:
    """a Python 2 file that only talks about async holds nothing to audit and stops no audit."""
    path = tmp_path / "old.py"
    path.write_text("# not async\nprint 'hello'\nconsume(async=True)\n")
    assert audit_file(str(path)) == []


def test_sync_code_that_starts_tasks(tmp_path: Path) -> None:
    """a file without the word async is audited when it starts tasks on a loop."""
    path = tmp_path / "plugin.py"
    path.write_text("class P:\n    def start(self):\n        self.loop.create_task(self.run())\n")
    assert [item.rule for item in audit_file(str(path))] == ["GA001"]


def test_deep_nesting_that_parses(tmp_path: Path) -> None:
    """a chain of thousands of attributes is either audited or reported, never a crash."""
    path = tmp_path / "deep.py"
    path.write_text(DROP + "    x" + ".a" * 3000 + "()\n    return " + "+".join(["1"] * 3000) + "\n")
    assert {item.rule for item in audit_file(str(path))} <= {"GA000", "GA001"}


def test_encodings(tmp_path: Path) -> None:
    """a BOM, a coding line and CRLF line ends are read; columns count characters."""
    code = "# coding: gb18030\r\nimport asyncio\r\nasync def f():\r\n    '你好'; asyncio.create_task(g())\r\n"
    (tmp_path / "gb.py").write_bytes(code.encode("gb18030"))
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbf" + DROP.encode())
    gb = audit_file(str(tmp_path / "gb.py"))
    assert [(item.line, item.col, item.rule) for item in gb] == [(4, 11, "GA001")]
    assert gb[0].code == "'你好'; asyncio.create_task(g())"
    assert [item.rule for item in audit_file(str(tmp_path / "bom.py"))] == ["GA001"]


def test_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """a file above the limit is reported with both sizes and not parsed."""
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    path = tmp_path / "big.py"
    path.write_text(DROP)
    (finding,) = audit_file(str(path))
    assert finding.rule == "GA000"
    assert "more than the 10" in finding.message


def test_directory_and_gone_file(tmp_path: Path) -> None:
    """a path that stopped being a readable file is reported."""
    assert [item.rule for item in audit_file(str(tmp_path))] == ["GA000"]
    assert [item.rule for item in audit_file(str(tmp_path / "gone.py"))] == ["GA000"]


def test_processes_find_the_same(tmp_path: Path) -> None:
    """two processes give the same findings in the same order as one."""
    for number in range(40):
        (tmp_path / f"m{number:02}.py").write_text(DROP)
    one, two = audit_paths([tmp_path], jobs=1), audit_paths([tmp_path], jobs=2)
    assert len(one.findings) == 40
    assert one == two
