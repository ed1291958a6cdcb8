"""A server with the ops room's addresses and a past of its own making: what a real one shows only after hours of
trouble, such as a growing reply time, abandoned tasks or a locked door, can be looked at at once.

Its answers are made of the real message classes. What the real server makes of them is tested with the real one.
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from time import time
from typing import Any, Self

import msgspec
import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from greenroom.server.app import PAGE
from greenroom.server.files import Page
from greenroom.server.ops import messages as m

KINDS = {"clients": 14, "engines": 3, "voices": 2, "rooms": 4, "maintenance": 1, "server": 1}
LIMITS = m.OpsLimits(
    connections=1000, provider_slots=None, rooms=100, forwards=5, queue=100, subscribers=200, soak_visits=200,
    fine_s=900, coarse_s=43_200, visits=2000, closes=100, tree_nodes=2000,
)  # fmt: skip
COOKIE = "stage"


def sample(t: float, tick: int, *, busy: int = 2) -> m.OpsSample:
    """A plausible second."""
    dice = random.Random(tick)
    wave = math.sin(tick / 90)
    replies = 1 if dice.random() < 0.4 else 0
    kinds = {kind: max(0, round(n * (1 + 0.3 * wave) + dice.uniform(-1, 1))) for kind, n in KINDS.items()}
    return m.OpsSample(
        t=t, reply_ms_p50=dice.gauss(118, 6) if replies else None,
        reply_ms_p95=dice.gauss(170, 18) if replies else None, replies=replies, tasks=sum(kinds.values()),
        rss_mb=84 + dice.uniform(-0.2, 0.2), cpu_pct=max(0.5, 12 + 7 * wave + dice.gauss(0, 2)),
        loop_lag_ms=abs(dice.gauss(0.4, 0.3)) + (6 if dice.random() < 0.01 else 0),
        slots_busy=min(4, busy), slots_waiting=max(0, round(dice.gauss(-1, 1))),
        queue_waiting=max(0, round(2 * wave)), clients=7, viewers=12, threads=9, fds=48, tasks_by_kind=kinds,
    )  # fmt: skip


def columns(rows: list[m.OpsSample], step: float) -> m.OpsSamples:
    """Samples by column."""
    names = [name for name in m.OpsSamples.__struct_fields__ if name not in ("step_s", "tasks_by_kind")]
    table: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in names}
    kinds = {kind: [row.tasks_by_kind[kind] for row in rows] for kind in KINDS}
    return m.OpsSamples(step_s=step, tasks_by_kind=kinds, **table)


def visits(first: int, count: int, now: float, per_visit: float = 0.0) -> m.OpsVisits:
    """Visits whose first reply grows by so many milliseconds with each of them."""
    dice = random.Random(first)
    numbers = list(range(first, first + count))
    replies = [round(118 + per_visit * n + dice.gauss(0, 7) + dice.expovariate(0.2), 1) for n in numbers]
    return m.OpsVisits(
        n=numbers, t=[now - (first + count - n) * 2 for n in numbers], first_reply_ms=[*replies],
        reply_ms=[value * 4 for value in replies], how=["finished"] * count, character=["White"] * count,
    )  # fmt: skip


def hint(state: m.VerdictState, now: float, change: float, at: int | None = None) -> m.OpsVerdict:
    """A verdict."""
    figures = m.OpsVerdictFigures(
        visits=300, baseline_ms=121.0, recent_ms=now, change_ms=change, per_100_ms=change / 3, margin_ms=30.2,
        at=at, needed=33,
    )  # fmt: skip
    return m.OpsVerdict(state=state, text_key=f"ops.verdict.{state}", method="", figures=figures)


def nothing_yet() -> m.OpsState:
    """A server that was started a moment ago."""
    now = round(time(), 1)
    figures = m.OpsVerdictFigures(0, None, None, None, None, None, None, 33)
    return m.OpsState(
        version="0.1.0", pid=4711, started_at=now - 3, uptime_s=3.0,
        limits=LIMITS,
        samples=columns([sample(now - 2 + n, n) for n in range(3)], 1.0), samples_coarse=columns([], 30.0),
        visits=m.OpsVisits([], [], [], [], [], []), visits_total=0, baseline=None,
        verdict_hint=m.OpsVerdict("not_enough", "ops.verdict.not_enough", "", figures), tasks_by_kind={},
        closes=[], closes_total=0, abandoned=[], abandoned_total=0, queues=[], providers=[], soak=None,
    )  # fmt: skip


def half_a_day(per_visit: float = 0.0) -> m.OpsState:
    """A server that has been busy for twelve hours."""
    now = round(time(), 1)
    growing = per_visit > 0
    closes = [
        m.OpsClose(f"server/clients/client {n:08x}", now - 2 * (40 - n), 1.8 + n % 5, "page closed", n % 4, 0, 3, [])
        for n in range(40)
    ]  # fmt: skip
    return replace(
        nothing_yet(),
        started_at=now - 43_200, uptime_s=43_200.0, limits=replace(LIMITS, provider_slots=4),
        samples=columns([sample(now - 899 + n, n) for n in range(900)], 1.0),
        samples_coarse=columns([sample(now - 43_170 + 30 * n, n) for n in range(1440)], 30.0),
        visits=visits(1, 300, now, per_visit), visits_total=300,
        baseline=m.OpsBaseline(low_ms=96.0, median_ms=121.0, high_ms=146.0, visits=30, k=5.0, character="White"),
        verdict_hint=hint("growing", 238, 121) if growing else hint("flat", 122, 1.2),
        closes=closes, closes_total=612,
        queues=[m.OpsQueue("main", 2, 3.5, True, 12), m.OpsQueue("late show", 0, 0.0, False, 3)],
        providers=[
            m.OpsProvider("builtin", "agent", 2, 0, 4, 640, 611, 27, 0),
            m.OpsProvider("tone", "voice", 1, 1, 1, 2210, 2180, 29, 0),
        ],
    )  # fmt: skip


def abandoned(name: str = "heavy init", *, n: int = 1) -> m.OpsAbandoned:
    """A task that outlived its owner."""
    return m.OpsAbandoned(
        id=f"a{n}", owner="server/clients/client 0000002a", name=name,
        site="greenroom/sessions/service_context.py:201 in ServiceContext.handle_config_switch",
        age_s=73.0 + n, cancelled_by="cancelled at greenroom/tasks/_close.py:88 in close_scope",
    )  # fmt: skip


def with_trouble() -> m.OpsState:
    """Growing, with two abandoned tasks and a close that found them."""
    state = half_a_day(per_visit=0.4)
    close = m.OpsClose("server/clients/client 0000002a", state.started_at + 43_199, 5004.0, "page closed", 2, 1, 3,
                       ["heavy init", "model loader"])  # fmt: skip
    tasks = [abandoned(n=1), abandoned("model loader", n=2)]
    return replace(state, abandoned=tasks, abandoned_total=3, closes=[*state.closes, close])


def owner(path: str, *tasks: m.OpsTask, age: float = 43_200.0, is_open: bool = True) -> m.OpsOwner:
    """A scope with these tasks of its own."""
    name = path.rpartition("/")[2]
    running = sum(task.state != "waiting" for task in tasks)
    return m.OpsOwner(
        path=path, name=name, kind=name.split()[0], depth=path.count("/"), age_s=age, open=is_open, running=running,
        waiting=len(tasks) - running, tasks=[*tasks], tasks_left_off=0,
    )  # fmt: skip


def task(name: str, site: str, state: str = "running", by: str | None = None) -> m.OpsTask:
    """A task; the one that waits has the first place."""
    return m.OpsTask(f"{name}-1", name, site, state, 12.5, 1 if state == "waiting" else 0, by)


def tree(clients: int = 6) -> m.OpsTree:
    """Owners with tasks; the first client is being closed."""
    begin = "greenroom/sessions/turns.py:44 in Turns.begin"
    owners = [
        owner("server", task("http server", "greenroom/server/run.py:128 in _serve")),
        owner("server/maintenance", task("log cleaner", "greenroom/server/lifetime.py:63 in start")),
        owner("server/clients"),
    ]
    for n in range(clients):
        path = f"server/clients/client {n:08x}"
        writer = task("writer", "greenroom/sessions/service_context.py:124 in open")
        running = task("turn", begin) if n else task("turn", begin, "cancelling", "the page was closed")
        owners.append(owner(path, writer, age=95.0 + n))
        owners.append(
            owner(f"{path}/turns", running, task("turn", begin, "waiting"), age=94.0, is_open=n > 0)
        )
    return m.OpsTree(t=round(time(), 1), owners=owners, left_off=0, next=None)


class OpsStage:
    """Serves the built page and what is put on it. `async with OpsStage(state) as stage: stage.url`.

    Args:
        state: what pages get on connecting; `send` keeps it up to date only where it says so.
        token: asked for, if not empty.
        port: 0 for any.
    """

    def __init__(self, state: m.OpsState, *, token: str = "", port: int = 0) -> None:
        self.state = state
        self.tree = tree()
        self.token = token
        self.soaks: list[m.OpsSoakRequest] = []
        self.cancelled = 0
        self._streams: set[asyncio.Queue[bytes]] = set()
        page = Page(PAGE, seed=False)

        async def ops(request: Request) -> Response:
            return await page(_at(request, "ops.html"))

        routes = [
            Route("/ops", ops),
            Route("/ops/events", self._events),
            Route("/ops/tree", self._tree),
            Route("/ops/tasks/{id}/stack", self._stack),
            Route("/ops/soak", self._soak, methods=["POST", "DELETE"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/{path:path}", page.__call__),
        ]
        self._port = port
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes), log_level="warning", lifespan="off", timeout_graceful_shutdown=1
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # It listens already: who connects before the server runs waits for it.
        listening = socket.create_server(("127.0.0.1", self._port))
        self.port: int = listening.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve([listening]))
        self.url = f"http://127.0.0.1:{self.port}/ops"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self.cut()
        assert self._serving is not None
        with suppress(asyncio.CancelledError):
            await self._serving

    # -- what a test does -----------------------------------------------------------------------------------

    @property
    def streams(self) -> int:
        """Pages that listen."""
        return len(self._streams)

    def send(self, name: str, data: msgspec.Struct) -> None:
        """An event to all pages."""
        assert isinstance(data, m.EVENTS[name])
        for stream in self._streams:
            stream.put_nowait(_event(name, data))

    def cut(self) -> None:
        """End all streams."""
        for stream in self._streams:
            stream.put_nowait(b"")

    # -- answers --------------------------------------------------------------------------------------------

    def _locked(self, request: Request) -> Response | None:
        if not self.token or request.cookies.get(COOKIE) == "in":
            return None
        error = {"field": None, "problem": "a token is needed", "fix": "log in", "code": "no-token"}
        return _json({"error": error}, 401)

    async def _login(self, request: Request) -> Response:
        form = (await request.body()).decode()
        if form != f"token={self.token}":
            error = {"field": "token", "problem": "wrong token", "fix": "look again", "code": "wrong-token"}
            return _json({"error": error}, 401)
        answer = _json({"ok": True})
        answer.set_cookie(COOKIE, "in", httponly=True, samesite="strict")
        return answer

    async def _events(self, request: Request) -> Response:
        if (locked := self._locked(request)) is not None:
            return locked
        stream: asyncio.Queue[bytes] = asyncio.Queue()

        async def body() -> AsyncIterator[bytes]:
            self._streams.add(stream)
            try:
                yield b"retry: 2000\n\n" + _event("state", self.state)
                while piece := await stream.get():
                    yield piece
            finally:
                self._streams.discard(stream)

        return StreamingResponse(body(), media_type="text/event-stream")

    async def _tree(self, request: Request) -> Response:
        return _json(self.tree)

    async def _stack(self, request: Request) -> Response:
        task = request.path_params["id"]
        if task == "gone":
            return _json(m.OpsError(m.OpsProblem("there is no such task any more", "", "id")), 404)
        frames = [
            m.OpsFrame("greenroom/sessions/turns.py", 71, "Turns._run", "await self._turn(message)"),
            m.OpsFrame("greenroom/agents/openai_http.py", 118, "stream", "async for line in response.aiter_lines():"),
        ]  # fmt: skip
        return _json(m.OpsStack(task, "heavy init", "server", "cancelling", frames, round(time(), 1)))

    async def _soak(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.cancelled += 1
            return _json({})
        wanted = msgspec.json.decode(await request.body(), type=m.OpsSoakRequest)
        if self.state.soak is not None and self.state.soak.state == "running":
            return _json(m.OpsError(m.OpsProblem("a soak runs already", "wait", None)), 409)
        self.soaks.append(wanted)
        run = m.OpsSoak(
            1, "running", wanted.mode, wanted.visits, 0, round(time(), 1), 0.0, [], [], None, None
        )
        self.state = replace(self.state, soak=run)
        self.send("soak", run)
        return _json(m.OpsSoakStarted(run), 202)


def _event(name: str, data: msgspec.Struct) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _at(request: Request, path: str) -> Request:
    return Request({**request.scope, "path_params": {"path": path}})


async def _main() -> None:
    """By hand: `python -m tests.browser.ops_stage [trouble|young]` shows the page with one of the pasts."""
    import sys

    made = {"trouble": with_trouble, "young": nothing_yet}.get(sys.argv[-1], half_a_day)
    async with OpsStage(made()) as stage:
        print(stage.url)
        tick = 900
        while True:
            await asyncio.sleep(1)
            tick += 1
            stage.send("sample", sample(round(time(), 1), tick))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
