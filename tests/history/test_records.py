"""Names, times and cursors."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.history import HistoryError, new_history_uid
from greenroom.history.records import local_iso, micros, place_of, read_place


def test_new_history_uid_has_the_known_shape() -> None:
    """A new uid is the date, the time and 32 hex digits, and never twice the same."""
    now = datetime(2025, 8, 1, 7, 9, 3, 999)
    first, second = new_history_uid(now), new_history_uid(now)
    assert re.fullmatch(r"2025-08-01_07-09-03_[0-9a-f]{32}", first)
    assert first != second


def test_times_come_back_as_local_time_without_zone() -> None:
    """A naive moment comes back as it was, to the second; an aware one in local time."""
    assert local_iso(micros(datetime(2025, 8, 11, 12, 39, 31, 5))) == "2025-08-11T12:39:31"
    aware = datetime(2025, 8, 11, 12, 0, tzinfo=timezone(timedelta(hours=5)))
    assert local_iso(micros(aware)) == aware.astimezone().replace(tzinfo=None).isoformat()


@pytest.mark.parametrize(
    "moment", [datetime(1969, 12, 1), datetime.max, datetime.min, datetime.max.replace(tzinfo=UTC)]
)
def test_impossible_times_are_refused(moment: datetime) -> None:
    """A moment that could not be shown again is refused when it comes in."""
    with pytest.raises(ValueError, match="between 1970 and the year 9999"):
        micros(moment)


@given(st.integers(0, 2**59), st.integers(1, 2**59))
def test_a_place_survives_its_text(updated: int, row: int) -> None:
    """read_place returns what place_of was given."""
    assert read_place(place_of(updated, row)) == (updated, row)


@pytest.mark.parametrize(
    "text", ["", "x", "1", "1.", ".1", "-1.2", "1.2.3", "1.2\n", "f" * 16 + ".1", "１.２"]
)
def test_a_made_up_place_is_refused(text: str) -> None:
    """A cursor that no page gave out is refused with a clear error."""
    with pytest.raises(HistoryError, match="not the `next` of an earlier page") as caught:
        read_place(text)
    assert caught.value.kind == "cursor"
