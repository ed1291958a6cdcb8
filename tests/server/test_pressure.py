"""Tests of pressure.py."""

from __future__ import annotations

import pytest

from greenroom.server.pressure import MIB, Pressure


def test_without_limits_everybody_comes_in() -> None:
    """No limit on memory or descriptors: nothing is refused, nothing is read."""

    def unread() -> int:
        raise AssertionError("read")

    pressure = Pressure(0, None, rss=unread)
    assert pressure.refusal(1_000_000) is None
    assert pressure.memory() is None


@pytest.mark.parametrize(("limit", "reserve"), [(64, 16), (1024, 128), (1_048_576, 256)])
def test_some_descriptors_are_kept_back(limit: int, reserve: int) -> None:
    """An eighth of them, 16 to 256: the last one before that comes in, the next is told how to raise the limit."""
    pressure = Pressure(0, limit)
    assert pressure.refusal(limit - reserve - 1) is None
    refusal = pressure.refusal(limit - reserve)
    assert refusal is not None
    assert refusal[0] == 1013
    assert "ulimit -n" in refusal[1]


def test_a_connection_without_a_descriptor() -> None:
    """Where the number is not known only memory counts."""
    assert Pressure(0, 64).refusal(None) is None


def test_memory_is_read_a_few_times_a_second_at_most() -> None:
    """A thousand connections in one instant cause one reading; a quarter of a second later there is another."""
    now, readings = 10.0, 0

    def rss() -> int:
        nonlocal readings
        readings += 1
        return (500 if readings == 1 else 90) * MIB

    pressure = Pressure(100, None, rss=rss, clock=lambda: now)
    for _ in range(1000):
        assert pressure.refusal(5) == (1013, "the server uses 500 MiB, of 100 allowed; try again later")
    assert readings == 1
    now += 0.25
    assert pressure.refusal(5) is None
    assert readings == 2


def test_the_reason_fits_into_a_close_frame() -> None:
    """A WebSocket close reason has 123 bytes at most."""
    descriptors = Pressure(0, 9_999_999).refusal(9_999_999)
    memory = Pressure(9_999_999, None, rss=lambda: 10**15).refusal(1)
    for refusal in (descriptors, memory):
        assert refusal is not None
        assert len(refusal[1].encode()) <= 123
