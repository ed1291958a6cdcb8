"""One viewer: frames in order, and who counts as too slow."""

from __future__ import annotations

import pytest
from tests.live.theatre import FakeSocket

from greenroom.live import viewer as module
from greenroom.live.viewer import Viewer
from greenroom.protocol import server_messages as s

FRAME = b'{"type":"heartbeat-ack"}'


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def watching(max_bytes: int = 1000) -> tuple[Viewer, FakeSocket]:
    socket = FakeSocket()
    return Viewer("v", "10.0.0.1", socket, str.encode, max_bytes=max_bytes, drain_seconds=10), socket


async def test_messages_of_its_own_go_between_the_others(clock: Clock) -> None:
    """What it alone is sent takes its place among the broadcasts."""
    viewer, socket = watching()
    assert viewer.write(FRAME)
    await viewer.send(s.HeartbeatAck())
    viewer.send_now(s.QueueState(position=1, waiting=2))
    assert [frame["type"] for frame in socket.frames] == ["heartbeat-ack", "heartbeat-ack", "queue-state"]
    assert viewer.received == 3


def test_one_that_takes_nothing_is_dropped(clock: Clock) -> None:
    """After the drain time with the same bytes unsent, not before."""
    viewer, socket = watching()
    assert viewer.write(FRAME)
    socket.unsent = len(FRAME)
    assert viewer.write(FRAME)
    socket.unsent += len(FRAME)
    clock.now += 9.9
    assert viewer.write(FRAME)
    socket.unsent += len(FRAME)
    clock.now += 0.2
    assert not viewer.write(FRAME)
    assert socket.dropped == [(1013, "reads too slowly")]
    assert viewer.dropped
    assert not viewer.write(FRAME)
    assert len(socket.frames) == 3


def test_a_slow_line_is_no_dead_one(clock: Clock) -> None:
    """It is never empty, but always takes something: it stays, for as long as its lag is bounded."""
    viewer, socket = watching()
    for _ in range(100):
        assert viewer.write(FRAME)
        socket.unsent = len(FRAME)
        clock.now += 5
    assert socket.dropped == []


def test_a_lag_is_bounded(clock: Clock) -> None:
    """Beyond so many unsent bytes it is dropped at once."""
    viewer, socket = watching(max_bytes=100)
    socket.unsent = 100
    assert not viewer.write(FRAME)
    assert socket.dropped == [(1013, "reads too slowly")]


def test_an_empty_buffer_forgets_the_past(clock: Clock) -> None:
    """Two short lags far apart are no long one."""
    viewer, socket = watching()
    viewer.write(FRAME)
    socket.unsent = 10
    viewer.write(FRAME)
    socket.unsent = 0
    viewer.write(FRAME)
    clock.now += 1000
    socket.unsent = 10
    assert viewer.write(FRAME)
