"""Tests of keyring.py."""

from __future__ import annotations

import hmac

import pytest

from greenroom.config.tokens import Token
from greenroom.server.security import keyring
from greenroom.server.security.keyring import MAX_ADDRESSES, MINUTE, Attempts, Key, Keyring, Sessions
from greenroom.server.security.logins import Logins


def test_every_token_is_compared_whichever_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time and to the end, so that time tells nothing about which was nearly right."""
    compared: list[tuple[int, int]] = []

    def counting(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return a == b

    monkeypatch.setattr(hmac, "compare_digest", counting)
    ring = Keyring([Token("a", "first-token-aaaaaaa"), Token("b", "second-token-bbbbbb", ops=True)])
    for shown in ("first-token-aaaaaaa", "second-token-bbbbbb", "", "x" * 5000):
        compared.clear()
        ring.find(shown)
        assert compared == [(32, 32)] * 2
    assert ring.find("second-token-bbbbbb") == Key("b", ops=True)
    assert (ring.for_visitors, ring.for_ops, ring.names) == (True, True, ("a", "b"))


def test_no_value_is_kept() -> None:
    """Neither of tokens nor of sessions: what is in memory opens nothing."""
    ring, sessions = Keyring([Token("a", "first-token-aaaaaaa")]), Sessions(10, 10.0, Logins())
    name = sessions.begin(Key("a"), 0.0)
    assert "first-token-aaaaaaa" not in repr(vars(ring))
    assert name not in repr(vars(sessions))
    assert "first-token" not in repr(Token("a", "first-token-aaaaaaa"))


def test_sessions_are_bounded() -> None:
    """The oldest goes; ended ones are forgotten when they are asked for."""
    sessions = Sessions(3, 10.0, Logins())
    names = [sessions.begin(Key("a"), float(n)) for n in range(5)]
    assert len(set(names)) == 5
    assert all(len(name) >= 43 for name in names)
    assert [sessions.find(name, 5.0) is not None for name in names] == [False, False, True, True, True]
    assert sessions.find(names[2], 12.0) is None
    sessions.end(names[3])
    sessions.end(names[3])
    assert len(sessions) == 1


def test_who_logs_in_over_and_over_logs_out_only_those_with_the_same_token() -> None:
    """The operator's session is the oldest and stays; nothing is kept of what has gone."""
    sessions = Sessions(10, 10.0, Logins())
    ops = sessions.begin(Key("ops", ops=True), 0.0)
    names = [sessions.begin(Key("visitors"), 1.0) for _ in range(50)]
    assert sessions.find(ops, 2.0) is not None
    assert [sessions.find(name, 2.0) is not None for name in names] == [False] * 41 + [True] * 9
    for name in (ops, *names):
        sessions.end(name)
    assert (len(sessions), sessions._by_token) == (0, {})


def test_passes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there can be children."""
    monkeypatch.setattr(keyring, "MAX_PASSES", 2)
    passes = keyring.Passes(Logins())
    values = [passes.issue("soak", seconds=10, now=0) for _ in range(3)]
    assert [passes.find(value, 1) is not None for value in values] == [False, True, True]


def test_attempts_are_counted_by_address_and_minute() -> None:
    """A new minute begins with the first wrong token after the old one."""
    attempts = Attempts(2)
    attempts.wrong("a", "one", 0.0)
    assert attempts.wait("a", 1.0) == 0
    attempts.wrong("a", "two", 30.0)
    assert attempts.wait("a", 31.0) == pytest.approx(29.0)
    assert attempts.wait("b", 31.0) == 0
    assert attempts.wait("a", MINUTE) == 0
    attempts.wrong("a", "three", MINUTE)
    assert attempts.wait("a", MINUTE) == 0


def test_the_same_wrong_token_counts_once() -> None:
    """An old token that is tried for ever locks nobody out; guesses beside it are counted as ever."""
    attempts = Attempts(3)
    for second in range(200):
        attempts.wrong("home", "the old token", float(second))
        assert attempts.wait("home", float(second)) == 0
    for guess in ("a", "b"):
        attempts.wrong("home", guess, 200.0)
    assert attempts.wait("home", 200.0) > 0
    assert "the old token" not in repr(attempts._wrong)


def test_attempts_remember_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of addresses and of tokens: whoever has many pushes out his own old ones."""
    attempts = Attempts(1)
    for number in range(MAX_ADDRESSES + 5):
        attempts.wrong(str(number), "wrong", 0.0)
    assert attempts.wait("0", 1.0) == 0
    assert attempts.wait(str(MAX_ADDRESSES), 1.0) > 0
    monkeypatch.setattr(keyring, "MAX_REMEMBERED", 100)
    attempts = Attempts(40)
    for number in range(200):
        attempts.wrong(str(number // 40), str(number), 0.0)
    assert attempts._remembered == sum(len(one.shown) for one in attempts._wrong.values()) <= 100
    assert attempts.wait("4", 1.0) > 0
