"""The HTTP API in its own words: an OpenAPI 3.1 document, made from the very routes that answer.

Each route is an `ApiRoute`, so it cannot be made without saying what it answers. What the door and the HTTP layer
say to any request is added here: log-ins, refusals, headers. Bodies are the classes that are encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.types import Scope

from greenroom import __version__
from greenroom.server.security.admission import STRAIGHT, cookie_name

JSON = "application/json"
HTML = "text/html"
TEXT = "text/plain"
Needs = Literal["nobody", "visitor", "ops"]
Schema = Mapping[str, Any]
Content = Mapping[str, Any]
"""Bodies by media type: a class, a JSON Schema as a dict, or None for bytes of which no more can be said."""
SAID: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "pattern": f"^{STRAIGHT}*$"}
"""A part of a path; `..` is refused too, which a pattern says badly."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a request, and what to do."""

    problem: str
    fix: str
    field: str | None
    """Of the request; null if it is about none of them."""
    code: str | msgspec.UnsetType = msgspec.UNSET
    """For programs: why the door refused (see docs/deploy.md)."""


class ProblemAnswer(msgspec.Struct, frozen=True):
    """The body of a refusal."""

    error: Problem


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a request."""

    name: str
    where: Literal["path", "query", "header"]
    text: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    example: str | int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one status means. `headers`: more that it has, with what they say; always, unless `sometimes`."""

    text: str
    content: Content = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    sometimes: bool = False
    bare: bool = False
    """Said before the request reached the application, without its headers."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: Literal["GET", "POST", "DELETE"]
    name: str
    text: str
    answers: Mapping[int, Answer]
    parameters: Sequence[Parameter] = ()
    body: Content = field(default_factory=dict)
    needs: Needs = "visitor"
    tag: str = "page"


class ApiRoute(Route):
    """A route that says what it answers. GET answers HEAD too, as Starlette has it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *operations: Operation) -> None:
        super().__init__(path, endpoint, methods=[operation.method for operation in operations])
        self.operations = operations

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # A path is one route's alone: what it does not answer is 405, and no matter of the routes behind it.
        match, child = super().matches(scope)
        return Match.FULL if match is Match.PARTIAL else match, child


class ApiMount(Mount):
    """A folder of files that says what it answers."""

    def __init__(self, path: str, app: Any, parameter: str, *operations: Operation) -> None:
        super().__init__(path, app)
        self.shown_path = f"{self.path}/{{{parameter}}}"
        self.operations = operations


class ApiSocket(WebSocketRoute):
    """A WebSocket, which OpenAPI cannot describe: named with one sentence."""

    def __init__(self, path: str, endpoint: Any, text: str) -> None:
        super().__init__(path, endpoint)
        self.text = text


LOCATION = {"Location": "Where to go, relative to the request's own address."}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "What a browser may do with the answer.",
}
PROBLEM: Content = {JSON: ProblemAnswer}
BARE: dict[int, Answer] = {
    400: Answer(
        "No HTTP, or a path that leads out of the server.", {JSON: ProblemAnswer, TEXT: SAID}, bare=True
    ),
    408: Answer("The head of the request took too long (`limits.handshake_seconds`).", bare=True),
    431: Answer("The head of the request is larger than 64 KiB.", bare=True),
}
DOOR: dict[int, Answer] = {
    401: Answer("No token, or a wrong one.", PROBLEM, {"WWW-Authenticate": "Bearer"}),
    403: Answer(
        "Not for you: another origin, an unknown host, a proxy, or the ops token is asked for.", PROBLEM
    ),
    429: Answer("Too many wrong tokens came from this address.", PROBLEM, {"Retry-After": "In seconds."}),
}
LED = Answer("A browser that opens a page without a token is led to the log-in.", {}, LOCATION)
BOUNCE = "To a browser that opens a page with a token in its address: a page that goes on without it."
ABOUT = """\
What the server answers over HTTP. The conversation itself goes over WebSockets (`x-websockets`), which are described
by `python -m greenroom.protocol.schema --json FILE`.

Every path also answers 405 with `Allow` to methods that are not listed. A visitor's token opens what visitors may see,
an operator's everything; where none is configured, this machine needs none, and this document asks for none. All
answers may come compressed with gzip if the request allows it. Header names come in any case.
"""


def document(
    routes: Iterable[BaseRoute],
    more: Mapping[str, Sequence[Operation]],
    *,
    port: int,
    tokens: bool,
    ops_tokens: bool,
) -> dict[str, Any]:
    """The whole document.

    Args:
        routes: of the application, in the order in which they are tried.
        more: operations by path that something in front of the routes answers.
        port: the session's cookie is called by it.
        tokens: whether visitors must show one.
        ops_tokens: whether operators must.
    """
    paths: dict[str, dict[str, Any]] = {}
    sockets: dict[str, str] = {}
    found: list[tuple[str, Sequence[Operation]]] = list(more.items())
    for route in routes:
        if isinstance(route, ApiSocket):
            sockets[route.path] = route.text
        elif isinstance(route, ApiRoute):
            found.append((re.sub(r":\w+\}", "}", route.path), route.operations))
        elif isinstance(route, ApiMount):
            found.append((route.shown_path, route.operations))
        else:
            raise TypeError(f"{route!r} does not say what it answers; make it an ApiRoute")
    refs, components = _schemas(operation for _, operations in found for operation in operations)
    open_to = {"nobody": [], "visitor": _keys(tokens), "ops": _keys(tokens or ops_tokens)}
    for path, operations in found:
        for operation in operations:
            described = _operation(operation, refs, open_to[operation.needs])
            paths.setdefault(path, {})[operation.method.lower()] = described
            if operation.method == "GET":
                paths[path]["head"] = _operation(operation, refs, open_to[operation.needs], head=True)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Greenroom",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "x-websockets": sockets,
        "components": {
            "schemas": components,
            "responses": {
                _common(status, head=head): _answer(answer, refs, head=head)
                for status, answer in sorted((BARE | DOOR).items())
                for head in (False, True)
            },
            "headers": {
                name: {"description": text, "required": True, "schema": {"type": "string"}}
                for name, text in ALWAYS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of this server."},
                "query": {"type": "apiKey", "in": "query", "name": "token", "description": "For kiosks."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie_name(port),
                    "description": "Set by `POST /login`.",
                },
            },
        },
    }


