"""Tests of the event stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from greenroom.server.ops.broadcast import HEAD, LAST_CHUNK, Broadcast, Full, chunk, event


class FakeTransport(asyncio.Transport):
    """A connection whose far end reads, or does not."""

    def __init__(self, *, reads: bool = True) -> None:
        self.written: list[bytes] = []
        self.unread = 0
        self.reads = reads
        self.state = "open"

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert self.state == "open"
        self.written.append(data)
        if not self.reads:
            self.unread += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.state != "open"

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def stage(clock: Callable[[], float], limit: int = 3) -> Broadcast:
    return Broadcast(limit, max_bytes=1000, max_seconds=30, clock=clock)


def test_events_are_server_sent_events() -> None:
    """Name, one line of JSON, an empty line; framed as a chunk of HTTP."""
    assert event("sample", {"t": 1}) == b'event: sample\ndata: {"t":1}\n\n'
    assert event("state", b"{}") == b"event: state\ndata: {}\n\n"
    assert chunk(b"x" * 300) == b"12c\r\n" + b"x" * 300 + b"\r\n"


def test_all_get_the_same_bytes(clock: Clock) -> None:
    """They are encoded once; one who has left gets nothing more."""
    broadcast = stage(clock)
    first, second = FakeTransport(), FakeTransport()
    subscriber = broadcast.join(first, b"hello")
    broadcast.join(second, b"hello")
    assert first.written == [chunk(HEAD + b"hello")]
    broadcast.send(b"one")
    assert first.written[-1] is second.written[-1]
    broadcast.leave(subscriber)
    broadcast.leave(subscriber)
    broadcast.send(b"two")
    assert (len(first.written), len(second.written), len(broadcast)) == (2, 3, 1)


def test_only_so_many_may_watch(clock: Clock) -> None:
    """A place that is given up can be taken again."""
    broadcast = stage(clock, limit=1)
    subscriber = broadcast.join(FakeTransport(), b"")
    assert broadcast.full
    with pytest.raises(Full, match="1 watch already"):
        broadcast.join(FakeTransport(), b"")
    broadcast.leave(subscriber)
    broadcast.join(FakeTransport(), b"")


def test_one_that_leaves_too_much_unread_is_dropped(clock: Clock) -> None:
    """And only that one; the connection is cut, not closed politely."""
    broadcast = stage(clock)
    slow, quick = FakeTransport(reads=False), FakeTransport()
    broadcast.join(slow, b"")
    broadcast.join(quick, b"")
    for _ in range(10):
        broadcast.send(b"x" * 300)
    assert slow.state == "aborted"
    assert len(slow.written) < 6
    assert quick.state == "open"
    assert len(quick.written) == 11
    assert (len(broadcast), broadcast.dropped) == (1, 1)


def test_one_that_reads_nothing_for_long_is_dropped(clock: Clock) -> None:
    """Slow reading is fine as long as it goes on."""
    broadcast = stage(clock)
    stuck, slow = FakeTransport(reads=False), FakeTransport(reads=False)
    broadcast.join(stuck, b"")
    broadcast.join(slow, b"")
    for _ in range(35):
        clock.now += 1
        broadcast.send(b"x")
        slow.unread = max(0, slow.unread - 10)
    assert (stuck.state, slow.state) == ("aborted", "open")


def test_one_that_was_away_for_a_moment_stays(clock: Clock) -> None:
    """What counts is the time since it last read, not since something was left."""
    broadcast = stage(clock)
    transport = FakeTransport(reads=False)
    broadcast.join(transport, b"")
    for _ in range(10):
        clock.now += 20
        broadcast.send(b"x")
        transport.unread = 0
    assert transport.state == "open"


def test_one_whose_connection_ends_is_forgotten(clock: Clock) -> None:
    """It is no slow reader."""
    broadcast = stage(clock)
    transport = FakeTransport()
    broadcast.join(transport, b"")
    transport.close()
    broadcast.send(b"x")
    assert (len(broadcast), broadcast.dropped) == (0, 0)


def test_closing_completes_the_streams(clock: Clock) -> None:
    """A reader gets the end of the body; one that does not read is cut off, for the server must not wait."""
    broadcast = stage(clock)
    reader, stuck = FakeTransport(), FakeTransport(reads=False)
    broadcast.join(reader, b"")
    broadcast.join(stuck, b"")
    broadcast.close()
    assert reader.written[-1] == LAST_CHUNK
    assert (reader.state, stuck.state) == ("closed", "aborted")
    with pytest.raises(Full):
        broadcast.join(FakeTransport(), b"")
    broadcast.send(b"late")
