"""Tests of inbox.py."""

from __future__ import annotations

from greenroom.server.inbox import Inbox


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class One:
    def __init__(self, home: str) -> None:
        self.home = home
        self.out: tuple[int, str] | None = None

    def turn_out(self, code: int, reason: str) -> None:
        self.out = code, reason


def inbox(most: int) -> tuple[Inbox, list[str], Clock]:
    refused: list[str] = []
    clock = Clock()
    return Inbox(most, 60, refused.append, lambda *_: None, clock=clock), refused, clock


def test_what_is_dealt_with_is_forgotten() -> None:
    """Holding nothing leaves no entry behind."""
    found, refused, _ = inbox(100)
    one = One("a")
    for size in (0, 50, 100, 20, 0, 0):
        found.hold(one, size)
    assert (found.total, len(found), refused) == (0, 0, [])


def test_the_address_that_holds_most_loses() -> None:
    """However small the share of each of its connections is; an honest picture from elsewhere stays."""
    found, refused, clock = inbox(100)
    honest = One("honest")
    many = [One("hostile") for _ in range(20)]
    found.hold(many[0], 4)
    clock.now = 1.0
    found.hold(honest, 40)
    for one in many[1:]:
        found.hold(one, 4)
    assert found.total <= 100
    assert honest.out is None
    assert many[0].out is not None
    assert many[0].out[0] == 1013
    assert refused == ["inbox full"] * 5


def test_who_holds_long_goes_before_who_holds_much() -> None:
    """Behind one address: what was begun long ago in order to be held, not the picture of this moment."""
    found, _, clock = inbox(100)
    idle, picture = One("home"), One("home")
    found.hold(idle, 40)
    clock.now = 30.0
    found.hold(picture, 70)
    assert idle.out is not None
    assert picture.out is None


def test_the_largest_of_one_moment_goes() -> None:
    """When nobody has held anything for any time."""
    found, _, _ = inbox(100)
    small, large = One("home"), One("home")
    found.hold(small, 20)
    found.hold(large, 90)
    assert small.out is None
    assert large.out is not None


def test_a_late_message_is_named() -> None:
    """Its connection is closed for breaking a rule, which is counted, and what it held is forgotten."""
    found, refused, _ = inbox(100)
    one = One("home")
    found.hold(one, 10)
    found.late(one)
    assert one.out == (1008, "a message took longer than 60 s to arrive")
    assert (found.total, refused) == (0, ["slow message"])
