"""`/openapi.json` says neither less nor more than the routes do."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.routing import Match, Mount, Route, WebSocketRoute

from greenroom.config.settings import Settings
from greenroom.server.lifetime import Lifetime
from greenroom.server.openapi import ApiRoute, document
from greenroom.server.operations import LIVE, TaskInfo
from greenroom.server.security.admission import PUBLIC
from greenroom.server.security.login_desk import OPERATIONS as DESK
from greenroom.tasks import JobInfo

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
Document = dict[str, Any]


async def no_warm_up(_: object) -> None:
    """It freezes the process's garbage, which is a matter of servers."""


@pytest_asyncio.fixture
async def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """The routes of a whole server, one with Live2D models."""
    monkeypatch.setattr("greenroom.server.lifetime.warm_up", no_warm_up)
    (tmp_path / "live2d-models").mkdir()
    settings = Settings.model_validate({"agent": {"kind": "builtin"}, "data_dir": str(tmp_path)})
    lifetime = Lifetime(settings, [])
    try:
        await lifetime.open()
        # Behind the door and the gate for pressure.
        yield lifetime.door._app._app.routes  # type: ignore[attr-defined]  # pyright: ignore
    finally:
        lifetime.stop_accepting()
        await lifetime.close(5)


def described(routes: Any, *, tokens: bool = False, ops_tokens: bool = False) -> Document:
    return document(routes, DESK, port=12393, tokens=tokens, ops_tokens=ops_tokens)


def answers(routes: list[Any], path: str, method: str) -> bool:
    """Whether a route takes such a request; asked of the routes, not of what is said of them."""
    scope = {"type": "http", "path": path, "method": method, "headers": []}
    for route in routes:
        if route.matches(scope)[0] is Match.FULL:
            return method in (route.methods if isinstance(route, Route) else ("GET", "HEAD"))
    return False


async def test_every_route_is_described(routes: list[Any]) -> None:
    """By its path, with each of its methods; sockets by name."""
    found = described(routes)
    for route in routes:
        if isinstance(route, WebSocketRoute):
            assert found["x-websockets"][route.path]
            continue
        path = re.sub(r":\w+\}", "}", f"{route.path}/{{path}}" if isinstance(route, Mount) else route.path)
        methods = route.methods if isinstance(route, Route) else {"GET", "HEAD"}
        assert methods is not None, f"{path} takes every method"
        assert methods == {method.upper() for method in found["paths"][path]}, path


async def test_nothing_else_is_described(routes: list[Any]) -> None:
    """Each path of the document leads to a route, with the methods it lists and no others."""
    for path, operations in described(routes)["paths"].items():
        if path in DESK:
            continue
        at = re.sub(r"\{\w+\}", "x.png", path)
        taken = {method for method in METHODS if answers(routes, at, method)}
        assert taken == {method.upper() for method in operations}, path


async def test_a_route_that_says_nothing_is_found_out(routes: list[Any]) -> None:
    """The document is not made without it."""
    with pytest.raises(TypeError, match="/sneaky"):
        described([*routes, Route("/sneaky", lambda _: None)])


async def test_who_may_ask(routes: list[Any]) -> None:
    """Tokens are asked for exactly where the door asks for them; without any, nothing is."""
    paths = described(routes, tokens=True)["paths"]
    free = {path for path, operations in paths.items() for one in operations.values() if not one["security"]}
    assert free == PUBLIC
    assert not any(one["security"] for path in described(routes)["paths"].values() for one in path.values())
    for_ops = described(routes, ops_tokens=True)["paths"]
    assert for_ops["/ops/state"]["get"]["security"]
    assert for_ops["/metrics"]["head"]["security"]
    assert not for_ops["/"]["get"]["security"]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(part)


async def test_it_is_whole(routes: list[Any]) -> None:
    """Every reference leads somewhere, every name is used once, and it is plain JSON."""
    found = json.loads(json.dumps(described(routes, tokens=True)))
    for node in nodes(found):
        if isinstance(reference := node.get("$ref"), str):
            place: Any = found
            for step in reference.removeprefix("#/").split("/"):
                place = place[step]
            assert place, reference
    names = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    for path, operations in found["paths"].items():
        named = set(re.findall(r"\{(\w+)\}", path))
        for operation in operations.values():
            given = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert given == named, path


async def test_what_everybody_may_be_told(routes: list[Any]) -> None:
    """The door's refusals are in every operation behind it, and the HTTP layer's in all."""
    paths = described(routes)["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            told = set(operation["responses"])
            assert {"400", "408", "431"} <= told, path
            if path not in PUBLIC:
                assert {"401", "403", "429"} <= told, path
                assert ("303" in told) == (method == "get"), path
    assert {"413", "422", "409", "503"} <= set(paths["/ops/soak"]["post"]["responses"])


async def test_a_head_has_no_body() -> None:
    """It is described like its GET, but for the content."""
    found = described([ApiRoute("/health/live", lambda _: None, LIVE)])["paths"]["/health/live"]
    assert found["get"]["responses"].keys() == found["head"]["responses"].keys()
    assert "content" in found["get"]["responses"]["200"]
    assert "content" not in found["head"]["responses"]["200"]


def test_tasks_are_told_by_the_names_of_the_core() -> None:
    """The answer of /ops/tasks.json is filled from the census by position: the names must be the same."""
    assert TaskInfo.__struct_fields__ == JobInfo._fields
