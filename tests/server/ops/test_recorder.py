"""Tests of what is written down as it happens."""

from __future__ import annotations

from greenroom.server.ops.recorder import MOST_REPLIES, Recorder, percentile
from greenroom.sessions.services import TurnEnd
from greenroom.tasks import CloseReport, JobInfo


def turn(first: float | None = 0.25, *, visit: bool = True, how: str = "finished") -> TurnEnd:
    return TurnEnd(how, first, 1.5, visit, "White")


def report(scope: str, *lost: JobInfo) -> CloseReport:
    return CloseReport(scope, "closed by the page", 0.0125, 3, 1, lost, 2)


def awake(visits: int = 5, closes: int = 3) -> Recorder:
    recorder = Recorder(visits, closes, now=lambda: 1000.04)
    recorder.awake = True
    return recorder


def test_visits_are_numbered() -> None:
    """The first turn of each page is a visit; the log keeps the latest ones, by column."""
    recorder = awake()
    for number in range(7):
        recorder.turn_began()
        recorder.turn_ended(turn(number / 10))
        recorder.turn_began()
        recorder.turn_ended(turn(visit=False))
    recorder.turn_began()
    recorder.turn_ended(turn(None, how="cut off"))
    assert recorder.visits_total == 8
    visits = recorder.visits()
    assert visits.n == [4, 5, 6, 7, 8]
    assert visits.first_reply_ms == [300.0, 400.0, 500.0, 600.0, None]
    assert visits.reply_ms == [1500.0] * 5
    assert visits.how == ["finished"] * 4 + ["cut off"]
    assert visits.character == ["White"] * 5
    assert visits.t == [1000.0] * 5


def test_new_visits_alone() -> None:
    """What came after a number, also if some of it is forgotten already."""
    recorder = awake()
    for _ in range(3):
        recorder.turn_ended(turn())
    assert recorder.visits(since=3).n == []
    recorder.turn_ended(turn())
    assert recorder.visits(since=3).n == [4]
    assert recorder.visits(since=3).how == ["finished"]
    for _ in range(20):
        recorder.turn_ended(turn())
    assert recorder.visits(since=4).n == [20, 21, 22, 23, 24]


def test_the_warm_up_is_nobodys_visit() -> None:
    """Nothing is kept before the server is open."""
    recorder = Recorder(5, 3)
    recorder.turn_ended(turn())
    recorder.scope_closed(report("server/clients/client a"))
    assert (recorder.visits_total, recorder.closes_total) == (0, 0)


def test_replies_of_one_second() -> None:
    """Those of all turns; a flood is counted, but not kept whole."""
    recorder = awake()
    recorder.turn_ended(turn(0.1))
    recorder.turn_ended(turn(0.2, visit=False))
    recorder.turn_ended(turn(None))
    assert recorder.take_replies() == ([100.0, 200.0], 2)
    assert recorder.take_replies() == ([], 0)
    for _ in range(MOST_REPLIES + 10):
        recorder.turn_ended(turn(0.1))
    replies, count = recorder.take_replies()
    assert (len(replies), count) == (MOST_REPLIES, MOST_REPLIES + 10)


def test_closes_of_owners_are_kept() -> None:
    """Those of clients and rooms, with what was abandoned; not those of what they owned."""
    recorder = awake()
    lost = JobInfo("server/clients/client a/turns", "turn", "site", "running", 1.0)
    recorder.scope_closed(report("server/clients/client a/turns", lost))
    recorder.scope_closed(report("server/clients/client a", lost))
    (close,) = recorder.closes.since(0)
    assert close.owner == "server/clients/client a"
    assert close.abandoned == ["server/clients/client a/turns/turn"]
    assert (close.duration_ms, close.ended, close.dropped, close.reason) == (12.5, 3, 1, "closed by the page")
    for number in range(5):
        recorder.scope_closed(report(f"server/rooms/room {number}"))
    assert recorder.closes_total == 6
    assert [close.owner[-1] for close in recorder.closes.since(1)] == ["2", "3", "4"]
    assert [close.owner[-1] for close in recorder.closes.since(5)] == ["4"]
    assert recorder.closes.since(6) == []


def test_it_tells_when_turns_run() -> None:
    """At the first one's beginning and the last one's end."""
    recorder = awake()
    told: list[int] = []
    recorder.on_turns = told.append
    recorder.turn_began()
    recorder.turn_began()
    recorder.turn_ended(turn())
    assert told == [1]
    recorder.turn_ended(turn())
    assert told == [1, 0]


def test_percentiles() -> None:
    """By the nearest rank; there is none of nothing."""
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([4.0, 1.0, 2.0, 3.0], 0.5) == 3.0
    assert percentile([float(value) for value in range(100)], 0.95) == 95.0
