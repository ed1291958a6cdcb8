"""`/client-ws`: one ASGI call per connection, from the handshake to the last log line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from uvicorn.protocols.utils import ClientDisconnected

from greenroom.config.errors import ConfigError
from greenroom.server.security.visitor import Visitor, visitor_of
from greenroom.server.socket_protocol import SCOPE_KEY, SocketProtocol
from greenroom.sessions.outbox import OutboxClosed, Sink
from greenroom.sessions.router import Router
from greenroom.sessions.service_context import ServiceContext
from greenroom.sessions.services import Services
from greenroom.tasks import ScopeClosed

log = structlog.stdlib.get_logger("greenroom.server")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class SocketConnection:
    """The sending side of one ASGI WebSocket."""

    __slots__ = ("_protocol", "_send")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._protocol: SocketProtocol | None = scope.get(SCOPE_KEY)

    async def send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    def drop(self, code: int, reason: str) -> None:
        if self._protocol is not None:
            self._protocol.drop(code, reason)

    def sink(self) -> Sink | None:
        """The way past ASGI, which is one call through four layers and one system call for each message."""
        return self._protocol.sink if self._protocol is not None else None


class ClientEndpoint:
    """Serves `/client-ws`. `accepting` turns False when the server shuts down."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.accepting = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        visitor = visitor_of(scope)
        address = visitor.address
        refusal = self._refusal(visitor)
        if refusal is not None:
            code, reason = refusal
            self._services.refusals.warn(
                log, "connection", "connection refused", address=address, reason=reason
            )
            self._services.meter.refused("connection")
            # Accepted first: a browser shows a page no code and no reason of a handshake that fails.
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": code, "reason": reason})
            return
        try:
            context = ServiceContext(self._services, SocketConnection(scope, send), str(uuid4()), address)
        except (ConfigError, ScopeClosed) as error:
            log.error("a client could not be served", error=str(error))
            await send({"type": "websocket.accept"})
            await send(
                {"type": "websocket.close", "code": 1013, "reason": "the server cannot serve a page now"}
            )
            return
        self._services.registry.add(context)
        self._services.seats.take(address)
        reason = "the server failed"
        try:
            await send({"type": "websocket.accept"})
            reason = await self._serve(context, receive)
        except OutboxClosed as error:
            reason = str(error)
        except ClientDisconnected:
            reason = "gone before it was let in"
        except asyncio.CancelledError:
            reason = "cancelled"
            raise
        except Exception:
            log.exception("a connection failed", client=context.client_uid)
            with contextlib.suppress(Exception):
                await send({"type": "websocket.close", "code": 1011, "reason": "internal error"})
        finally:
            try:
                await context.close(reason)
            finally:
                self._services.seats.give_back(address)

    async def _serve(self, context: ServiceContext, receive: Receive) -> str:
        await context.open()
        router = Router(context)
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return reason_of(event)
            text = event.get("text")
            await router.receive(text if text is not None else event.get("bytes") or b"")

    def _refusal(self, visitor: Visitor) -> tuple[int, str] | None:
        if not self.accepting:
            return 1012, "the server is restarting"
        limits = self._services.settings.limits
        return self._services.seats.refusal(limits, visitor.address, exempt=visitor.here)


def reason_of(event: MutableMapping[str, Any]) -> str:
    """Why a connection ended, in words."""
    code = event.get("code")
    texts = {
        1000: "closed by the page",
        1001: "the page was left",
        1005: "closed by the page",
        1006: "connection lost",
    }
    texts |= {1011: "no answer to a ping", 1012: "the server shuts down", 1013: "does not read"}
    return texts.get(code or 0, f"closed with {code}")
