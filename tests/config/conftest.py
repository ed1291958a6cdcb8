"""Fixtures of the configuration's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.config.rooms import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """An empty data folder."""
    return Room(tmp_path)
