"""`/ops/*`: state, stream, tree, stacks, soak and export. Everything passes `Guard` first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from time import time
from typing import Any

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from greenroom.server.files import Page
from greenroom.server.http_protocol import SCOPE_KEY
from greenroom.server.openapi import ApiRoute
from greenroom.server.ops import operations
from greenroom.server.ops.broadcast import Full
from greenroom.server.ops.messages import (
    OpsError,
    OpsProblem,
    OpsSoakRequest,
    OpsSoakStarted,
    OpsStack,
    OpsTree,
)
from greenroom.server.ops.room import OpsRoom
from greenroom.server.ops.soak import SoakRefused
from greenroom.server.ops.tree import BadCursor, find_job, stack_of, tree_page, with_code
from greenroom.server.security.visitor import ops_allowed

log = structlog.stdlib.get_logger("greenroom.server")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = Callable[[Request], Awaitable[Response]]

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
MAX_BODY = 4096
NOT_ALLOWED = OpsProblem("the ops room is for this machine only", "open it from the machine itself", None)
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def problem(status: int, problem: str, fix: str, field: str | None = None, **headers: str) -> Response:
    """An answer that says what is wrong, and how to mend it."""
    return _json(OpsError(OpsProblem(problem, fix, field)), status, **headers)


def _json(value: object, status: int = 200, **headers: str) -> Response:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Response(body, status, media_type="application/json", headers={**NO_STORE, **headers})


def guarded(answer: Answer) -> Answer:
    """Let only those in who may see the ops room."""

    async def guard(request: Request) -> Response:
        refused = refusal(request)
        return await answer(request) if refused is None else refused

    return guard


def refusal(request: Request) -> Response | None:
    """Why a request is not answered; None if it may be. The door has refused it before; this is for its absence."""
    if not ops_allowed(request.scope):
        return _json(OpsError(NOT_ALLOWED), 403)
    return None


class OpsRoutes:
    """The answers."""

    def __init__(self, room: OpsRoom, page: Page) -> None:
        self._room = room
        self._page = page

    def routes(self) -> list[BaseRoute]:
        o = operations
        settings = self._room.settings
        return [
            ApiRoute("/ops", guarded(self.page), o.PAGE),
            ApiRoute("/ops/state", guarded(self.state), o.STATE),
            ApiRoute("/ops/events", EventStream(self._room), o.EVENTS),
            ApiRoute("/ops/tree", guarded(self.tree), o.tree(settings.tree_nodes)),
            ApiRoute("/ops/tasks/{id}/stack", guarded(self.stack), o.STACK),
            ApiRoute("/ops/soak", guarded(self.soak), o.start_soak(settings.soak_visits), o.CANCEL_SOAK),
            ApiRoute("/ops/export", guarded(self.export), o.EXPORT),
            ApiRoute("/ops/{path:path}", guarded(nothing_here), o.NOTHING),
        ]

    async def page(self, request: Request) -> Response:
        return self._page.file(request, "ops.html")

    async def state(self, request: Request) -> Response:
        return _json(self._room.book.state())

    async def tree(self, request: Request) -> Response:
        most = self._room.settings.tree_nodes
        text = request.query_params.get("limit", str(most))
        if not (text.isascii() and text.isdecimal()) or len(text) > 9 or not 1 <= int(text) <= most:
            return problem(422, f"limit: {text[:40]!r}", f"use 1 to {most} (ops.tree_nodes)", "limit")
        try:
            found = await tree_page(self._room.root, request.query_params.get("after"), int(text))
        except BadCursor as error:
            return problem(422, str(error), "use the `next` of an earlier page", "after")
        return _json(found)

    async def stack(self, request: Request) -> Response:
        job = await find_job(self._room.root, request.path_params["id"])
        if job is None:
            return problem(404, "there is no such task any more", "ask for the tree again", "id")
        stack, places = stack_of(job)
        found: OpsStack = await self._room.scope.run_in_thread(with_code, stack, places)
        return _json(found)

    async def soak(self, request: Request) -> Response:
        return await (self.cancel_soak if request.method == "DELETE" else self.start_soak)(request)

    async def start_soak(self, request: Request) -> Response:
        body = bytearray()
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY:
                    return problem(413, f"more than {MAX_BODY} bytes", 'send {"visits": 50, "mode": "mixed"}')
        except ClientDisconnect:  # nobody hears the answer, and it is no error of ours
            return problem(400, "the body did not come whole", "send it again")
        try:
            wanted = msgspec.json.decode(bytes(body) or b"{}", type=OpsSoakRequest)
        except (msgspec.DecodeError, UnicodeError) as error:
            return problem(422, str(error)[:200], 'send {"visits": 50, "mode": "mixed"}')
        try:
            return _json(OpsSoakStarted(self._room.soak.start(wanted)), 202)
        except SoakRefused as error:
            return _json(OpsError(error.problem), error.status)

    async def cancel_soak(self, request: Request) -> Response:
        if not await self._room.soak.cancel():
            return problem(404, "no soak runs", "start one with POST")
        return _json(self._room.soak.current)

    async def export(self, request: Request) -> Response:
        tree: OpsTree = await tree_page(self._room.root, None, self._room.settings.tree_nodes)
        # As OpsExport; the state is encoded already.
        whole = {"exported_at": round(time(), 1), "state": msgspec.Raw(self._room.book.state()), "tree": tree}
        name = f"greenroom-ops-{datetime.now():%Y-%m-%d-%H%M%S}.json"
        answer = _json(msgspec.json.encode(whole))
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


async def nothing_here(request: Request) -> Response:
    return problem(404, f"there is no {request.method} {request.url.path[:100]}", "see docs/ops.md")


class EventStream:
    """`/ops/events`, as a bare ASGI endpoint: its headers go the usual way, its events past all layers."""

    def __init__(self, room: OpsRoom) -> None:
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        refused = refusal(request)
        broadcast = self._room.broadcast
        if refused is None and (broadcast.closed or broadcast.full):
            text = f"{len(broadcast)} pages and terminals watch already"
            refused = problem(503, text, "close one, or raise ops.max_subscribers", **{"Retry-After": "5"})
        if refused is not None:
            await refused(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        if request.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            subscriber = self._room.subscribe(scope[SCOPE_KEY])
        except Full as error:
            log.warning("an ops page was turned away", reason=str(error))
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            broadcast.leave(subscriber)
