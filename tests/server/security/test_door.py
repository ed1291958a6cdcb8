"""The door as an ASGI application: who has a place behind it, and when it is free again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.server.security.knocks import BOT_TOKEN, TOKEN

from greenroom.config.security import SecuritySettings
from greenroom.config.settings import Settings
from greenroom.config.tokens import load_tokens
from greenroom.server.security.door import Door
from greenroom.server.socket_protocol import SCOPE_KEY
from greenroom.tasks import TaskScope


class Silent:
    """A meter nobody reads."""

    def refused(self, what: str) -> None: ...
    def token_connections(self, name: str, change: int) -> None: ...
    def token_message(self, name: str) -> None: ...


class Socket:
    """One connection, as the protocol below ASGI knows it."""

    def __init__(self) -> None:
        self.gone = False
        self.sent: list[dict[str, Any]] = []

    def is_gone(self) -> bool:
        return self.gone

    async def receive(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


class House:
    """What is behind the door: takes its time to clear away whoever has gone."""

    def __init__(self) -> None:
        self.inside: list[Socket] = []
        self.cleared = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside.append(scope[SCOPE_KEY])
        await self.cleared.wait()


@pytest.mark.parametrize("most", [1, 3])
async def test_a_place_is_free_as_soon_as_its_connection_has_gone(most: int) -> None:
    """A bot that comes back at once need not wait until the server has put away what its last visit held."""
    bot = {"name": "bot", "token": BOT_TOKEN, "max_connections": most}
    section = SecuritySettings.model_validate({"token": TOKEN, "tokens": [bot]})
    house = House()
    door = Door(house, section, load_tokens(Settings(security=section)), Silent())
    async with TaskScope("knocking") as scope:

        async def knock() -> Socket:
            socket = Socket()
            asked = {
                "type": "websocket",
                "path": "/client-ws",
                "query_string": f"token={BOT_TOKEN}".encode(),
                "headers": [(b"host", b"127.0.0.1:12393")],
                "client": ("127.0.0.1", 40000),
                "server": ("127.0.0.1", 12393),
                SCOPE_KEY: socket,
            }
            scope.start(door, asked, socket.receive, socket.send)
            for _ in range(5):
                await asyncio.sleep(0)
            return socket

        first = [await knock() for _ in range(most)]
        refused = await knock()
        assert [message.get("code") for message in refused.sent] == [None, 1008]
        first[0].gone = True
        again = await knock()
        assert house.inside == [*first, again]
        assert (await knock()).sent[-1]["code"] == 1008
        house.cleared.set()
    assert not any(door._by_token.values())
