"""`/proxy-ws?room=NAME`: viewers of a room, and bots that speak into it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import structlog

from greenroom.live.rooms import RoomRefused, Rooms
from greenroom.live.viewer import Viewer
from greenroom.server.client_ws import Receive, Scope, Send, reason_of
from greenroom.server.security.visitor import visitor_of
from greenroom.server.socket_protocol import SCOPE_KEY, text_frame
from greenroom.sessions.outbox import OutboxClosed
from greenroom.sessions.services import Services

log = structlog.stdlib.get_logger("greenroom.server")


class ProxyEndpoint:
    """Serves `/proxy-ws`."""

    def __init__(self, services: Services, rooms: Rooms) -> None:
        self._services = services
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        limits = self._services.settings.limits
        visitor = visitor_of(scope)
        address = visitor.address
        viewer = Viewer(
            uuid4().hex,
            address,
            scope[SCOPE_KEY],
            text_frame,
            max_bytes=limits.outbox_bytes,
            drain_seconds=limits.outbox_drain_seconds,
            trusted=visitor.trusted,
        )
        seats = self._services.seats
        try:
            if (full := seats.refusal(limits, address, exempt=visitor.here)) is not None:
                raise RoomRefused(*full)
            seats.take(address)
            try:
                await self._watch(_room_name(scope), viewer, receive, send)
            finally:
                seats.give_back(address)
        except RoomRefused as refused:
            self._services.refusals.warn(
                log,
                "viewer",
                "viewer refused",
                room=_room_name(scope)[:64],
                address=address,
                reason=str(refused),
            )
            self._services.meter.refused("viewer")
            await send({"type": "websocket.close", "code": refused.code, "reason": str(refused)})

    async def _watch(self, name: str, viewer: Viewer, receive: Receive, send: Send) -> None:
        room = self._rooms.enter(name, viewer)
        reason = "the server failed"
        try:
            router = room.router_for(viewer)
            while True:
                event: MutableMapping[str, Any] = await receive()
                if event["type"] == "websocket.disconnect":
                    reason = reason_of(event)
                    break
                text = event.get("text")
                await router.receive(text if text is not None else event.get("bytes") or b"")
        except OutboxClosed as error:
            reason = str(error)
            viewer.drop(1012, "the room was closed")
        except asyncio.CancelledError:
            reason = "cancelled"
            raise
        except Exception:
            log.exception("a viewer's connection failed", room=room.name)
            with contextlib.suppress(Exception):
                await send({"type": "websocket.close", "code": 1011, "reason": "internal error"})
        finally:
            self._rooms.leave(room, viewer)
            log.debug("viewer left", room=room.name, reason=reason)


def _room_name(scope: Scope) -> str:
    wanted = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("room")
    return wanted[0] if wanted else "main"
