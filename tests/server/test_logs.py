"""Tests of logs.py."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.server.logs import Sparing, printable


def test_a_stranger_s_path_steers_no_terminal() -> None:
    """Control characters are shown, not sent; all else stays, and tracebacks keep their lines."""
    event = {"path": "/\x1b]0;x\x07\n\x9b", "name": "小绿 é", "n": 3, "exception": "a\nb"}
    assert printable(None, "", dict(event)) == event | {"path": r"/\x1b]0;x\x07\n\x9b"}


def test_nonsense_of_strangers_does_not_fill_the_disk() -> None:
    """Fifty lines at once and five a second; what was left out is told, and errors always come through."""
    now = 0.0
    sparing = Sparing(lambda: now)

    def record(level: int = logging.WARNING) -> logging.LogRecord:
        return logging.LogRecord("uvicorn.error", level, "", 0, "Invalid HTTP request received.", (), None)

    assert sum(sparing.filter(record()) for _ in range(1000)) == 50
    assert sparing.filter(record(logging.ERROR))
    now = 1.0
    said = [one.getMessage() for one in (record() for _ in range(100)) if sparing.filter(one)]
    assert (
        said
        == ["Invalid HTTP request received. (950 more warnings before)"]
        + ["Invalid HTTP request received."] * 4
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes a device that is always full")
def test_a_full_disk_does_not_change_the_exit_code() -> None:
    """What could not be logged is given up at the end; without that Python exits with 120."""
    lines = ("from greenroom.server.logs import configure_logs", "configure_logs('info', as_json=True)",
             "import logging", "logging.getLogger('greenroom').warning('x')")  # fmt: skip
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", "\n".join(lines)], stderr=full, env=buffered)
    assert done.returncode == 0
