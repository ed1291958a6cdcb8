"""A Bilibili room's chat: asked for over HTTP, streamed over a WebSocket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from greenroom.live.sources.base import ChatMessage, ChatSource, SourceError
from greenroom.live.sources.bilibili_api import BilibiliServers, RoomAccess, open_room
from greenroom.live.sources.bilibili_messages import message_of
from greenroom.live.sources.bilibili_packets import (
    AUTH,
    AUTH_REPLY,
    HEARTBEAT,
    PacketError,
    commands,
    packet,
    require_brotli,
)
from greenroom.live.sources.http import USER_AGENT, client

__all__ = ["BilibiliSource"]

HEARTBEAT_SECONDS = 30.0
ANSWER_SECONDS = 15.0
"""For the WebSocket's and the chat's login, and for a heartbeat's answer."""
MAX_FRAME = 1024 * 1024


class BilibiliSource(ChatSource):
    """Reads a room without an account, or with one's own cookie.

    Args:
        room: its number, the short one too.
        sessdata: the cookie of a login: without it Bilibili masks names and hides user ids.
    """

    def __init__(
        self,
        room: int,
        *,
        sessdata: str | None = None,
        servers: BilibiliServers | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        super().__init__(f"bilibili://{room}")
        self._room = room
        self._sessdata = sessdata
        self._servers = servers or BilibiliServers()
        self._heartbeat_seconds = heartbeat_seconds
        self._answer_seconds = answer_seconds
        self._attempts = itertools.count()

    def describe(self) -> str:
        return f"room {self._room} on Bilibili"

    async def messages(self) -> AsyncGenerator[ChatMessage, None]:
        require_brotli()
        async with client() as http:
            if self._sessdata:
                http.cookies.set("SESSDATA", self._sessdata)
            access = await open_room(http, self._room, self._servers)
        # One server after the other: the next attempt goes to another one.
        server = access.servers[next(self._attempts) % len(access.servers)]
        socket = await self._connect(server.url)
        try:
            await socket.send(packet(AUTH, _login(access)))
            loop = asyncio.get_running_loop()
            greeted = False
            beat_at = loop.time() + self._answer_seconds
            heard_at = loop.time()
            while True:
                frame = await self._receive(socket, beat_at)
                now = loop.time()
                if frame is None or (greeted and now >= beat_at):
                    if not greeted:
                        raise SourceError(f"{self.url}: the chat did not answer the login")
                    if now - heard_at > self._heartbeat_seconds + self._answer_seconds:
                        raise SourceError(f"{self.url}: the chat has fallen silent")
                    await socket.send(packet(HEARTBEAT, b"{}"))
                    beat_at = now + self._heartbeat_seconds
                if frame is None:
                    continue
                heard_at = now
                for operation, command in commands(frame):
                    if operation == AUTH_REPLY:
                        self._check(command)
                        greeted = True
                        await socket.send(packet(HEARTBEAT, b"{}"))
                        beat_at = now + self._heartbeat_seconds
                        self.on_connected()
                    elif (message := message_of(command, self.url, access.owner)) is not None:
                        yield message
        except PacketError as error:
            raise SourceError(f"{self.url}: the chat sent something unreadable: {error}") from None
        except (OSError, WebSocketException) as error:
            raise SourceError(f"{self.url}: the connection was lost: {error}") from None
        finally:
            # Without the closing handshake: whoever closes us has a deadline.
            socket.transport.abort()

    async def _receive(self, socket: ClientConnection, until: float) -> bytes | None:
        """The next frame, or None when `until` (the loop's time) has come."""
        try:
            async with asyncio.timeout_at(until):
                frame = await socket.recv()
        except TimeoutError:
            return None
        return frame if isinstance(frame, bytes) else frame.encode()

    def _check(self, answer: dict[str, object]) -> None:
        code = answer.get("code")
        if code != 0:
            # The token is used up; the next attempt asks for a new one.
            raise SourceError(f"{self.url}: the chat refused the login (code {code})")

    async def _connect(self, url: str) -> ClientConnection:
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await connect(
                    url,
                    user_agent_header=USER_AGENT,
                    compression=None,
                    ping_interval=None,
                    max_size=MAX_FRAME,
                    open_timeout=None,
                )
        except TimeoutError:
            raise SourceError(
                f"{self.url}: no connection to {url} within {self._answer_seconds:g} s"
            ) from None
        except (OSError, InvalidHandshake, InvalidURI, WebSocketException) as error:
            raise SourceError(f"{self.url}: cannot connect to {url}: {error}") from None


def _login(access: RoomAccess) -> bytes:
    return msgspec.json.encode(
        {
            "uid": access.uid,
            "roomid": access.room,
            "protover": 3,
            "platform": "web",
            "type": 2,
            "buvid": access.buvid,
            "key": access.token,
        }
    )
