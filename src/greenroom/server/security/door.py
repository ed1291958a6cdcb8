"""The door: one ASGI application before all others, so that no route can forget to ask who comes.

It finds out who sends a request (`Visitor`, in the scope), refuses whoever may not come in before a WebSocket is
accepted, serves `/login`, and takes every secret out of the scope before anything behind it sees it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from time import monotonic
from typing import Any, Protocol

import structlog

from greenroom.config.security import SecuritySettings
from greenroom.config.tokens import Token
from greenroom.server.http_protocol import SCOPE_KEY as TRANSPORT_KEY
from greenroom.server.security.admission import Admission, Entry, Knock, Refusal, is_ops, without_token
from greenroom.server.security.headers import with_defaults
from greenroom.server.security.keyring import Key
from greenroom.server.security.login_desk import LoginDesk, refusal_response
from greenroom.server.security.logins import Logins
from greenroom.server.security.peers import Peer, household
from greenroom.server.security.visitor import SCOPE_KEY
from greenroom.server.socket_protocol import SCOPE_KEY as SOCKET_KEY
from greenroom.server.socket_protocol import SocketProtocol
from greenroom.sessions.rate_limit import RateLimit
from greenroom.sessions.refusal_log import RefusalLog

log = structlog.stdlib.get_logger("greenroom.door")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_PATH_LOGGED = 200
_SECRET_HEADERS = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
_TO_PAGES = frozenset({"no-token", "wrong-token", "too-many-attempts", "ops"})
"""Refusals that an allowed page is told by a close code; a foreign page is told nothing it could read."""


class Meter(Protocol):
    """Counts what was refused, and what each token does."""

    def refused(self, what: str) -> None: ...
    def token_connections(self, name: str, change: int) -> None: ...
    def token_message(self, name: str) -> None: ...


class _Stream:
    """The answer to a request that goes on, such as the events of `/ops`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def drop(self, code: int, reason: str) -> None:
        self._transport.abort()


