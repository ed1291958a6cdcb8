"""What every visitor shares: the connection, and the interface a soak drives."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from greenroom.lab.record import Visit

_PROXY: dict[str, Any] = {"proxy": None} if "proxy" in inspect.signature(connect.__init__).parameters else {}


class Unreachable(Exception):
    """The server cannot be spoken to at all; the text says what to check."""


class Visitor(ABC):
    """Pays visits of several manners to one kind of server."""

    manners: ClassVar[frozenset[str]]
    """What it can do."""
    on_opened: Callable[[], None] = staticmethod(lambda: None)
    """Called when a page is open, before it says anything."""

    @abstractmethod
    async def pay(self, visit: Visit) -> None:
        """Carry out `visit.manner` and fill in what was measured; a failure goes to `visit.error`."""

    @abstractmethod
    async def bystander(self) -> Bystanding:
        """Open a page that only looks how quickly it is answered. Raises Unreachable."""

    @abstractmethod
    async def finish(self) -> None:
        """Let go of connections that visits have kept open on purpose."""


class Bystanding(ABC):
    """An open page that measures round trips."""

    @abstractmethod
    async def round_trip(self) -> None:
        """Return when an answer has come. Raises Gone when the connection has ended."""

    @abstractmethod
    async def leave(self) -> None:
        """Close it."""


class Gone(Exception):
    """The bystander's connection has ended."""


class PingBystander(Bystanding):
    """Measures with the WebSocket protocol's own ping, which every server answers on its loop."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def round_trip(self) -> None:
        try:
            await (await self._socket.ping())
        except ConnectionClosed as error:
            raise Gone(str(error)) from error

    async def leave(self) -> None:
        await self._socket.close()


def token_header() -> dict[str, str]:
    """What a server that asks for a token is shown: an environment variable is in no list of processes."""
    token = os.environ.get("GREENROOM_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


async def dial(
    url: str,
    patience: float,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: list[str] | None = None,
) -> ClientConnection:
    """Open a WebSocket. Raises TimeoutError, OSError or websockets' InvalidHandshake.

    The environment variable GREENROOM_TOKEN is shown to the server, if it is set.
    """
    options: dict[str, Any] = {"subprotocols": subprotocols} if subprotocols else {}
    return await connect(
        url, compression=None, max_size=None, ping_interval=None, open_timeout=patience, close_timeout=2,
        additional_headers=token_header() | dict(headers or {}), **options, **_PROXY,
    )  # fmt: skip


def why_unreachable(url: str, error: BaseException) -> Unreachable:
    """The same failure in words for the user."""
    if isinstance(error, InvalidURI):
        return Unreachable(f"{url} is no WebSocket address; one looks like ws://127.0.0.1:12393/client-ws")
    if isinstance(error, InvalidHandshake):
        return Unreachable(f"{url} answers, but not as a WebSocket ({error}): check the path")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{url} does not answer in time")
    return Unreachable(f"nothing listens at {url} ({error}): start the server first")


FAILURES = (OSError, TimeoutError, InvalidHandshake, InvalidURI)
"""What `dial` raises."""
