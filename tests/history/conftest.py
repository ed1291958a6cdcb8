"""Stores for the tests: one in memory, one in a file, both closed afterwards."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from greenroom.history import HistoryStore


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves one of the store's threads behind."""
    before = set(threading.enumerate())
    yield
    left = [
        thread
        for thread in threading.enumerate()
        if thread not in before and thread.name.startswith("history-")
    ]
    for thread in left:
        thread.join(1)
    assert not [thread.name for thread in left if thread.is_alive()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a test's histories are to be."""
    return tmp_path / "data" / "histories.db"


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[HistoryStore]:
    """Open a store; each test that takes it runs in memory and in a file."""
    store = await HistoryStore.open(None if request.param == "memory" else file)
    yield store
    await store.aclose()


@pytest.fixture
async def file_store(file: Path) -> AsyncIterator[HistoryStore]:
    """Open a store in a file."""
    store = await HistoryStore.open(file)
    yield store
    await store.aclose()
