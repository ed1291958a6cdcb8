"""Properties of the whole audit: it never crashes, never runs code, and repeats itself exactly."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.tasks.audit import RULES, audit_text

HERE = Path(__file__).parent


def test_code_is_not_run(tmp_path: Path) -> None:
    """the audited code is neither imported nor executed."""
    mark = tmp_path / "mark"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).write_text('ran')\nasync def f(): pass\n"
    assert audit_text("x.py", code) == []
    assert not mark.exists()


def test_findings_are_sorted_and_stable() -> None:
    """the same text gives the same findings, in order of place, without doubles."""
    text = (HERE / "cases" / "positive.txt").read_text(encoding="utf-8")
    code = "\n".join(line for line in text.split("\n") if not line.startswith("### "))
    once = audit_text("x.py", code)
    assert once == audit_text("x.py", code)
    assert once == sorted(set(once))
    assert len(once) > 30


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_part_of_a_program(data: st.DataObject) -> None:
    """whatever parses is audited without an exception: random statements, cut out and joined."""
    text = (HERE / "cases" / "positive.txt").read_text(encoding="utf-8")
    text += (HERE / "cases" / "negative.txt").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if not line.startswith("### ")]
    start = data.draw(st.integers(0, len(lines) - 1))
    length = data.draw(st.integers(1, 60))
    gap = data.draw(st.integers(0, 20))
    part = lines[start : start + length] + lines[start + length + gap : start + 2 * length + gap]
    for item in audit_text("x.py", "\n".join(part)):
        assert item.rule in RULES
        assert item.line >= 1
        assert item.col >= 1


def test_every_node_kind_is_survived() -> None:
    """syntax of every kind in odd places (match, walrus, star-except, class bodies) does not crash a rule."""
    code = """
import asyncio, contextlib
from asyncio import *
task = asyncio.create_task(f()) if x else None
a = b = asyncio.create_task(f())
(a, *b), c[0] = asyncio.create_task(f()), 1
class A[0] if False else object: ...
"""
    assert [item.rule for item in audit_text("x.py", code + "async def f(): pass")] == ["GA000"]
    code = """
import asyncio, contextlib
from asyncio import *
a = b = asyncio.create_task(f())
a, *b = asyncio.create_task(f()), 1
x.y.z = asyncio.create_task(f())
f().tasks.append(asyncio.create_task(f()))
{}[1] = asyncio.create_task(f())
asyncio.create_task()
asyncio.create_task(*args)
class A(b(), c.D, E[int]):
    asyncio.create_task(f())
    t: int = asyncio.create_task(f())
    lambda self: asyncio.create_task(f())
    async def m(*self, **cls):
        match self:
            case {"a": [asyncio.X, *rest]} if asyncio.create_task(f()):
                async with a as (b, c), d: pass
        try:
            await x
        except* asyncio.CancelledError:
            pass
        async for self.t in y: self.t = asyncio.create_task(f())
        while (n := await q.get()): await asyncio.sleep(n)
        while True: await asyncio.sleep()
        del self[0], self.x[1]
        self.x.pop(1)
        return (yield asyncio.create_task(f()))
"""
    ast.parse(code)
    assert "GA000" not in {item.rule for item in audit_text("x.py", code)}


def test_labels_are_well_formed() -> None:
    """the labels name known rules and stay within the false-alarm rate that the docs state."""
    packages = json.loads((HERE / "labels.json").read_text(encoding="utf-8"))["packages"]
    labels = [label for entry in packages.values() for label in entry["findings"]]
    assert all(rule in RULES and why for _, _, rule, _, why in labels)
    wrong = sum(not verdict for _, _, _, verdict, _ in labels)
    assert wrong / len(labels) <= 0.10


def test_own_code_is_clean() -> None:
    """the audit finds no error or warning in its own sources."""
    import greenroom.tasks.audit as package

    for path in sorted(Path(package.__file__).parent.glob("*.py")):
        found = audit_text(path.name, path.read_text(encoding="utf-8"))
        assert [item for item in found if item.severity > 1] == []
