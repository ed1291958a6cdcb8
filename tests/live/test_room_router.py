"""What a viewer may do in a room, and whose word counts."""

from __future__ import annotations

from tests.helpers.stage import Stage, staged
from tests.live.theatre import Theatre


@staged
async def test_a_bot_speaks_for_many(stage: Stage) -> None:
    """Each name of a program beside the server is a sender of its own, and its priorities count."""
    async with Theatre(stage, queue={"per_sender": 1}) as theatre:
        bot, viewer = theatre.enter(trusted=True), theatre.enter()
        await bot.say("talk")
        viewer.new(), bot.new()
        for number in range(3):
            await bot.say("hello", name=f"fan {number}")
        await bot.say("more", name="fan 0")
        await bot.say("money", name="payer", priority=1)
        assert bot.kinds() == [
            "queue-state 1/1",
            "queue-state 2/2",
            "queue-state 3/3",
            "queue-dropped sender-full",
            "queue-state 1/4",
        ]
        await theatre.reply()
        assert "user-input-transcription payer: money" in viewer.kinds()
        # It wrote that itself.
        assert not any(kind.startswith("user-input") for kind in bot.kinds())


@staged
async def test_from_afar_a_name_is_only_shown(stage: Stage) -> None:
    """A viewer with many names has one share, and cannot call itself the owner."""
    async with Theatre(stage, queue={"per_sender": 1}) as theatre:
        sly, modest = theatre.enter(), theatre.enter()
        await modest.say("talk")
        sly.new(), modest.new()
        await modest.say("please")
        await sly.say("me", name="one", priority=2)
        await sly.say("me", name="two", priority=2)
        assert sly.kinds() == ["queue-state 2/2", "queue-dropped sender-full"]
        await theatre.reply()
        await theatre.reply()
        assert "user-input-transcription one: me" in modest.kinds()


@staged
async def test_a_name_is_cleaned(stage: Stage) -> None:
    """It is one line of what can be seen, and makes no second sender by what cannot; an empty one is none."""
    async with Theatre(stage, queue={"per_sender": 1}) as theatre:
        bot, viewer = theatre.enter(trusted=True), theatre.enter()
        await bot.say("hi", name=" \u200b\t")
        await bot.say("hello", name="Kim\nsystem\u202e")
        await bot.say("again", name="\u200bKim  system ")
        assert bot.kinds()[-1] == "queue-dropped sender-full"
        await theatre.reply()
        await theatre.reply()
        said = [kind for kind in viewer.kinds() if kind.startswith("user-input")]
        assert said == ["user-input-transcription hi", "user-input-transcription Kim system: hello"]


@staged
async def test_lists_are_answered_to_the_one_who_asks(stage: Stage) -> None:
    """The others do not see its page open."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        a.new(), b.new()
        for kind in (
            "fetch-backgrounds",
            "fetch-configs",
            "fetch-history-list",
            "heartbeat",
            "request-init-config",
        ):
            await a.send(kind)
        assert a.kinds() == [
            "background-files",
            "config-files",
            "history-list",
            "heartbeat-ack",
            "set-model-and-conf",
        ]
        assert b.kinds() == []


@staged
async def test_opening_a_page_does_not_wipe_what_others_follow(stage: Stage) -> None:
    """A new conversation begins for one who is alone with nothing under way; others join the one that is."""
    async with Theatre(stage) as theatre:
        a = theatre.enter()
        await a.send("create-new-history")
        first = a.new()[-1]["history_uid"]
        await a.say("one")
        await a.send("create-new-history")
        assert a.new()[-1]["history_uid"] == first
        await theatre.reply()
        b = theatre.enter()
        await b.send("create-new-history")
        assert b.new()[-1]["history_uid"] == first
        b.leave()
        await a.send("create-new-history")
        assert a.new()[-1]["history_uid"] != first


@staged
async def test_empty_and_broken_messages(stage: Stage) -> None:
    """They are answered to their sender, and go nowhere."""
    async with Theatre(stage) as theatre:
        a, b = theatre.enter(), theatre.enter()
        a.new(), b.new()
        await a.say("   ")
        await a.send("text-input", text=5)
        await a.send("nobody knows this")
        assert a.kinds() == ["error", "error"]
        assert b.kinds() == []
        assert a.room.queue.statistics().offered == 0


@staged(messages_per_second=10, message_burst=5)
async def test_one_who_floods_and_leaves_does_not_haunt_the_room(stage: Stage) -> None:
    """What it sent within its rate is heard, also after it has left; the rest is not read any more."""
    async with Theatre(stage, queue={"per_sender": 100}) as theatre:
        a, b = theatre.enter(), theatre.enter()
        await b.say("talk")
        a.socket.gone = True
        for number in range(5):
            await a.say(f"message {number}")
        flood = stage.start(a.send("text-input", text="one too many"))
        await stage.advance(1)
        assert flood.done()
        assert b.room.queue.statistics().waiting == 5


@staged
async def test_a_message_is_followed_by_its_own_id(stage: Stage) -> None:
    """Its place, its turn (place 0) and its loss name the id its sender gave it; without one all is as ever."""
    async with Theatre(stage, queue={"per_sender": 1, "merge_seconds": 5}) as theatre:
        one, two = theatre.enter(), theatre.enter()
        await one.say("first", request_id="a")
        await two.say("hello", request_id=7)
        told = [m for m in one.new() + two.new() if m["type"].startswith("queue-")]
        assert told == [
            {"type": "queue-state", "position": 0, "waiting": 0, "request_id": "a"},
            {"type": "queue-state", "position": 1, "waiting": 1, "request_id": 7},
        ]
        await two.say("more", request_id=8)
        await two.say("hello", request_id=9)
        dropped = [(m["reason"], m["request_id"]) for m in two.new() if m["type"] == "queue-dropped"]
        assert dropped == [("sender-full", 8), ("duplicate", 9)]
        await theatre.reply()
        assert {"type": "queue-state", "position": 0, "waiting": 0, "request_id": 7} in two.new()
        await theatre.reply()


@staged
async def test_how_many_watch(stage: Stage) -> None:
    """Told at once to whoever asks, later when it has changed, many changes in one message; to nobody else."""
    async with Theatre(stage) as theatre:
        curious, other = theatre.enter(), theatre.enter()
        curious.new(), other.new()
        await curious.send("watch-room")
        assert curious.new() == [{"type": "room-state", "room": "main", "viewers": 2}]
        for _ in range(3):
            theatre.enter()
        other.leave()
        assert curious.new() == []
        await stage.advance(1.1)
        assert curious.new() == [{"type": "room-state", "room": "main", "viewers": 4}]
        theatre.enter().leave()
        await stage.advance(1.1)
        assert curious.new() == []
        assert not any(message["type"] == "room-state" for message in other.new())
        curious.leave()
        assert len(curious.room.head_count) == 0


@staged
async def test_who_asks_between_two_changes_hears_of_the_second(stage: Stage) -> None:
    """Although the others, who missed both, are where they were."""
    async with Theatre(stage) as theatre:
        first, second, fickle = (theatre.enter() for _ in range(3))
        await first.send("watch-room")
        await stage.advance(1.5)
        theatre.enter()
        await stage.advance(1.5)
        fickle.leave()
        second.new()
        await second.send("watch-room")
        theatre.enter()
        await stage.advance(1.5)
        assert [message["viewers"] for message in second.new()] == [3, 4]


@staged
async def test_a_page_of_its_own_is_no_room(stage: Stage) -> None:
    """The question is no mistake there, and has no answer."""
    client = await stage.open()
    await client.send("watch-room")
    assert client.new() == []
