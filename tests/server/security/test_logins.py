"""What is open by virtue of a log-in or a pass is closed with it."""

from __future__ import annotations

import asyncio

from greenroom.server.security.keyring import Key, Passes, Sessions
from greenroom.server.security.logins import Logins, Ticket


class One:
    def __init__(self) -> None:
        self.dropped: tuple[int, str] | None = None

    def drop(self, code: int, reason: str) -> None:
        self.dropped = code, reason


def opened(logins: Logins, ticket: Ticket | None) -> One:
    assert ticket is not None
    one = One()
    logins.add(ticket, one)
    return one


async def test_logging_out_closes_what_that_log_in_opened() -> None:
    """And nothing of other log-ins with the same token."""
    logins = Logins(lambda: 0.0)
    sessions = Sessions(10, 60.0, logins)
    mine, other = (sessions.begin(Key("a"), 0.0) for _ in range(2))
    a, b, c = (opened(logins, sessions.ticket(name)) for name in (mine, mine, other))
    gone = opened(logins, sessions.ticket(mine))
    logins.discard(gone)
    sessions.end(mine)
    sessions.end(mine)
    for one in (a, b):
        assert one.dropped is not None
        assert one.dropped[0] == 1008
        assert one.dropped[1].startswith("logged out")
    assert (gone.dropped, c.dropped, len(logins)) == (None, None, 1)
    logins.discard(c)
    logins.discard(a)
    assert (len(logins), logins._open) == (0, {})


async def test_a_log_in_that_runs_out_or_is_pushed_out_closes_them() -> None:
    """By the clock, without anybody asking for it; and when there are too many."""
    logins = Logins(lambda: 0.0)
    short, few = Sessions(10, 0.0, logins), Sessions(1, 60.0, logins)
    by_clock = opened(logins, short.ticket(short.begin(Key("a"), 0.0)))
    pushed = opened(logins, few.ticket(few.begin(Key("a"), 0.0)))
    few.begin(Key("a"), 1.0)
    assert pushed.dropped is not None
    for _ in range(3):
        await asyncio.sleep(0)
    assert by_clock.dropped is not None


async def test_logging_in_anew_keeps_the_open_pages() -> None:
    """They belong to the new log-in, and are closed with it."""
    logins = Logins(lambda: 0.0)
    sessions = Sessions(10, 60.0, logins)
    first = sessions.begin(Key("a"), 0.0)
    page = opened(logins, sessions.ticket(first))
    second = sessions.begin(Key("ops", ops=True), 1.0, instead_of=first)
    assert page.dropped is None
    assert sessions.find(first, 1.0) is None
    sessions.end(second)
    assert page.dropped is not None


async def test_a_pass_that_is_revoked_closes_its_connections() -> None:
    """A soak's visitors leave when the soak ends."""
    logins = Logins(lambda: 0.0)
    passes = Passes(logins)
    value = passes.issue("soak", seconds=60, now=0.0)
    assert passes.ticket("another") is None
    one = opened(logins, passes.ticket(value))
    passes.revoke(value)
    assert one.dropped is not None
    assert len(logins) == 0
