"""Tests of rate_limit.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.sessions.rate_limit import RateLimit, size_of


def test_a_burst_is_free_then_the_rate_holds() -> None:
    """After the burst each message costs its share of a second; a pause earns the burst back, not more."""
    limit = RateLimit(10, 3, now=0)
    assert [limit.take(0) for _ in range(3)] == [0, 0, 0]
    assert limit.take(0) == pytest.approx(0.1)
    assert limit.take(0.1) == pytest.approx(0.1)
    assert [limit.take(100) for _ in range(3)] == [0, 0, 0]
    assert limit.take(100) > 0


@given(st.lists(st.floats(0, 2), max_size=200), st.floats(0.5, 100), st.integers(1, 50))
def test_who_waits_as_told_keeps_the_rate(pauses: list[float], rate: float, burst: int) -> None:
    """In any stretch of time there are at most a burst and the rate's share of messages."""
    limit = RateLimit(rate, burst, now=0)
    now = 0.0
    times: list[float] = []
    for pause in pauses:
        now += pause
        now += limit.take(now)
        times.append(now)
    for first in range(0, len(times), 7):
        for last in range(first, len(times), 5):
            assert last - first + 1 <= burst + (times[last] - times[first]) * rate + 1.001


def test_what_is_given_back_can_be_taken_again() -> None:
    """Giving back undoes one take, and never leaves more than the burst."""
    limit = RateLimit(10, 2, 0)
    for _ in range(100):
        assert limit.take(0) == 0
        limit.give_back()
    limit.give_back()
    assert [limit.take(0) for _ in range(2)] == [0, 0]
    assert limit.take(0) > 0


def test_much_can_be_taken_at_once() -> None:
    """Bytes instead of messages: a whole message counts at once, and what is owed is waited for."""
    limit = RateLimit(100, 50, now=0)
    assert limit.take(0, 50) == 0
    assert limit.take(0, 200) == pytest.approx(2.0)


def test_a_size_is_in_bytes() -> None:
    """Of what came over the wire, whatever the language, half a surrogate pair included."""
    for text in ("", "hello", "说" * 1000, "é", "🙂", "{" + "a" * 100_000 + "说"):
        assert size_of(text) == len(text.encode())
    assert size_of(b"\xff\xfe") == 2
    assert size_of("\ud800") == 3
