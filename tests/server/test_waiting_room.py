"""Tests of waiting_room.py."""

from __future__ import annotations

from greenroom.server.waiting_room import WaitingRoom


class One:
    def __init__(self) -> None:
        self.out = False

    def turn_out(self) -> None:
        self.out = True


def room(most: int) -> tuple[WaitingRoom, list[str]]:
    refused: list[str] = []
    return WaitingRoom(most, 1, 1, 1, refused.append), refused


def test_the_oldest_goes() -> None:
    """When there are too many, and it is counted."""
    found, refused = room(2)
    a, b, c = One(), One(), One()
    for one in (a, b, c):
        found.enter(one)
    assert [one.out for one in (a, b, c)] == [True, False, False]
    assert refused == ["too many half-open"]
    assert len(found) == 2


def test_whoever_waits_anew_is_the_youngest() -> None:
    """An idle connection that was served in between is not the oldest."""
    found, _ = room(2)
    a, b, c = One(), One(), One()
    for one in (a, b, a, c):
        found.enter(one)
    assert [one.out for one in (a, b, c)] == [False, True, False]


def test_leaving_twice_is_no_error() -> None:
    """And nobody is kept."""
    found, _ = room(2)
    a = One()
    found.enter(a)
    found.leave(a)
    found.leave(a)
    assert len(found) == 0
