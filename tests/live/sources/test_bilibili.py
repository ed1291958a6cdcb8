"""Tests of the Bilibili source against a server of our own that speaks its protocol."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from tests.live.sources.bilibili_server import ChatRoom, bilibili, packed, said
from tests.live.sources.test_bilibili_messages import danmaku
from websockets.asyncio.server import ServerConnection

from greenroom.live.sources.base import ChatMessage, SourceError
from greenroom.live.sources.bilibili import BilibiliSource
from greenroom.live.sources.bilibili_api import signed


async def take(source: BilibiliSource, count: int) -> list[ChatMessage]:
    """The first messages of a source."""
    got: list[ChatMessage] = []
    async with asyncio.timeout(10), aclosing(source.messages()) as messages:
        async for message in messages:
            got.append(message)
            if len(got) == count:
                break
    return got


async def talk(room: ChatRoom, socket: ServerConnection) -> None:
    """Two danmaku and a gift, then silence."""
    gift = {"cmd": "SEND_GIFT", "data": {}}
    await socket.send(said(danmaku("一", extra="{}"), gift, danmaku("二", uid=1, extra="{}")))
    await room.count_beats(socket)


async def test_a_whole_conversation():
    """The room is looked up, the login carries what the site wants, and danmaku arrive in order."""
    async with bilibili(talk) as room:
        source = BilibiliSource(5, servers=room.servers)
        connected: list[bool] = []
        source.on_connected = lambda: connected.append(True)
        one, two = await take(source, 2)
    assert ((one.text, one.priority), (two.text, two.priority)) == (("一", 0), ("二", 2))
    assert connected == [True]
    assert room.logins == [
        {"uid": 0, "roomid": 555, "protover": 3, "platform": "web", "type": 2, "buvid": "visitor-1",
         "key": "token-1"}
    ]  # fmt: skip
    path, query, headers = room.web.asked[-1]
    assert path.endswith("getDanmuInfo")
    assert (query["id"], query["type"]) == ("555", "0")
    assert set(query) == {"id", "type", "wts", "w_rid"}
    assert "Mozilla" in headers["user-agent"]


def test_the_signature():
    """The query is signed as the site's own page does (the worked example of the public API notes)."""
    key = "ea1db124af3c7062474693fa704f4ff8"
    found = signed({"foo": "114", "bar": "514", "zab": 1919810}, key, 1702204169)
    assert found["w_rid"] == "8f6f2b5b3d485fe1886cec6a0be8c5d4"


async def test_a_login():
    """With a cookie the user's own id is sent, and the cookie with every question."""
    async with bilibili(talk) as room:
        nav = {**room.web.answers["/x/web-interface/nav"]({})}
        nav["data"] = {**nav["data"], "isLogin": True, "mid": 42}
        room.web.on("/x/web-interface/nav", nav)
        await take(BilibiliSource(5, sessdata="secret", servers=room.servers), 1)
    assert room.logins[0]["uid"] == 42
    assert all("SESSDATA=secret" in headers.get("cookie", "") for _, _, headers in room.web.asked)


async def test_heartbeats():
    """While nobody talks, the chat is told that somebody listens."""

    async def quiet(room: ChatRoom, socket: ServerConnection) -> None:
        async for _ in socket:
            room.beats += 1
            await socket.send(packed(3, b"\0\0\0\1"))
            if room.beats == 4:
                await socket.send(said(danmaku("终于")))

    async with bilibili(quiet) as room:
        (message,) = await take(BilibiliSource(5, servers=room.servers, heartbeat_seconds=0.01), 1)
        assert message.text == "终于"
        assert room.beats >= 4


async def test_a_chat_that_falls_silent():
    """A connection on which even heartbeats stay without an answer is given up."""

    async def dead(room: ChatRoom, socket: ServerConnection) -> None:
        async for _ in socket:
            pass

    async with bilibili(dead) as room:
        source = BilibiliSource(5, servers=room.servers, heartbeat_seconds=0.02, answer_seconds=0.05)
        with pytest.raises(SourceError, match="fallen silent"):
            await take(source, 1)


async def test_a_refused_login():
    """A used-up token is a loss: the next attempt asks for a new one."""
    async with bilibili(talk) as room:
        room.code = -101
        with pytest.raises(SourceError, match=r"refused the login \(code -101\)") as error:
            await take(BilibiliSource(5, servers=room.servers), 1)
    assert error.value.retryable


async def test_unreadable_bytes():
    """A frame that is no packet ends the connection with a clear error."""

    async def garbage(room: ChatRoom, socket: ServerConnection) -> None:
        await socket.send(b"\xff" * 40)
        await socket.wait_closed()

    async with bilibili(garbage) as room:
        with pytest.raises(SourceError, match="something unreadable"):
            await take(BilibiliSource(5, servers=room.servers), 1)


async def test_a_lost_connection():
    """The server's going away is told as such."""

    async def leave(room: ChatRoom, socket: ServerConnection) -> None:
        socket.transport.abort()

    async with bilibili(leave) as room:
        with pytest.raises(SourceError, match="the connection was lost"):
            await take(BilibiliSource(5, servers=room.servers), 1)


async def test_a_frame_that_is_too_large():
    """A frame of many megabytes is not taken into memory."""

    async def huge(room: ChatRoom, socket: ServerConnection) -> None:
        await socket.send(b"\0" * (3 * 1024 * 1024))
        await socket.wait_closed()

    async with bilibili(huge) as room:
        with pytest.raises(SourceError, match="the connection was lost"):
            await take(BilibiliSource(5, servers=room.servers), 1)


@pytest.mark.parametrize(
    ("path", "answer", "message", "retryable"),
    [
        ("/room/v1/Room/get_info", {"code": 1, "message": "未找到该房间"}, "no room 5", False),
        ("/room/v1/Room/get_info", {"code": 0, "data": {}}, "a form that is not known", True),
        ("/room/v1/Room/get_info", (412, b"<html>"), "too many questions", True),
        ("/room/v1/Room/get_info", (500, b""), "HTTP 500", True),
        ("/x/web-interface/nav", {"code": 0, "data": {}}, "no signing key", True),
        ("/xlive/web-room/v1/index/getDanmuInfo", {"code": -352}, "a check for robots", True),
        (
            "/xlive/web-room/v1/index/getDanmuInfo",
            {"code": 0, "data": {"host_list": []}},
            "no chat server",
            True,
        ),
    ],
)
async def test_the_api_refuses(path: str, answer: object, message: str, retryable: bool):
    """Each answer that leads nowhere is told in words."""
    async with bilibili(talk) as room:
        room.web.on(path, answer)
        with pytest.raises(SourceError, match=message) as error:
            await take(BilibiliSource(5, servers=room.servers), 1)
    assert error.value.retryable is retryable


async def test_the_api_is_not_there():
    """Without a network the error says who cannot be reached."""
    async with bilibili(talk) as room:
        servers = room.servers
    with pytest.raises(SourceError, match="Bilibili cannot be reached"):
        await take(BilibiliSource(5, servers=servers), 1)
