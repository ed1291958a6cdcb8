"""Tests of the ops room as a whole, with the parts of a server and no network."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from tests.helpers.stage import Stage, staged
from tests.server.ops.test_broadcast import FakeTransport
from tests.server.ops.test_recorder import turn

from greenroom.config.settings import Settings
from greenroom.server.ops.messages import EVENTS, OpsSample, OpsState
from greenroom.server.ops.recorder import Recorder
from greenroom.server.ops.room import OpsRoom
from greenroom.tasks import CloseReport


class Watcher(FakeTransport):
    """A subscriber that reads what it is sent."""

    def events(self) -> list[tuple[str, Any]]:
        """Name and data of everything since the last time; each is what its class says."""
        text = b"".join(part.partition(b"\r\n")[2][:-2] for part in self.written).decode()
        self.written.clear()
        found = []
        for block in text.strip().split("\n\n") if text else []:
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            msgspec.json.decode(fields["data"], type=EVENTS[fields["event"]], strict=False)
            found.append((fields["event"], json.loads(fields["data"])))
        return found

    def names(self) -> list[str]:
        return [name for name, _ in self.events()]


def make(stage: Stage, **settings: Any) -> tuple[OpsRoom, Recorder]:
    recorder = Recorder(100, 10)
    whole = Settings.model_validate({"ops": settings})
    room = OpsRoom(whole, stage.root, stage.services, [], recorder)  # type: ignore[arg-type]
    recorder.awake = True
    return room, recorder


def second(room: OpsRoom, t: float) -> None:
    """A second passes."""
    numbers = dict.fromkeys(OpsSample.__struct_fields__, 0) | {"reply_ms_p50": None, "reply_ms_p95": None}
    sample = OpsSample(**(numbers | {"t": t, "tasks_by_kind": {"server": 1}}))  # type: ignore[arg-type]
    room._sampler._history.add(sample, [])
    room._sampled(sample)


@staged
async def test_the_whole_comes_first_then_what_is_new(stage: Stage) -> None:
    """A quiet second is one sample; visits, closes and a busy engine come with the sample of their second."""
    room, recorder = make(stage)
    recorder.turn_ended(turn())
    second(room, 1)
    watcher = Watcher()
    room.subscribe(watcher)
    (event,) = watcher.events()
    assert event[0] == "state"
    state = msgspec.convert(event[1], OpsState, strict=False)
    assert (state.visits.n, state.samples.t, state.visits_total) == ([1], [1.0], 1)
    second(room, 2)
    assert watcher.names() == ["sample"]
    recorder.turn_ended(turn())
    recorder.scope_closed(CloseReport("server/clients/client a", "left", 0.1, 1, 0, (), 1))
    second(room, 3)
    events = dict(watcher.events())
    assert list(events) == ["sample", "visits", "closes"]
    assert (events["visits"]["visits"]["n"], events["visits"]["total"]) == ([2], 2)
    assert events["closes"]["closes"][0]["owner"] == "server/clients/client a"
    client = await stage.open()
    await client.say("Hello")
    reply = await stage.stream()
    second(room, 4)
    events = dict(watcher.events())
    assert events["queues"]["providers"][0]["busy"] == 1
    reply.token("Hi.").end()
    await stage.settle()
    second(room, 5)
    assert "queues" in watcher.names()
    second(room, 6)
    assert watcher.names() == ["sample"]


@staged
async def test_who_comes_later_hears_nothing_twice(stage: Stage) -> None:
    """What the others still have to hear, they hear when somebody comes: the newcomer has it in the state."""
    room, recorder = make(stage)
    first, late = Watcher(), Watcher()
    room.subscribe(first)
    first.events()
    recorder.turn_ended(turn())
    room.subscribe(late)
    assert first.names() == ["visits"]
    assert late.events()[0][1]["visits"]["n"] == [1]
    second(room, 1)
    assert (first.names(), late.names()) == (["sample"], ["sample"])


@staged
async def test_nobody_watches_and_nothing_is_encoded(stage: Stage) -> None:
    """An unwatched second makes no events; what it was is in the state of who comes."""
    room, recorder = make(stage)
    for t in range(5):
        recorder.turn_ended(turn())
        second(room, t)
    watcher = Watcher()
    room.subscribe(watcher)
    assert [len(data["samples"]["t"]) for _, data in watcher.events()] == [5]


@staged
async def test_the_state_is_encoded_once_a_second(stage: Stage) -> None:
    """Fifty who come at once get parts that were encoded once."""
    room, recorder = make(stage)
    second(room, 1)
    room.book.state()
    known = dict(room.book._parts)
    room.book.state()
    assert all(room.book._parts[name][1] is part for name, (_, part) in known.items())
    recorder.turn_ended(turn())
    room.book.state()
    changed = {name for name, (_, part) in known.items() if room.book._parts[name][1] is not part}
    assert changed == {"visits"}


@staged
async def test_limits_are_told(stage: Stage) -> None:
    """For the page's scales: no soak where none may be started, no slots where there is no limit."""
    room, _ = make(stage, soak=False, max_subscribers=7, history_seconds=60)
    limits = room.book.limits()
    assert (limits.soak_visits, limits.subscribers, limits.fine_s) == (0, 7, 60)
    assert limits.provider_slots is None


@staged
async def test_the_end(stage: Stage) -> None:
    """Stopping ends the streams, closing ends its tasks; twice is no harm."""
    room, recorder = make(stage)
    room.start()
    watcher = Watcher()
    room.subscribe(watcher)
    room.stop()
    assert watcher.state == "closed"
    await room.close()
    await room.close()
    assert not room.scope.running
    assert recorder.awake
