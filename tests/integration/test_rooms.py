"""Rooms on the real server: what viewers and bots see over the wire."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.olv_client import GREETING, OlvClient
from tests.helpers.server_process import FAST, ServerProcess, eventually, slow
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

END = "conversation-chain-end"
SHORT_GRACE: dict[str, Any] = {"grace_seconds": 0.05}


def room_url(server: ServerProcess, name: str = "") -> str:
    return f"ws://{server.host}:{server.port}/proxy-ws" + (f"?room={name}" if name else "")


async def enter(server: ServerProcess, name: str = "") -> OlvClient:
    """A viewer who has been greeted."""
    viewer = await OlvClient(room_url(server, name)).__aenter__()
    assert [message["type"] for message in await viewer.greeting()] == GREETING
    return viewer


async def leave(*viewers: OlvClient) -> None:
    for viewer in viewers:
        await viewer.ws.close()


def said(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages if message["type"] == "user-input-transcription"]


async def conversations(viewer: OlvClient, count: int) -> list[list[dict[str, Any]]]:
    """Everything up to the end of so many conversations, one list for each."""
    return [await viewer.until("control", text=END) for _ in range(count)]


async def test_two_viewers_and_a_bot(tmp_path: Path) -> None:
    """All see all conversations whole and in the same order; senders are told their place, and what was dropped."""
    settings = {"agent": slow(words=20, tokens_per_second=400), "queue": {"per_sender": 1}}
    async with ServerProcess(tmp_path, settings) as server:
        a, b, bot = await enter(server), await enter(server), await enter(server)
        await a.send("text-input", text="first", images=[])
        await a.until("control", text="conversation-chain-start")
        await bot.send("text-input", text="hello", name="Kim")
        await bot.send("text-input", text="again", name="Kim")
        await b.send("text-input", text="second", images=[])
        assert (await bot.until("queue-state"))[-1] == {"type": "queue-state", "position": 1, "waiting": 1}
        dropped = (await bot.until("queue-dropped"))[-1]
        assert dropped["reason"] == "sender-full"
        assert dropped["retry_after"] >= 1
        assert (await b.until("queue-state"))[-1]["position"] == 2
        seen_a = await conversations(a, 3)
        seen_b = await conversations(b, 3)
        seen_bot = await conversations(bot, 3)
        assert [said(one) for one in seen_a] == [[], ["Kim: hello"], ["second"]]
        assert [said(one) for one in seen_b][1:] == [["Kim: hello"], []]
        assert [said(one) for one in seen_bot][1:] == [[], ["second"]]
        for one in seen_a[1:]:
            kinds = [message["type"] for message in one]
            assert kinds[:3] == ["user-input-transcription", "control", "full-text"]
            assert kinds[-2:] == ["force-new-message", "control"]
        replies = [
            [[m["display_text"]["text"] for m in one if m["type"] == "audio"] for one in seen[1:]]
            for seen in (seen_a, seen_b, seen_bot)
        ]
        assert replies[0] == replies[1] == replies[2]
        await leave(a, b, bot)
        assert not server.complaints()


async def test_one_interrupts_and_the_queue_goes_on(tmp_path: Path) -> None:
    """The others are told, the next conversation begins, and a vanished page changes nothing for them."""
    async with ServerProcess(tmp_path, {"agent": slow(words=5000, tokens_per_second=200)}) as server:
        a, b, c = await enter(server), await enter(server), await enter(server)
        await a.send("text-input", text="first", images=[])
        await c.send("text-input", text="second", images=[])
        await a.until("audio")
        c.vanish()
        await b.send("interrupt-signal", text="")
        told = await a.until("control", text=END)
        assert told[-3]["type"] == "interrupt-signal"
        assert said(await b.until("user-input-transcription", text="second")) == ["first", "second"]
        await leave(a, b)
        assert not server.complaints()


async def test_a_viewer_that_does_not_read_is_dropped_alone(tmp_path: Path) -> None:
    """The others get everything, in order and in time; the server holds no more of it than the limit."""
    limits = {"outbox_drain_seconds": 0.5, "outbox_bytes": 200_000}
    settings = {"agent": slow(words=4000, tokens_per_second=0), "limits": limits, "character": "loud.yaml"}
    # Sound is big, so that what one viewer does not take backs up soon.
    loud = {"voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.0}}}
    server = ServerProcess(tmp_path, settings, characters={"loud.yaml": loud})
    async with server:
        a, b = await enter(server), await enter(server)
        mute = socket.socket()
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        mute.setblocking(False)
        await asyncio.get_running_loop().sock_connect(mute, (server.host, server.port))
        async with connect(
            room_url(server), sock=mute, max_queue=1, ping_interval=None, compression=None
        ) as deaf:
            for _ in range(12):
                await a.send("text-input", text="Tell me a story", images=[])
                got_a, got_b = await asyncio.gather(until_end(a), until_end(b))
                # Whoever writes the moment it has heard the end may be told its place; the others are not.
                told_a = [m for m in got_a if m["type"] != "queue-state"]
                assert told_a == [m for m in got_b if m["type"] != "user-input-transcription"]
            taken = 0
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(10):
                    while True:
                        taken += len(await deaf.recv())
            assert taken < sum(len(json.dumps(message)) for message in got_a) * 6
        await leave(a, b)
        assert not server.complaints()


async def until_end(viewer: OlvClient) -> list[dict[str, Any]]:
    """A whole conversation; answers that it was played."""
    found: list[dict[str, Any]] = []
    while True:
        message = await viewer.receive()
        found.append(message)
        if message["type"] == "backend-synth-complete":
            await viewer.send("frontend-playback-complete")
        if message["type"] == "control" and message["text"] == END:
            return found


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("a%20b", 1008, "1 to 64 letters"),
        ("x" * 65, 1008, "1 to 64 letters"),
        ("three", 1013, "2 rooms are open"),
    ],
)
async def test_refused_with_a_reason(tmp_path: Path, name: str, code: int, reason: str) -> None:
    """A bad name, and a room too many: the close code and the reason say so."""
    async with ServerProcess(tmp_path, {"agent": FAST, "rooms": {"max_rooms": 2}}) as server:
        a, b = await enter(server, "one"), await enter(server, "two")
        async with OlvClient(room_url(server, name)) as late:
            with pytest.raises(ConnectionClosed) as closed:
                await late.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        assert reason in closed.value.rcvd.reason
        assert sum(line.get("event") == "room opened" for line in server.log()) == 2
        await leave(a, b)


async def test_too_many_viewers(tmp_path: Path) -> None:
    """The limit is told; when one leaves, another gets in."""
    async with ServerProcess(tmp_path, {"agent": FAST, "rooms": {"max_viewers": 1}}) as server:
        a = await enter(server)
        async with OlvClient(room_url(server)) as late:
            with pytest.raises(ConnectionClosed) as closed:
                await late.receive()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            1013,
            "this room has 1 viewers, which is the limit",
        )
        await leave(a)

        async def entered() -> bool:
            async with OlvClient(room_url(server)) as next_one:
                return (await next_one.ws.recv())[:1] == "{" and next_one.ws.close_code is None

        async def free() -> bool:
            try:
                return await entered()
            except ConnectionClosed:
                return False

        await eventually("the place is free", free)


async def test_viewers_and_pages_count_together(tmp_path: Path) -> None:
    """Towards the limit on connections: neither kind gets in when the other has taken all, until one leaves."""
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": {"max_connections": 2}}) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            viewer = await enter(server)
            for url in (room_url(server), server.ws_url):
                async with OlvClient(url) as late:
                    with pytest.raises(ConnectionClosed) as closed:
                        await late.receive()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013
                assert closed.value.rcvd.reason.startswith("2 connections are open")
            await leave(viewer)

            async def free() -> bool:
                async with OlvClient(server.ws_url) as another:
                    try:
                        return bool(await another.receive())
                    except ConnectionClosed:
                        return False

            await eventually("the seat is free", free)


async def test_from_none_to_some_again_and_again(tmp_path: Path) -> None:
    """Rooms survive it, and afterwards the process holds what it held before."""
    async with ServerProcess(tmp_path, {"agent": FAST, "rooms": SHORT_GRACE}, observed=True) as server:

        async def evening(number: int) -> None:
            viewers = [await enter(server, f"room{number % 4}") for _ in range(3)]
            await viewers[0].send("text-input", text="hello", images=[])
            if number % 3:
                for viewer in viewers:
                    await viewer.until("control", text=END)
            if number % 2:
                viewers[1].vanish()
            await leave(*viewers)
            if number % 5 == 0:
                await closed()

        async def closed() -> None:
            # The character's side of each open room counts as a client.
            await server.quiet()

        for number in range(20):
            await evening(number)
        await closed()
        before = await server.observe()
        for number in range(60):
            await evening(number)
        await closed()
        after = await server.observe()
        assert after["tasks"] == before["tasks"]
        assert after["fds"] <= before["fds"] + 1
        for kind in (
            "greenroom.live.room.Room",
            "greenroom.live.viewer.Viewer",
            "greenroom.tasks._scope.TaskScope",
        ):
            assert after["types"].get(kind, 0) == before["types"].get(kind, 0), kind
        assert not server.complaints()


async def test_one_comes_back_within_the_grace_time(tmp_path: Path) -> None:
    """The conversation has gone on, the room's memory is there, and the next message is answered."""
    settings = {"agent": slow(words=30, tokens_per_second=300), "rooms": {"grace_seconds": 20}}
    async with ServerProcess(tmp_path, {**settings, "log": {"level": "debug"}}) as server:
        a = await enter(server)
        await a.send("text-input", text="first", images=[])
        await a.until("audio")
        a.vanish()

        async def over() -> bool:
            return any(line.get("event") == "conversation ended" for line in server.log())

        await eventually("the conversation has ended without viewers", over)
        b = await enter(server)
        await b.send("text-input", text="second", images=[])
        seen = await b.until("control", text=END)
        assert seen[0] == {"type": "control", "text": "conversation-chain-start"}
        assert sum(line.get("event") == "room opened" for line in server.log()) == 1
        hows = [line["how"] for line in server.log() if line.get("event") == "conversation ended"]
        assert hows[0] == "finished"
        await leave(a, b)


async def test_a_signal_tells_all(tmp_path: Path) -> None:
    """SIGTERM in mid-conversation: who waits hears why, all are told with 1012, exit 0."""
    server = ServerProcess(tmp_path, {"agent": slow(words=5000, tokens_per_second=50)})
    async with server:
        a, b = await enter(server), await enter(server)
        await a.send("text-input", text="first", images=[])
        await a.until("audio")
        await b.send("text-input", text="second", images=[])
        await b.until("queue-state")
        server.signal(signal.SIGTERM)
        assert (await b.until("queue-dropped"))[-1]["reason"] == "room-closed"
        for viewer in (a, b):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await viewer.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert await server.exited(6) == 0
        await leave(a, b)
        assert not server.complaints()


async def test_rooms_can_be_turned_off(tmp_path: Path) -> None:
    """Without rooms there is no such address."""
    async with ServerProcess(tmp_path, {"agent": FAST, "rooms": {"enabled": False}}) as server:
        with pytest.raises(Exception, match="HTTP 4|closed|rejected"):
            await connect(room_url(server))
