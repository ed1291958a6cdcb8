"""Tests of the pauses between attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from greenroom.live.sources.backoff import Backoff, Pauses


def test_doubles_up_to_the_longest():
    """Each failure in a row doubles the pause, until it is the longest."""
    backoff = Backoff(Pauses(first=1, longest=10, healthy=60), random=lambda: 1.0)
    assert [backoff.lost(0) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert backoff.failures == 6


def test_a_healthy_connection_starts_anew():
    """After a connection that held long enough, the pause is short again; a brief one changes nothing."""
    backoff = Backoff(Pauses(first=1, longest=100, healthy=60), random=lambda: 1.0)
    for _ in range(5):
        backoff.lost(0)
    assert backoff.lost(59.9) == 32
    assert backoff.lost(60) == 1


def test_half_of_it_is_random():
    """Two sources that were cut off together do not come back together."""
    low = Backoff(Pauses(first=8), random=lambda: 0.0).lost(0)
    high = Backoff(Pauses(first=8), random=lambda: 1.0).lost(0)
    assert (low, high) == (4, 8)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_never_beyond_the_longest(failures: int, luck: float):
    """However often it fails, the pause is positive and at most the longest."""
    backoff = Backoff(Pauses(), random=lambda: luck)
    pauses = [backoff.lost(0) for _ in range(failures)]
    assert 0 < min(pauses) <= max(pauses) <= Pauses().longest
