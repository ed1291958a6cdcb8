"""Tests of refusal_log.py."""

from __future__ import annotations

from typing import Any

from greenroom.sessions.refusal_log import BURST, RefusalLog


class Lines:
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append({"event": event, **facts})


def test_a_flood_is_a_few_lines_and_a_count() -> None:
    """The first are logged; the next one after a pause tells how many were not."""
    now = [0.0]
    log, lines = RefusalLog(lambda: now[0]), Lines()
    for _ in range(1000):
        log.warn(lines, "path", "refused", reason="path")
    assert len(lines.lines) == BURST
    now[0] = 2.0
    log.warn(lines, "path", "refused", reason="path")
    assert lines.lines[-1] == {"event": "refused", "reason": "path", "unlogged_before": 1000 - BURST}
    now[0] = 4.0
    log.warn(lines, "path", "refused", reason="path")
    assert "unlogged_before" not in lines.lines[-1]


def test_one_kind_does_not_hide_another() -> None:
    """A flood of pictures by address leaves room for who tries to come in by another origin."""
    log, lines = RefusalLog(lambda: 0.0), Lines()
    for _ in range(1000):
        log.warn(lines, "image address", "refused")
    log.warn(lines, "origin", "refused", reason="origin")
    assert lines.lines[-1] == {"event": "refused", "reason": "origin"}
