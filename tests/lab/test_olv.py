"""The visitor that behaves like the usual page, against small servers that differ from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.helpers.server_process import eventually
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from greenroom.lab.olv import OlvVisitor
from greenroom.lab.record import Visit
from greenroom.lab.soak import Options, Soak
from greenroom.lab.vanished import Vanished
from greenroom.lab.visitors import Access, Unreachable, dial

Send = Callable[..., Awaitable[None]]
ANSWERS = {
    "fetch-backgrounds": ("background-files", {"files": []}),
    "fetch-configs": ("config-files", {"configs": []}),
    "fetch-history-list": ("history-list", {"histories": []}),
    "create-new-history": ("new-history-created", {"history_uid": "h"}),
    "heartbeat": ("heartbeat-ack", {}),
}


class Server:
    """Speaks the protocol, but for what `silent` names; a turn is what `reply` sends."""

    def __init__(
        self, reply: Callable[[Send], Awaitable[None]], silent: frozenset[str] = frozenset()
    ) -> None:
        self.reply = reply
        self.silent = silent
        self.headers: list[str | None] = []

    async def handle(self, connection: ServerConnection) -> None:
        async def send(kind: str, **fields: Any) -> None:
            await connection.send(json.dumps({"type": kind, **fields}))

        if "set-model-and-conf" not in self.silent:
            await send("set-model-and-conf", conf_uid="a")
        try:
            async for frame in connection:
                kind = json.loads(frame)["type"]
                if kind in self.silent:
                    continue
                if kind == "text-input":
                    await send("control", text="conversation-chain-start")
                    await send("full-text", text="Thinking...")
                    await self.reply(send)
                    await send("control", text="conversation-chain-end")
                elif kind in ANSWERS:
                    name, fields = ANSWERS[kind]
                    await send(name, **fields)
        except ConnectionClosed:
            pass  # A visitor that left.

    async def door(self, connection: ServerConnection, request: Request) -> Response | None:
        self.headers.append(request.headers.get("Authorization"))
        return connection.respond(404, "no rooms") if request.path == "/proxy-ws" else None


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[str]:
    async with serve(server.handle, "127.0.0.1", 0, process_request=server.door) as listener:
        yield f"ws://127.0.0.1:{next(iter(listener.sockets)).getsockname()[1]}/client-ws"


async def subtitles(send: Send) -> None:
    """A reply in subtitles only, with a wait before it."""
    await asyncio.sleep(0.02)
    await send("full-text", text="Hello.")
    await send("full-text", text="Hello. How are you?")


async def test_a_reply_in_subtitles_is_a_reply():
    """A server that sends no audio messages is measured by its texts; a placeholder is none."""
    async with running(Server(subtitles)) as url:
        visitor = OlvVisitor(url, 5.0)
        visits = [Visit(1, "polite"), Visit(2, "polite"), Visit(3, "patient")]
        for visit in visits:
            await visitor.pay(visit)
    assert [visit.error for visit in visits] == [None] * 3
    assert all(visit.first_reply is not None and visit.first_reply >= 0.02 for visit in visits)
    assert not visits[0].sound


async def test_errors_of_visits_are_counted_in_a_note(monkeypatch: pytest.MonkeyPatch):
    """A run whose visits fail says how many did, and with what."""
    monkeypatch.setattr("greenroom.lab.soak.FINAL_REST_SECONDS", 0.1)

    async def refuse(send: Send) -> None:
        await send("error", message="the model is gone")

    async with running(Server(refuse)) as url:
        run = await Soak(url, OlvVisitor(url, 5.0), Options("polite", 3)).go()
    assert run.notes == ["of 3 visits 3 ended with an error: the model is gone"]


async def test_what_a_server_never_answers_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch):
    """The first page finds out, the user is told, and every visit after it opens."""
    monkeypatch.setattr("greenroom.lab.olv.OPEN_SECONDS", 0.1)
    async with running(Server(subtitles, frozenset({"fetch-backgrounds", "heartbeat"}))) as url:
        visitor = OlvVisitor(url, 5.0)
        page = await visitor.bystander()
        await page.round_trip()
        visit = Visit(1, "polite")
        await visitor.pay(visit)
        await page.leave()
    assert visit.error is None
    assert visit.opened is not None
    assert "background-files" in visitor.notes[0]


async def test_another_protocol_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch):
    """A server that greets nobody is not waited for until patience ends: a script can describe it."""
    monkeypatch.setattr("greenroom.lab.olv.OPEN_SECONDS", 0.1)
    async with running(Server(subtitles, frozenset({"set-model-and-conf"}))) as url:
        with pytest.raises(Unreachable, match="--script"):
            await OlvVisitor(url, 60.0).bystander()


async def test_a_server_without_rooms_is_told_before_the_first_visit():
    """The room mode asks for the room's address first."""
    async with running(Server(subtitles)) as url:
        visitor = OlvVisitor(url, 5.0)
        await visitor.check("polite")
        with pytest.raises(Unreachable, match=r"no rooms.*404"):
            await visitor.check("room")


async def test_headers_go_with_each_connection():
    """Credentials are sent by the bystander and by every visit."""
    server = Server(subtitles)
    async with running(server) as url:
        visitor = OlvVisitor(url, 5.0, access=Access({"Authorization": "Bearer abc"}))
        page = await visitor.bystander()
        await visitor.pay(Visit(1, "silent"))
        await page.leave()
    assert server.headers == ["Bearer abc"] * 2


async def test_it_is_seen_when_the_server_lets_a_vanished_peer_go():
    """A connection that is not read any more still tells that the other side has closed it."""
    opened: list[ServerConnection] = []

    async def handle(connection: ServerConnection) -> None:
        opened.append(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, close_timeout=0.05) as listener:
        url = f"ws://127.0.0.1:{next(iter(listener.sockets)).getsockname()[1]}/"
        vanished = Vanished()
        for _ in range(2):
            vanished.add(await dial(url, 5.0))
        assert len(vanished.look()) == 2
        opened[0].transport.abort()

        async def noticed() -> bool:
            vanished.look()
            return len(vanished.let_go) == 1

        await eventually("the closed one is seen", noticed)
        assert len(vanished.look()) == 1
        vanished.cut()
        assert vanished.look() == []
