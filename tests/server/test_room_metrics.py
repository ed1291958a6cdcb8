"""What a scrape reads about rooms, and that a closed room leaves no series."""

from __future__ import annotations

from tests.helpers.stage import Stage, staged
from tests.live.theatre import Theatre

from greenroom.server.metrics import Metrics
from greenroom.server.ops.recorder import Recorder
from greenroom.server.room_metrics import RoomCollector


def series(metrics: Metrics) -> dict[str, float]:
    """All samples about rooms, by name and labels."""
    lines = [line for line in metrics.text().decode().splitlines() if line.startswith("greenroom_room_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@staged
async def test_made_up_names_are_bounded(stage: Stage) -> None:
    """Beyond so many names, over all time, rooms share their series: a scrape never learns more names."""
    async with Theatre(stage, rooms={"grace_seconds": 0}) as theatre:
        metrics = Metrics(Recorder(100, 10))
        metrics.registry.register(RoomCollector(theatre.rooms.statistics, 2))
        for number in range(4):
            seats = [theatre.enter(f"room{number}{word}") for word in "abc"]
            for seat in seats[1:]:
                await seat.say("one")
                await seat.say("two")
            found = series(metrics)
            names = {name.partition('room="')[2].partition('"')[0] for name in found}
            if number == 0:
                assert names == {"room0a", "room0b", "(others)"}
                assert found['greenroom_room_waiting{room="(others)"}'] == 1
            else:
                assert names == {"(others)"}
                assert found['greenroom_room_viewers{room="(others)"}'] == 3
                assert found['greenroom_room_waiting{room="(others)"}'] == 2
                assert found['greenroom_room_messages_total{room="(others)",what="accepted"}'] == 4
            for seat in seats:
                seat.leave()
            await stage.advance(0.1)


@staged
async def test_each_open_room_has_its_series(stage: Stage) -> None:
    """Waiting, age, accepted and dropped by reason, time to start, conversation time; gone when it closes."""
    async with Theatre(
        stage, rooms={"grace_seconds": 0}, queue={"per_sender": 1, "merge_seconds": 5}
    ) as theatre:
        metrics = Metrics(Recorder(100, 10))
        metrics.watch_rooms(theatre.rooms.statistics)
        assert series(metrics) == {}
        a, b = theatre.enter("red"), theatre.enter("blue")
        await a.say("one")
        await stage.stream()
        await a.say("two")
        await a.say("two")
        await a.say("three")
        await stage.advance(7)
        found = series(metrics)
        assert found['greenroom_room_viewers{room="red"}'] == 1
        assert found['greenroom_room_waiting{room="red"}'] == 1
        assert found['greenroom_room_oldest_seconds{room="red"}'] == 7
        assert found['greenroom_room_messages_total{room="red",what="accepted"}'] == 2
        assert found['greenroom_room_messages_total{room="red",what="merged"}'] == 1
        assert found['greenroom_room_messages_total{room="red",what="sender-full"}'] == 1
        await a.send("interrupt-signal", text="")
        await theatre.reply()
        found = series(metrics)
        assert found['greenroom_room_start_seconds_sum{room="red"}'] == 7
        assert found['greenroom_room_start_seconds_count{room="red"}'] == 2
        assert found['greenroom_room_conversations_total{how="interrupted",room="red"}'] == 1
        assert found['greenroom_room_conversation_seconds_sum{room="red"}'] == 7
        assert found['greenroom_room_waiting{room="blue"}'] == 0
        a.leave()
        await stage.advance(0.1)
        assert not [name for name in series(metrics) if "red" in name]
        b.leave()
        await stage.advance(0.1)
        assert series(metrics) == {}
