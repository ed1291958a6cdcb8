"""Tests of logs.py."""

from __future__ import annotations

from greenroom.server.logs import printable


def test_a_stranger_s_path_steers_no_terminal() -> None:
    """Control characters are shown, not sent; all else stays, and tracebacks keep their lines."""
    event = {"path": "/\x1b]0;x\x07\n\x9b", "name": "小绿 é", "n": 3, "exception": "a\nb"}
    assert printable(None, "", dict(event)) == event | {"path": r"/\x1b]0;x\x07\n\x9b"}
