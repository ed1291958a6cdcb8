"""Tests of seats.py."""

from __future__ import annotations

from greenroom.config.settings import LimitSettings
from greenroom.sessions.seats import Seats

LIMITS = LimitSettings(max_connections=3, max_connections_per_address=2)


def test_in_all_and_by_address() -> None:
    """Beyond either there is no room, until somebody goes; a home is what the server says it is."""
    seats = Seats(lambda address: address[:1])
    for address in ("a1", "a2"):
        assert seats.refusal(LIMITS, address, exempt=False) is None
        seats.take(address)
    assert seats.refusal(LIMITS, "a3", exempt=False) == (1008, "2 connections from one address are the limit")
    assert seats.refusal(LIMITS, "a3", exempt=True) is None
    seats.take("b")
    refusal = seats.refusal(LIMITS, "c", exempt=True)
    assert refusal == (1013, "3 connections are open, which is the limit; try again later")
    for address in ("a1", "a2", "b"):
        seats.give_back(address)
    assert (len(seats), seats.from_address("a1"), seats._homes) == (0, 0, {})
