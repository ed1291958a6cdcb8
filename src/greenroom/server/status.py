"""Health and statistics: is it alive, is it ready, what does it hold."""

from __future__ import annotations

import os
import threading
from time import monotonic

import msgspec
import psutil
from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from greenroom.live.rooms import Rooms
from greenroom.server.metrics import Metrics
from greenroom.server.operations import Alive, NotReady, Ready, Statistics, TaskInfo, Tasks
from greenroom.server.pressure import Pressure
from greenroom.server.security.visitor import ops_allowed
from greenroom.sessions.services import Services
from greenroom.tasks import TaskScope, abandoned, census


class Status:
    """Answers `/health/*` and, for whoever may see them, `/metrics` and `/ops/*.json`."""

    def __init__(self, services: Services, root: TaskScope, metrics: Metrics, pressure: Pressure) -> None:
        self._services = services
        self._root = root
        self._metrics = metrics
        self._pressure = pressure
        self._began = monotonic()
        self.not_ready: str | None = "starting"
        """Why the server is not ready; None if it is."""
        self.rooms: Rooms | None = None

    async def live(self, request: Request) -> Response:
        uptime = round(monotonic() - self._began, 1)
        return _json(Alive("alive", uptime if ops_allowed(request.scope) else UNSET))

    async def ready(self, request: Request) -> Response:
        reason = self.not_ready or self._pressure.memory()
        detail = ops_allowed(request.scope)
        if reason is not None:
            return _json(NotReady("not ready", reason if detail else UNSET), 503)
        if not detail:
            return _json(Ready("ready"))
        why = self._services.not_kept
        clients = len(self._services.registry)
        return _json(Ready("ready", clients, UNSET if why is None else f"in memory only: {why.message}"))

    async def metrics(self, request: Request) -> Response:
        if (refused := _only_here(request)) is not None:
            return refused
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def statistics(self, request: Request) -> Response:
        """Counts of everything that could grow."""
        if (refused := _only_here(request)) is not None:
            return refused
        return _json(self.figures())

    def figures(self) -> Statistics:
        process = psutil.Process()
        services = self._services
        registry = services.registry
        return Statistics(
            uptime_seconds=round(monotonic() - self._began, 3),
            pid=os.getpid(),
            rss_bytes=process.memory_info().rss,
            threads=threading.active_count(),
            fds=process.num_fds() if hasattr(process, "num_fds") else 0,
            children=len(process.children(recursive=True)),
            clients=len(registry),
            clients_opened=registry.opened,
            clients_closed=registry.closed,
            tasks=self._root.statistics(),
            abandoned=len(abandoned()),
            engines=services.engines.statistics(),
            generations=[engine.statistics() for engine in services.engines.all_engines()],
            voices=[engine.statistics() for engine in services.voices.engines()],
            histories=services.histories.statistics(),
            rooms=self.rooms.statistics() if self.rooms is not None else [],
        )

    async def tasks(self, request: Request) -> Response:
        """Every task with its owner, site, state and age; `?stacks=1` adds where it stands."""
        if (refused := _only_here(request)) is not None:
            return refused
        stacks = request.query_params.get("stacks") == "1"
        infos = await census(self._root, stacks=stacks, limit=10_000)
        return _json(Tasks([TaskInfo(*info) for info in infos], [TaskInfo(*info) for info in abandoned()]))


def _json(value: Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _only_here(request: Request) -> Response | None:
    # The door has seen to it already; twice, because what stands here names every visitor.
    if ops_allowed(request.scope):
        return None
    return PlainTextResponse("Only for this machine.", status_code=403)
