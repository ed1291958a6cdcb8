"""Tests of the generated types of the ops room."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.server.ops import messages
from greenroom.server.ops.schema import main, typescript

PAGE_TYPES = Path(__file__).parents[3] / "web" / "src" / "ops.generated.ts"


def test_page_types_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """The types the page compiles against are those of the message classes."""
    assert main(["--check", str(PAGE_TYPES)]) == 0, capsys.readouterr().err


def test_every_event_has_its_type() -> None:
    """The stream's events are told apart by name, each with its own interface."""
    text = typescript()
    for name, cls in messages.EVENTS.items():
        assert f"  {name}: {cls.__name__};" in text
        assert f"export interface {cls.__name__} {{" in text


def test_fields_are_documented_and_always_there() -> None:
    """What a field means stands above it, and none is optional: the server leaves nothing out."""
    text = typescript()
    assert "  /** How late the loop came to a timer. */\n  loop_lag_ms: number;" in text
    assert "  reply_ms_p50: number | null;" in text
    assert "?:" not in text


def test_a_stale_file_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check names the command that makes the file anew."""
    path = tmp_path / "types.ts"
    assert main(["--typescript", str(path)]) == 0
    assert main(["--check", str(path)]) == 0
    path.write_text(path.read_text("utf-8") + " ", "utf-8")
    assert main(["--check", str(path)]) == 1
    assert f"python -m greenroom.server.ops.schema --typescript {path}" in capsys.readouterr().err
