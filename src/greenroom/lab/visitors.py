"""What every visitor shares: the connection, and the interface a soak drives."""

from __future__ import annotations

import inspect
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from greenroom.lab.record import Visit
from greenroom.lab.vanished import Vanished

_PROXY: dict[str, Any] = {"proxy": None} if "proxy" in inspect.signature(connect.__init__).parameters else {}


class Unreachable(Exception):
    """The server cannot be spoken to at all; the text says what to check."""


@dataclass(frozen=True)
class Access:
    """What it takes to be let in: headers of each request, and whether any certificate will do."""

    headers: Mapping[str, str] = field(default_factory=dict)
    insecure: bool = False

    def ssl(self, url: str) -> ssl.SSLContext | None:
        """How to check the certificate: the usual way (None), or not at all."""
        if not (self.insecure and url.startswith("wss:")):
            return None
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


class Visitor(ABC):
    """Pays visits of several manners to one kind of server."""

    manners: ClassVar[frozenset[str]]
    """What it can do."""
    on_opened: Callable[[], None] = staticmethod(lambda: None)
    """Called when a page is open, before it says anything."""
    vanished: Vanished
    notes: list[str]
    """What the user should know about how this server was visited."""

    @abstractmethod
    async def pay(self, visit: Visit) -> None:
        """Carry out `visit.manner` and fill in what was measured; a failure goes to `visit.error`."""

    @abstractmethod
    async def bystander(self) -> Bystanding:
        """Open a page that only looks how quickly it is answered. Raises Unreachable."""

    async def check(self, mode: str) -> None:  # noqa: B027 - most have nothing to check
        """Look whether this server can be visited in this mode. Raises Unreachable."""

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


def linger(lasts: float | None) -> float:
    """Seconds that somebody stays after a reply has begun, who leaves in its middle.

    Until then a server that generates faster than it speaks has queued most of what it wants to say.

    Args:
        lasts: from the first reply to the whole one; None if nobody has heard a whole one.
    """
    return 0.0 if lasts is None else min(2.0, 0.4 * lasts)


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


async def dial(
    url: str,
    patience: float,
    *,
    access: Access = Access(),
    headers: Mapping[str, str] | None = None,
    subprotocols: list[str] | None = None,
) -> ClientConnection:
    """Open a WebSocket. Raises TimeoutError, OSError or websockets' InvalidHandshake."""
    options: dict[str, Any] = {"subprotocols": subprotocols} if subprotocols else {}
    if (context := access.ssl(url)) is not None:
        options["ssl"] = context
    return await connect(
        url, compression=None, max_size=None, ping_interval=None, open_timeout=patience, close_timeout=2,
        additional_headers={**access.headers, **(headers or {})}, **options, **_PROXY,
    )  # fmt: skip


def shown(url: str) -> str:
    """The address without what follows the question mark, which may be a token."""
    return urlsplit(url)._replace(query="…" if "?" in url else "", fragment="").geturl()


def why_unreachable(url: str, error: BaseException) -> Unreachable:
    """The same failure in words for the user."""
    host, url = urlsplit(url).hostname, shown(url)
    if isinstance(error, InvalidURI):
        return Unreachable(f"{url} is no WebSocket address; one looks like ws://127.0.0.1:12393/client-ws")
    if isinstance(error, InvalidStatus):
        return Unreachable(f"{url} {refusal(error.response.status_code)}")
    if isinstance(error, ConnectionClosed):
        code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd is not None else (1006, "")
        told = f"{code}{f' {reason!r}' if reason else ''}"
        if code in (1008, 3000, 4001, 4003, 4401, 4403):
            return Unreachable(f"{url} let a page in and closed it with {told}: {CREDENTIALS}")
        return Unreachable(f"{url} let a page in and closed it with {told} before it had greeted it")
    if isinstance(error, InvalidHandshake | EOFError | ConnectionResetError):
        hint = "it may want wss://" if url.startswith("ws:") else "it may want ws://"
        return Unreachable(f"{url} answers, but not as a WebSocket ({error}): check the path; {hint}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"the certificate of {url} is not trusted ({getattr(error, 'verify_message', error)}): "
            "--insecure accepts it"
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            f"{url} does not speak TLS ({getattr(error, 'reason', None) or error}): it may want ws://"
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{url} does not answer in time: check host and port, or give it longer with --patience"
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(f"there is no host {host!r} ({error.strerror}): check the address")
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        return Unreachable(f"nothing listens at {url} ({reason}): start the server first, or check the port")
    return Unreachable(f"{url} answers with what is no message of the protocol ({error})")


CREDENTIALS = "it wants credentials: --token TOKEN, --header 'Name: value', or ?token=… in the address"


def refusal(status: int) -> str:
    """What a status instead of a WebSocket means for the user."""
    match status:
        case 401 | 403:
            return f"refuses with {status}: {CREDENTIALS}; some servers say 403 for a wrong path too"
        case 404:
            return "answers 404: there is a web server, but no WebSocket at this path"
        case 301 | 302 | 307 | 308:
            return f"answers {status}, a redirect: use the address it leads to"
        case 429 | 503:
            return f"answers {status}: it is full, or not ready yet; try again in a moment"
        case _:
            return f"answers {status}, but not as a WebSocket: check the path"


FAILURES = (OSError, TimeoutError, InvalidHandshake, InvalidURI)
"""What `dial` raises."""
