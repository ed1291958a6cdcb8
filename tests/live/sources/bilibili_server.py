"""Bilibili on loopback: the web API's answers, and a chat server that speaks its protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import brotli
from tests.live.sources.helpers import WebServer, web_server
from websockets.asyncio.server import ServerConnection, serve

from greenroom.live.sources.bilibili_api import BilibiliServers
from greenroom.live.sources.bilibili_packets import AUTH, AUTH_REPLY, HEADER, HEARTBEAT, MESSAGE

Play = Callable[["ChatRoom", ServerConnection], Awaitable[None]]
NAV = {
    "code": -101,
    "data": {
        "isLogin": False,
        "wbi_img": {
            "img_url": "https://i0.test/bfs/wbi/7cd084941338484aae1ad9425b84077c.png",
            "sub_url": "https://i0.test/bfs/wbi/4932caff0ff746eab6f01bf08b70ac45.png",
        },
    },
}


def packed(operation: int, value: Any, version: int = 1) -> bytes:
    """A packet of the server's."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return HEADER.pack(HEADER.size + len(body), HEADER.size, version, operation, 0) + body


def said(*commands: Any) -> bytes:
    """Commands as busy rooms send them: many, compressed into one packet."""
    inner = b"".join(packed(MESSAGE, command, 0) for command in commands)
    return packed(MESSAGE, brotli.compress(inner), 3)


@dataclass
class ChatRoom:
    """What the chat server got, and what it does."""

    web: WebServer
    play: Play
    code: int = 0
    logins: list[dict[str, Any]] = field(default_factory=list)
    beats: int = 0
    beat: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def servers(self) -> BilibiliServers:
        """Where the source finds all this."""
        return BilibiliServers(self.web.url + "/", self.web.url, self.web.url, tls=False)

    async def handle(self, socket: ServerConnection) -> None:
        """One connection: the login, then what the test plays."""
        _, _, _, operation, _ = HEADER.unpack_from(frame := await socket.recv(decode=False))
        assert operation == AUTH
        self.logins.append(json.loads(frame[HEADER.size :]))
        await socket.send(packed(AUTH_REPLY, {"code": self.code}))
        await self.play(self, socket)

    async def count_beats(self, socket: ServerConnection) -> None:
        """Take heartbeats until the client goes, and answer them."""
        async for frame in socket:
            assert isinstance(frame, bytes)
            if HEADER.unpack_from(frame)[3] == HEARTBEAT:
                self.beats += 1
                self.beat.set()
                await socket.send(packed(3, b"\0\0\0\1") + b"{}")


@asynccontextmanager
async def bilibili(play: Play) -> AsyncGenerator[ChatRoom, None]:
    """A Bilibili for the block, with room 5 (short for 555) of user 1."""
    async with web_server() as web:
        room = ChatRoom(web, play)
        async with serve(room.handle, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            web.on("/", {"set-cookie": "buvid3=visitor-1; Path=/"})
            web.on("/room/v1/Room/get_info", {"code": 0, "data": {"room_id": 555, "uid": 1}})
            web.on("/x/web-interface/nav", NAV)
            web.on("/xlive/web-room/v1/index/getDanmuInfo", {
                "code": 0,
                "data": {"token": "token-1", "host_list": [
                    {"host": "127.0.0.1", "port": 1, "wss_port": 2, "ws_port": port}]},
            })  # fmt: skip
            yield room
