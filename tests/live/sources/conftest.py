"""Fixtures of the live chat tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.services import require
from tests.live.sources.irc_server import IrcServer, irc_server


@pytest.fixture
def irc(tmp_path: Path) -> Iterator[IrcServer]:
    """A real IRC server of its own."""
    with irc_server(require("ngircd"), tmp_path) as server:
        yield server