TAGS = {
    "page": "The page and what it shows.",
    "door": "Logging in and out.",
    "health": "Whether the server is well.",
    "ops": "The server's inside, for operators (docs/ops.md).",
    "tools": "Test tools of the protocol.",
}


def _keys(asked: bool) -> list[dict[str, list[str]]]:
    return [{"bearer": []}, {"query": []}, {"session": []}] if asked else []


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """JSON Schemas: a reference by class, and what is referred to."""
    classes: dict[Any, None] = {ProblemAnswer: None}
    for operation in operations:
        for content in (operation.body, *(answer.content for answer in operation.answers.values())):
            classes.update({body: None for body in content.values() if isinstance(body, type)})
    shapes, components = msgspec.json.schema_components(
        list(classes), ref_template="#/components/schemas/{name}"
    )
    for shape in components.values():
        # What the server leaves out is marked so by its class; whatever else has a default is sent all the same.
        given = [name for name, part in shape.get("properties", {}).items() if "default" in part]
        for name in given:
            del shape["properties"][name]["default"]
        if given:
            shape["required"] = [*shape["required"], *given]
    return dict(zip(classes, shapes, strict=True)), dict(sorted(components.items()))


def _content(content: Content, refs: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        media: {} if body is None else {"schema": body if isinstance(body, Mapping) else refs[body]}
        for media, body in content.items()
    }


def _merged(first: Mapping[int, Answer], then: Mapping[int, Answer]) -> dict[int, Answer]:
    """Both; of a status that both give, what holds in either case."""
    found = {**first, **then}
    for status in first.keys() & then.keys():
        one, other = first[status], then[status]
        text = f"{one.text} {other.text}" if one.text != other.text else one.text
        headers = {name: said for name, said in one.headers.items() if name in other.headers}
        found[status] = Answer(text, {**one.content, **other.content}, headers, bare=one.bare or other.bare)
    return found


def _answers(operation: Operation, *, head: bool) -> dict[int, Answer]:
    """What the operation answers, and what is answered in its stead."""
    found = _merged(BARE, operation.answers)
    if operation.needs != "nobody":
        found = _merged(DOOR, found)
    elif operation.method == "POST":
        found = _merged({403: DOOR[403]}, found)
    if operation.method == "GET" and not head:
        if operation.needs != "nobody":
            found.setdefault(303, LED)
        done = found.get(200)
        if done is None:
            found[200] = Answer(BOUNCE, {HTML: SAID})
        elif done.content != {HTML: SAID}:
            content = done.content if "*/*" in done.content else {**done.content, HTML: SAID}
            found[200] = Answer(f"{done.text} {BOUNCE}", content, done.headers, sometimes=True)
    return dict(sorted(found.items()))


def _common(status: int, *, head: bool) -> str:
    return f"{HTTPStatus(status).name.title().replace('_', '')}{'Head' if head else ''}"


def _answer(answer: Answer, refs: Mapping[Any, Any], *, head: bool) -> dict[str, Any]:
    headers: dict[str, Any] = {
        name: {"description": text, "required": not answer.sometimes, "schema": {"type": "string"}}
        for name, text in answer.headers.items()
    }
    if not answer.bare:
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in ALWAYS}
    described: dict[str, Any] = {"description": answer.text}
    if headers:
        described["headers"] = headers
    if answer.content and not head:
        described["content"] = _content(answer.content, refs)
    return described


def _operation(
    operation: Operation, refs: Mapping[Any, Any], security: list[dict[str, list[str]]], *, head: bool = False
) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, answer in _answers(operation, head=head).items():
        if answer in (BARE.get(status), DOOR.get(status)):
            answers[str(status)] = {"$ref": f"#/components/responses/{_common(status, head=head)}"}
        else:
            answers[str(status)] = _answer(answer, refs, head=head)
    found: dict[str, Any] = {
        "operationId": f"{operation.name}-head" if head else operation.name,
        "summary": f"The same without its body: {operation.text}" if head else operation.text,
        "tags": [operation.tag],
        "security": security,
        "responses": answers,
    }
    if operation.parameters:
        found["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body:
        found["requestBody"] = {"content": _content(operation.body, refs), "required": False}
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.text,
        "required": parameter.where == "path",
        "schema": dict(parameter.schema),
    }
    if parameter.example is not None:
        found["example"] = parameter.example
    return found
