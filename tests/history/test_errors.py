"""Tests of errors.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import get_args

import pytest

from greenroom.history.errors import HistoryBusy, HistoryError, Kind
from greenroom.history.sqlite import Sqlite

PLACE = Path("/home/owner/data/histories.sqlite3")


@pytest.mark.parametrize("kind", [kind for kind in get_args(Kind) if kind not in ("busy", "cursor")])
def test_what_a_client_reads_names_no_file(kind: Kind) -> None:
    """It says what happened and what the server's owner can do; the owner's text has the file."""
    error = HistoryError(f"history {PLACE}: disk I/O error", kind)
    for one in (error, error.again()):
        assert str(PLACE) in str(one)
        assert "/" not in one.public
        assert one.public
    if kind not in ("closed", "row", "other"):
        assert "the server's owner can" in error.public


def test_what_speaks_of_a_limit_is_told_as_it_is() -> None:
    """It names nothing but what the client sent, and the limit."""
    assert HistoryBusy("histories: 7 questions wait already; try again later").public.startswith(
        "histories: 7"
    )
    error = HistoryError("content: 9 characters; a stored message has 8 at most", "row", public=True)
    assert error.public == error.again().public == str(error)


@pytest.mark.parametrize("cause", [sqlite3.DataError("bad"), PermissionError(13, "denied", str(PLACE))])
def test_what_the_file_reports_names_it_only_to_the_owner(cause: Exception) -> None:
    """Errors of the driver and of the system often hold a path."""
    found = Sqlite(PLACE, synchronous="NORMAL", lock_timeout=1, max_bytes=None).explain(cause)
    assert str(PLACE) in str(found)
    assert "histories.sqlite3" not in found.public
