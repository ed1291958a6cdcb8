"""All rooms: who gets in where, and that nothing of a closed room stays."""

from __future__ import annotations

import pytest
from tests.helpers.stage import Stage, staged
from tests.live.theatre import GREETING, Theatre

from greenroom.config.errors import ConfigError, Problem
from greenroom.live.rooms import RoomRefused


@staged
async def test_rooms_are_separate(stage: Stage) -> None:
    """What is said in one is neither seen nor remembered in another; both talk at once."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter("red"), theatre.enter("blue")
        await a.say("I am Anna")
        one = await stage.stream()
        await b.say("I am Bert")
        two = await stage.stream()
        assert ("user", "I am Anna") not in two.talk
        two.token("Hi Bert. ").end()
        one.token("Hi Anna. ").end()
        await stage.settle()
        assert "audio Hi Anna." in a.kinds()
        assert "audio Hi Anna." not in b.kinds()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "<script>", "a\nb", "main\n"])
@staged
async def test_a_name_that_is_none(stage: Stage, name: str) -> None:
    """It is refused with the rule for names, and no room is made."""
    async with Theatre(stage) as theatre:
        with pytest.raises(RoomRefused, match="letters, digits") as refused:
            theatre.enter(name)
        assert refused.value.code == 1008
        assert len(theatre.rooms) == 0


@staged
async def test_limits_are_told(stage: Stage) -> None:
    """Too many rooms and too many viewers are refused with the limit; when one leaves, another gets in."""
    async with Theatre(stage, rooms={"max_rooms": 2, "max_viewers": 1, "grace_seconds": 0}) as theatre:
        first = theatre.enter("one")
        theatre.enter("two")
        with pytest.raises(RoomRefused, match="2 rooms are open") as refused:
            theatre.enter("three")
        assert refused.value.code == 1013
        with pytest.raises(RoomRefused, match="1 viewers, which is the limit"):
            theatre.enter("one")
        first.leave()
        await stage.advance(0.1)
        theatre.enter("three")


@staged
async def test_an_empty_room_gives_up_its_place(stage: Stage) -> None:
    """At the limit the one left first goes, unless it has something to do; rooms with viewers never do."""
    async with Theatre(stage, rooms={"max_rooms": 3, "grace_seconds": 60}) as theatre:
        busy, idle, last = (theatre.enter(name) for name in ("busy", "idle", "last"))
        await busy.say("one")
        await stage.stream()
        for seat in (busy, idle, last):
            seat.leave()
        theatre.enter("new")
        await stage.settle()
        assert [room.name for room in theatre.rooms] == ["busy", "last", "new"]
        last = theatre.enter("last")
        with pytest.raises(RoomRefused, match="3 rooms are open"):
            theatre.enter("newer")
        last.leave()
        theatre.enter("newer")
        assert [room.name for room in theatre.rooms] == ["busy", "new", "newer"]
        await stage.advance(61)
        assert [room.name for room in theatre.rooms] == ["new", "newer"]


@staged
async def test_a_hundred_times_none_to_some(stage: Stage) -> None:
    """Rooms open and close again and again; afterwards there is nothing left of them."""
    async with Theatre(stage, rooms={"grace_seconds": 1}) as theatre:
        scopes = theatre.scope.statistics().scopes
        for number in range(100):
            seats = [theatre.enter(f"room{number % 3}") for _ in range(1 + number % 4)]
            await seats[0].say("hello")
            if number % 2:
                await theatre.reply()
            else:
                await stage.stream()
            assert seats[-1].kinds()[:5] == GREETING
            for seat in seats:
                seat.leave()
            if number % 5:
                await stage.advance(1.1)
        await stage.advance(2)
        assert len(theatre.rooms) == 0
        assert theatre.scope.statistics().scopes == scopes
        assert len(stage.services.registry) == 0
        assert not theatre.rooms._timers
        assert stage.services.scope.statistics().scopes == 1


@staged
async def test_a_character_that_cannot_be_loaded(stage: Stage) -> None:
    """The viewer is told, nothing half open stays, and the next one gets in when it is mended."""
    stage.expect_errors("a room could not be opened")
    async with Theatre(stage) as theatre:
        scopes = theatre.scope.statistics().scopes
        load = stage.characters.load

        def broken(filename: str) -> object:
            raise ConfigError([Problem("alpha.yaml", 1, "persona_prompt", "is missing")])

        stage.characters.load = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(RoomRefused, match="cannot open a room now"):
            theatre.enter()
        await stage.settle()
        assert theatre.scope.statistics().scopes == scopes
        stage.characters.load = load  # type: ignore[method-assign]
        assert theatre.enter().kinds() == GREETING


@staged
async def test_a_live_chat_speaks_into_a_room(stage: Stage) -> None:
    """Its messages queue like all others, with the sender's name; where nobody watches it is told so."""
    async with Theatre(stage) as theatre:
        assert not await theatre.rooms.hear("main", "twitch/1", "Kim", "hello", 0)
        a = theatre.enter()
        assert await theatre.rooms.hear("main", "twitch/1", "Kim", "hello", 0)
        await theatre.reply()
        assert "user-input-transcription Kim: hello" in a.kinds()
        a.leave()
        assert not await theatre.rooms.hear("main", "twitch/1", "Kim", "hello", 0)
        assert stage.meter.refusals == ["live chat without viewers"] * 2


@staged
async def test_a_stop_tells_who_waits(stage: Stage) -> None:
    """Without a journal those who wait are told; nobody gets in, and no conversation begins any more."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await a.say("one")
        await b.say("two")
        b.new()
        theatre.rooms.stop()
        assert b.kinds() == ["queue-dropped room-closed"]
        with pytest.raises(RoomRefused, match="restarting"):
            theatre.enter()
        await theatre.reply()
        await b.say("three")
        assert b.kinds()[-1] == "queue-dropped room-closed"
        assert len(stage.engine().streams) == 1


@staged
async def test_rooms_close_at_the_same_time(stage: Stage) -> None:
    """All viewers are sent away, all conversations end."""
    theatre = Theatre(stage)
    async with theatre:
        seats = [theatre.enter(f"room{number}") for number in range(20)]
        for seat in seats:
            await seat.say("hello")
    assert [[code for code, _ in seat.socket.dropped] for seat in seats] == [[1001]] * 20


@staged
async def test_statistics_name_open_rooms_only(stage: Stage) -> None:
    """One entry for each open room, with its viewers and its queue's counts; none for a closed one."""
    async with Theatre(stage, rooms={"grace_seconds": 0}) as theatre:
        a, b = theatre.enter("red"), theatre.enter("blue")
        await a.say("one")
        await a.say("two")
        found = {room.name: room for room in theatre.rooms.statistics()}
        assert (found["red"].viewers, found["red"].queue.waiting, found["red"].queue.active) == (1, 1, True)
        assert (found["blue"].viewers, found["blue"].queue.offered) == (1, 0)
        b.leave()
        await stage.advance(0.1)
        assert [room.name for room in theatre.rooms.statistics()] == ["red"]
