"""Comments silence findings where they should, and are reported where they silence nothing."""

from __future__ import annotations

from greenroom.tasks.audit import Severity, audit_text

DROP = "import asyncio\nasync def f():\n"


def _rules(code: str) -> list[str]:
    return [item.rule for item in audit_text("x.py", code)]


def test_same_line() -> None:
    """a comment on the finding's line hides it."""
    assert (
        _rules(DROP + "    asyncio.create_task(g())  # greenroom: ignore[GA001] runs once at start\n") == []
    )


def test_line_above() -> None:
    """a comment block right above the statement hides its finding."""
    code = (
        DROP
        + "    # greenroom: ignore[GA001] runs once\n    # and ends by itself\n    asyncio.create_task(g())\n"
    )
    assert _rules(code) == []


def test_last_line_of_a_long_statement() -> None:
    """a comment at the end of a statement over several lines covers all of it."""
    code = DROP + "    asyncio.create_task(\n        g(),\n    )  # greenroom: ignore[GA001] once\n"
    assert _rules(code) == []


def test_other_rule_stays() -> None:
    """a comment for another rule hides nothing and is reported itself."""
    assert _rules(DROP + "    asyncio.create_task(g())  # greenroom: ignore[GA004] no\n") == [
        "GA001",
        "GA100",
    ]


def test_several_rules_in_one_comment() -> None:
    """each rule of a list counts; only the unused one is reported."""
    findings = audit_text("x.py", DROP + "    asyncio.create_task(g())  # greenroom: ignore[GA001, GA007]\n")
    assert [(item.rule, item.severity) for item in findings] == [("GA100", Severity.INFO)]
    assert "GA007" in findings[0].message


def test_whole_file() -> None:
    """ignore-file hides every finding of the rule in the file, and only of that rule."""
    code = "# greenroom: ignore-file[GA001] a demo\nimport asyncio, time\nasync def f():\n"
    code += "    asyncio.create_task(g())\n    asyncio.create_task(h())\n    time.sleep(1)\n"
    assert _rules(code) == ["GA010"]


def test_unknown_and_missing_ids() -> None:
    """a comment with an unknown id, or none, is reported in plain words."""
    code = "async def f():\n    pass  # greenroom: ignore[GA999]\n    pass  # greenroom: ignore\n"
    messages = [item.message for item in audit_text("x.py", code)]
    assert len(messages) == 2
    assert "GA999 is not a rule" in messages[0]
    assert "names no rule" in messages[1]


def test_text_in_a_string_is_no_comment() -> None:
    """the words inside a string neither hide nor are reported."""
    code = DROP + '    x = "# greenroom: ignore[GA001]"\n    asyncio.create_task(g(x))\n'
    assert _rules(code) == ["GA001"]


def test_not_selected_rule_is_not_called_unused() -> None:
    """a suppression of a rule that is switched off is not reported as unused."""
    code = "async def f():\n    pass  # greenroom: ignore[GA001]\n"
    assert audit_text("x.py", code, frozenset({"GA010", "GA100"})) == []