class Door:
    """Stands before `app`. `passes.issue` makes tokens for the server's own children."""

    def __init__(
        self,
        app: App,
        security: SecuritySettings,
        tokens: Iterable[Token],
        meter: Meter,
        *,
        clock: Callable[[], float] = monotonic,
        refusals: RefusalLog | None = None,
    ) -> None:
        self._app = app
        self._meter = meter
        self._clock = clock
        self._connected: Counter[str] = Counter()
        self._by_token: dict[str, list[SocketProtocol | None]] = {}
        """The sockets that have come in with each token; None where the server that runs us shows none."""
        self._rates: dict[str, RateLimit] = {}
        """By token, as many as are configured; kept when its last connection ends, or a new one would begin anew."""
        self._refusals = refusals or RefusalLog(clock)
        self._logins = Logins(clock)
        self.admission = Admission(
            security,
            tokens,
            is_connected=lambda address: address in self._connected,
            logins=self._logins,
        )
        self._desk = LoginDesk(self.admission, self.report)

    def issue_pass(self, name: str, *, seconds: float) -> str:
        """Return a token for a child process; it opens everything for so long."""
        return self.admission.passes.issue(name, seconds=seconds, now=self._clock())

    def revoke_pass(self, token: str) -> None:
        """End a pass. Idempotent."""
        self.admission.passes.revoke(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if kind == "http":
            send = with_defaults(send)
        knock = knock_of(scope, self._clock())
        peer = self.admission.peer(knock)
        found = self.admission.judge(knock, peer)
        inner = {**scope, "client": (peer.address, (scope.get("client") or ("", 0))[1])}
        if kind == "websocket" and (socket := scope.get(SOCKET_KEY)) is not None:
            socket.home = household(peer.address)
        if isinstance(found, Refusal):
            self.report(found, knock, peer)
            if kind == "websocket":
                await self._turn_away(found, knock, scope, receive, send)
            else:
                await self._desk.refuse(found, knock, peer, inner, receive, send)
            return
        if kind == "http" and await self._desk.serve(found, knock, peer, inner, receive, send):
            return
        inner[SCOPE_KEY] = found.visitor
        inner["headers"] = [pair for pair in scope["headers"] if pair[0] not in _SECRET_HEADERS]
        inner["query_string"] = without_token(knock.query).encode("latin-1", "replace")
        if found.key is not None:
            structlog.contextvars.bind_contextvars(token_name=found.key.name)
        if kind == "websocket":
            await self._let_in(found, inner, receive, send)
        elif found.ticket is not None and is_ops(knock.path) and TRANSPORT_KEY in scope:
            stream = _Stream(scope[TRANSPORT_KEY])
            self._logins.add(found.ticket, stream)
            try:
                await self._app(inner, receive, send)
            finally:
                self._logins.discard(stream)
        else:
            await self._app(inner, receive, send)

    async def _let_in(self, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
        key, address = entry.key, entry.visitor.address
        if key is not None and key.max_connections and self._open_with(key) >= key.max_connections:
            await receive()
            self._meter.refused("token connections")
            self._refusals.warn(
                log,
                "token connections",
                "refused",
                reason="token connections",
                address=address,
                limit=key.max_connections,
            )
            reason = f"{key.max_connections} connections are the limit of this token"
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        self._connected[address] += 1
        socket: SocketProtocol | None = scope.get(SOCKET_KEY)
        if entry.ticket is not None and socket is not None:
            self._logins.add(entry.ticket, socket)
        if key is not None:
            self._by_token.setdefault(key.name, []).append(socket)
            self._meter.token_connections(key.name, 1)
            receive = self._paced(key, receive)
        try:
            await self._app(scope, receive, send)
        finally:
            _take(self._connected, address)
            if socket is not None:
                self._logins.discard(socket)
            if key is not None:
                self._by_token[key.name].remove(socket)
                self._meter.token_connections(key.name, -1)

    def _open_with(self, key: Key) -> int:
        """How many of a token's connections are open. One that has hung up may take its place again at once,
        although what it held is still being cleared away."""
        sockets = self._by_token.get(key.name, ())
        return sum(socket is None or not socket.is_gone() for socket in sockets)

    def _paced(self, key: Key, receive: Receive) -> Receive:
        """Count a token's messages, and hold them up beyond its rate, which all its connections share."""
        rate = None
        if key.messages_per_second:
            allowed = key.messages_per_second
            rate = self._rates.setdefault(key.name, RateLimit(allowed, max(1.0, 2 * allowed), self._clock()))

        async def receiving() -> MutableMapping[str, Any]:
            event = await receive()
            if event["type"] == "websocket.receive":
                self._meter.token_message(key.name)
                if rate is not None and (wait := rate.take(self._clock())):
                    self._meter.refused("token rate")
                    await asyncio.sleep(wait)
            return event

        return receiving

    async def _turn_away(
        self, refusal: Refusal, knock: Knock, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await receive()
        if knock.header(b"origin") and refusal.code in _TO_PAGES:
            reason = f"{refusal.code}: {refusal.problem} {refusal.fix}"
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": refusal.close_code, "reason": reason[:120]})
            return
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = refusal_response(refusal)
        start = {"status": answer.status_code, "headers": answer.raw_headers}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": bytes(answer.body)})

    def report(self, refusal: Refusal, knock: Knock, peer: Peer) -> None:
        """Log and count a refusal; a flood of them does not become a flood of lines."""
        self._meter.refused(refusal.code)
        more: dict[str, Any] = {}
        if refusal.code == "origin":
            more["origin"] = knock.header(b"origin")[:MAX_PATH_LOGGED]
        elif refusal.code == "host":
            more["host"] = peer.host[:MAX_PATH_LOGGED]
        self._refusals.warn(
            log,
            refusal.code,
            "refused",
            reason=refusal.code,
            address=peer.address,
            path=knock.path[:MAX_PATH_LOGGED],
            problem=refusal.problem,
            fix=refusal.fix,
            **more,
        )


def knock_of(scope: Mapping[str, Any], now: float) -> Knock:
    """The facts of an ASGI scope."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return Knock(
        kind=scope["type"],
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        address=(scope.get("client") or ("", 0))[0],
        secure=scope.get("scheme") in ("https", "wss"),
        port=(scope.get("server") or ("", 0))[1] or 0,
        now=now,
    )


def _take(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if counter[name] <= 0:
        del counter[name]
