"""Rooms on a `Stage`: real rooms and viewers, sockets that record, an agent that speaks on command.

@staged
async def test_something(stage: Stage) -> None:
    async with Theatre(stage) as theatre:
        seat = theatre.enter()
        await seat.say("Hello?")
        (await stage.stream()).token("Hi. ").end()
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.helpers.loop import manual_loop
from tests.helpers.stage import Json, Stage

from greenroom.config.sections import QueueSettings, RoomSettings
from greenroom.live.room import Room
from greenroom.live.room_router import RoomRouter
from greenroom.live.rooms import Rooms
from greenroom.live.viewer import Viewer

GREETING = ["group-update", "full-text", "set-model-and-conf", "group-update", "control start-mic"]
CHAIN = ["conversation-chain-start", "conversation-chain-end"]


class FakeSocket:
    """Records frames; `unsent` is what the peer has not taken, `error` is raised by the next write."""

    def __init__(self) -> None:
        self.frames: list[Json] = []
        self.unsent = 0
        self.gone = False
        self.dropped: list[tuple[int, str]] = []
        self.error: Exception | None = None

    def write_frame(self, frame: bytes) -> bool:
        if self.error is not None:
            raise self.error
        if self.dropped:
            return False
        self.frames.append(json.loads(frame))
        return True

    def unsent_bytes(self) -> int:
        return self.unsent

    def is_gone(self) -> bool:
        return self.gone

    def drop(self, code: int, reason: str) -> None:
        self.dropped.append((code, reason))


class Seat:
    """One viewer of a theatre."""

    def __init__(self, theatre: Theatre, name: str, viewer_id: str, trusted: bool) -> None:
        self._theatre = theatre
        self._read = 0
        self.socket = FakeSocket()
        self.viewer = Viewer(
            viewer_id,
            "10.0.0.1",
            self.socket,
            str.encode,
            max_bytes=10_000,
            drain_seconds=10.0,
            trusted=trusted,
        )
        self.room: Room = theatre.rooms.enter(name, self.viewer)
        self._router: RoomRouter = self.room.router_for(self.viewer)

    async def send(self, kind: str, **fields: Any) -> None:
        """What the page sends."""
        await self.receive({"type": kind, **fields})
        await self._theatre.stage.settle()

    async def receive(self, message: Json) -> None:
        """`send`, without waiting until everything has settled."""
        await self._router.receive(json.dumps(message))

    async def say(self, text: str, **fields: Any) -> None:
        await self.send("text-input", text=text, **fields)

    def leave(self) -> None:
        self._theatre.rooms.leave(self.room, self.viewer)

    def new(self) -> list[Json]:
        """What it has been sent since the last look."""
        found = self.socket.frames[self._read :]
        self._read = len(self.socket.frames)
        return found

    def kinds(self) -> list[str]:
        """`new`, each message in a few words."""
        return [shape(message) for message in self.new()]


def shape(message: Json) -> str:
    """A message in a few words: its type and what makes the difference."""
    kind = message["type"]
    told = {
        "control": message.get("text"),
        "user-input-transcription": message.get("text"),
        "audio": (message.get("display_text") or {}).get("text"),
        "queue-state": f"{message.get('position')}/{message.get('waiting')}",
        "queue-dropped": message.get("reason"),
    }.get(kind)
    return f"{kind} {told}" if told else kind


class Theatre:
    """All rooms of a stage; leaving closes them."""

    def __init__(
        self, stage: Stage, *, rooms: dict[str, Any] | None = None, queue: dict[str, Any] | None = None
    ) -> None:
        update = {
            "rooms": RoomSettings(**(rooms or {})),
            "queue": QueueSettings(**{"merge_seconds": 0, **(queue or {})}),
        }
        stage.services.settings = stage.services.settings.model_copy(update=update)
        self.stage = stage
        self.scope = stage.root.child("rooms")
        self.rooms = Rooms(stage.services, self.scope, str.encode, clock=manual_loop().time)
        self._count = 0

    async def __aenter__(self) -> Theatre:
        await self.rooms.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rooms.close("the test is over")
        await self.stage.settle()
        assert self.scope.statistics().running == 0
        assert len(self.stage.services.registry) == 0

    def enter(self, name: str = "main", *, trusted: bool = False) -> Seat:
        """A viewer who comes in. Raises `RoomRefused`."""
        self._count += 1
        return Seat(self, name, f"viewer{self._count}", trusted)

    async def at_once(self, *messages: tuple[Seat, Json]) -> None:
        """Several viewers send in the same moment; the loop reads them in this order."""
        async with asyncio.TaskGroup() as group:
            for seat, message in messages:
                group.create_task(seat.receive(message))
        await self.stage.settle()

    async def reply(self, *tokens: str) -> None:
        """The agent answers what it was asked last, completely."""
        stream = await self.stage.stream()
        stream.token(*tokens or ("Fine. ",)).end()
        await self.stage.settle()
