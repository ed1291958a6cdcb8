"""The HTTP side of logging in: `/login`, `/logout`, and where somebody without a token is led."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal
from urllib.parse import parse_qs, quote

import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from greenroom.server.openapi import (
    HTML,
    JSON,
    LOCATION,
    SAID,
    Answer,
    Operation,
    Parameter,
    ProblemAnswer,
)
from greenroom.server.security.admission import (
    Admission,
    Entry,
    Knock,
    Refusal,
    cookie_in,
    cookie_name,
    is_ops,
    without_token,
)
from greenroom.server.security.keyring import Key
from greenroom.server.security.login import POLICY, bounce_page, language_of, login_page, safe_next, up_from
from greenroom.server.security.peers import Peer

log = structlog.stdlib.get_logger("greenroom.door")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Report = Callable[[Refusal, Knock, Peer], None]

MAX_BODY = 8192
BODY_SECONDS = 10.0
PRIVATE = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY}
UNREADABLE = Refusal(
    "form", 400, "The form could not be read.", f"Send token=… as a form, in {MAX_BODY} bytes at most."
)


class Done(Struct, frozen=True):
    """It was done."""

    ok: Literal[True]


FORM = {
    "application/x-www-form-urlencoded": {
        "type": "object",
        "properties": {
            "token": {"type": "string"},
            "next": {"type": "string", "description": "Where to go then, relative to `/`."},
        },
        "required": ["token"],
    }
}
FOR_PROGRAMS = "To whoever accepts `application/json`."
OPERATIONS = {
    "/login": (
        Operation(
            "GET", "login-page", "The page that asks for a token.",
            {
                200: Answer("The page.", {HTML: SAID}),
                303: Answer("Whoever needs none, or has shown it, is led on.", {}, LOCATION),
            },
            [Parameter("next", "query", "Where to go then, relative to `/`.", example="ops"),
             Parameter("why", "query", "What is to be said of an earlier try: `wrong-token`, `ops`.")],
            needs="nobody", tag="door",
        ),
        Operation(
            "POST", "login", "Show a token, get a session.",
            {
                200: Answer(FOR_PROGRAMS, {JSON: Done}, {"Set-Cookie": "The session."}),
                303: Answer("To everybody else.", {}, LOCATION | {"Set-Cookie": "The session."}),
                400: Answer("A form that could not be read.", {JSON: ProblemAnswer}),
                401: Answer("That is no token of this server.", {HTML: SAID, JSON: ProblemAnswer}),
                429: Answer(
                    "Too many wrong tokens came from this address.", {HTML: SAID, JSON: ProblemAnswer},
                    {"Retry-After": "In seconds."},
                ),
            },
            body=FORM, needs="nobody", tag="door",
        ),
    ),
    "/logout": (
        Operation(
            "POST", "logout", "End the session.",
            {
                200: Answer(FOR_PROGRAMS, {JSON: Done}, {"Set-Cookie": "None any more."}),
                303: Answer("To everybody else.", {}, LOCATION | {"Set-Cookie": "None any more."}),
            },
            needs="nobody", tag="door",
        ),
    ),
}  # fmt: skip
"""What the desk answers, for `/openapi.json`."""


class LoginDesk:
    """Answers what is about logging in; everything else goes on to the application."""

    def __init__(self, admission: Admission, report: Report) -> None:
        self._admission = admission
        self._report = report

    async def serve(
        self, entry: Entry, knock: Knock, peer: Peer, scope: Scope, receive: Receive, send: Send
    ) -> bool:
        """Answer a request of somebody who may come in, if it is the desk's; False if it is not."""
        answer: Response | None = None
        request = Request(scope, receive)
        if knock.path == "/login":
            answer = await self._login(entry, knock, peer, request)
        elif knock.path == "/logout":
            answer = self._logout(knock, peer, request)
        elif entry.by_query and entry.key is not None and is_navigation(knock):
            # The token goes out of the address, which is kept in the browser's history and shown to bystanders.
            answer = HTMLResponse(bounce_page(_own_address(knock)), headers=PRIVATE)
            self._remember(answer, entry.key, knock, peer)
        if answer is None:
            return False
        await answer(scope, receive, send)
        return True

    async def refuse(
        self, refusal: Refusal, knock: Knock, peer: Peer, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request of somebody who may not come in: a person is led to the log-in."""
        answer: Response
        asks = refusal.code in ("no-token", "wrong-token", "too-many-attempts") or (
            refusal.code == "ops" and self._admission.keyring.for_ops
        )
        if asks and is_navigation(knock):
            if refusal.code == "no-token" and knock.header(b"sec-fetch-site") in ("cross-site", "same-site"):
                answer = HTMLResponse(bounce_page(_own_address(knock)), headers=PRIVATE)
            else:
                after = knock.path.lstrip("/") + _question(without_token(knock.query))
                why = f"&why={refusal.code}" if refusal.code != "no-token" else ""
                place = f"{up_from(knock.path)}login?next={quote(after, safe='')}{why}"
                answer = RedirectResponse(place, status_code=303, headers=PRIVATE)
        else:
            answer = refusal_response(refusal)
        await answer(scope, receive, send)

    async def _login(self, entry: Entry, knock: Knock, peer: Peer, request: Request) -> Response:
        language = language_of(request.headers)
        if knock.method in ("GET", "HEAD"):
            after = safe_next(request.query_params.get("next", ""))
            ops = is_ops("/" + after.partition("?")[0])
            enough = entry.visitor.may_ops if ops else entry.visitor.may_visit
            if enough or not (self._admission.asks or self._admission.keyring.for_ops):
                return RedirectResponse(f"./{after}", status_code=303, headers=PRIVATE)
            why = request.query_params.get("why", "")
            problem = why if why in ("wrong-token", "ops") and (why != "ops" or entry.key) else ""
            return HTMLResponse(login_page(language, after, problem=problem, ops=ops), headers=PRIVATE)
        if knock.method != "POST":
            return wrong_method(knock, "GET, HEAD, POST")
        fields = await _fields(request)
        if fields is None:
            return refusal_response(UNREADABLE)
        token, after = fields.get("token", "").strip(), safe_next(fields.get("next", ""))
        as_json = "application/json" in knock.header(b"accept")
        found = self._admission.open_with(token, peer.address, knock.now)
        if isinstance(found, Refusal):
            self._report(found, knock, peer)
            if as_json:
                return refusal_response(found)
            html = login_page(
                language,
                after,
                problem=found.code,
                seconds=found.retry_seconds,
                ops=is_ops("/" + after.partition("?")[0]),
            )
            headers = PRIVATE | ({"Retry-After": str(found.retry_seconds)} if found.retry_seconds else {})
            return HTMLResponse(html, status_code=found.status, headers=headers)
        answer: Response = JSONResponse({"ok": True}, headers=PRIVATE)
        if not as_json:
            answer = RedirectResponse(f"./{after}", status_code=303, headers=PRIVATE)
        self._remember(answer, found, knock, peer)
        return answer

    def _remember(self, answer: Response, key: Key, knock: Knock, peer: Peer) -> None:
        sessions = self._admission.sessions
        name = sessions.begin(key, knock.now, instead_of=cookie_in(knock))
        log.info("logged in", token_name=key.name, address=peer.address)
        answer.set_cookie(
            cookie_name(knock.port),
            name,
            max_age=int(sessions.seconds),
            httponly=True,
            samesite="strict",
            secure=peer.secure,
        )

    def _logout(self, knock: Knock, peer: Peer, request: Request) -> Response:
        if knock.method != "POST":
            return wrong_method(knock, "POST")
        self._admission.sessions.end(cookie_in(knock))
        answer: Response = JSONResponse({"ok": True}, headers=PRIVATE)
        if "application/json" not in knock.header(b"accept"):
            answer = RedirectResponse("./login", status_code=303, headers=PRIVATE)
        answer.delete_cookie(cookie_name(knock.port), httponly=True, samesite="strict", secure=peer.secure)
        return answer


def is_navigation(knock: Knock) -> bool:
    """Whether a person opens a page, as opposed to a program that fetches something."""
    mode = knock.header(b"sec-fetch-mode")
    return knock.method == "GET" and "text/html" in knock.header(b"accept") and mode in ("", "navigate")


def wrong_method(knock: Knock, allowed: str) -> Response:
    """An answer to a method that an address does not know."""
    refusal = Refusal("method", 405, f"{knock.method[:20]} is no method of this address.", f"Use {allowed}.")
    answer = refusal_response(refusal)
    answer.headers["Allow"] = allowed
    return answer


def refusal_response(refusal: Refusal) -> Response:
    """A refusal as JSON, for programs."""
    error = {"field": None, "problem": refusal.problem, "fix": refusal.fix, "code": refusal.code}
    headers = {"Cache-Control": "no-store"}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="greenroom"'
    if refusal.retry_seconds:
        headers["Retry-After"] = str(refusal.retry_seconds)
    return JSONResponse({"error": error}, status_code=refusal.status, headers=headers)


def _own_address(knock: Knock) -> str:
    """The request's own address without its token, relative, so that it holds under a proxy's prefix."""
    return (quote(knock.path.rpartition("/")[2]) or "./") + _question(without_token(knock.query))


def _question(query: str) -> str:
    return f"?{query}" if query else ""


async def _fields(request: Request) -> dict[str, str] | None:
    """A small form, read within its time; None if it is none."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    return None
        parsed = parse_qs(body.decode("utf-8"), max_num_fields=20)
    except (TimeoutError, ClientDisconnect, ValueError):
        return None
    return {name: values[-1] for name, values in parsed.items()}
