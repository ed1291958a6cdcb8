"""The ASGI application: which path leads where."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from greenroom.config.paths import shipped_avatars, shipped_backgrounds
from greenroom.config.settings import Settings
from greenroom.server import operations
from greenroom.server.client_ws import ClientEndpoint
from greenroom.server.files import AVATARS, BACKGROUNDS, CORS, Page, PictureFolder, stored_file
from greenroom.server.openapi import ApiMount, ApiRoute, ApiSocket, Problem, ProblemAnswer, document
from greenroom.server.ops.room import OpsRoom
from greenroom.server.ops.routes import OpsRoutes
from greenroom.server.proxy_ws import ProxyEndpoint
from greenroom.server.security.keyring import Keyring
from greenroom.server.security.login_desk import OPERATIONS as DESK
from greenroom.server.status import Status
from greenroom.server.tools import SpeechTool
from greenroom.sessions.services import Services

PAGE = Path(__file__).parent / "page"
BACKGROUND = "ceiling-window-room-night.jpeg"
NO_EARS = "This server has no speech recognition."


def backgrounds_of(settings: Settings) -> PictureFolder:
    """The background pictures there are."""
    return PictureFolder(settings.paths.backgrounds, shipped_backgrounds(), BACKGROUNDS)


def create_app(
    services: Services,
    clients: ClientEndpoint,
    rooms: ProxyEndpoint | None,
    status: Status,
    backgrounds: PictureFolder,
    ops: OpsRoom | None,
    keyring: Keyring,
) -> Starlette:
    """Build the application; reads the built page and the shipped pictures into memory.

    Args:
        keyring: the tokens that the door before the application asks for; said in `/openapi.json`.
    """
    settings = services.settings
    paths = settings.paths
    tool = SpeechTool(services)
    avatars = PictureFolder(paths.avatars, shipped_avatars(), AVATARS)
    models = LiveModels(paths.live2d_models)
    own = Page(PAGE, seed=False)
    other = settings.server.page_dir
    page = own if other is None else Page(other, seed=True, fallback=own)
    o = operations
    routes: list[BaseRoute] = [
        ApiSocket("/client-ws", clients, "A page, a desktop app or a bot: one visitor's conversation."),
        ApiRoute("/health/live", status.live, o.LIVE),
        ApiRoute("/health/ready", status.ready, o.READY),
        ApiRoute("/metrics", status.metrics, o.METRICS),
        ApiRoute("/ops/statistics.json", status.statistics, o.STATISTICS),
        ApiRoute("/ops/tasks.json", status.tasks, o.TASKS),
        ApiRoute("/asr", no_speech_recognition, o.ASR),
        ApiRoute("/live2d-models/info", models.info, o.MODELS),
        ApiRoute("/web-tool", web_tool, o.web_tool("web-tool")),
        ApiRoute("/web_tool", web_tool, o.web_tool("web_tool")),
        ApiRoute("/avatars/{name:path}", avatars.__call__, o.pictures("avatars", "white.svg")),
        ApiRoute("/bg/{name:path}", backgrounds.__call__, o.pictures("backgrounds", BACKGROUND)),
        ApiSocket("/tts-ws", tool.tts_ws, "The protocol's test of speech: a text in, sounds out."),
        ApiRoute("/cache/{name:path}", tool.cached, o.SOUND),
    ]
    if rooms is not None:
        routes.insert(1, ApiSocket("/proxy-ws", rooms, "A viewer of a room: one conversation for many."))
    if paths.live2d_models.is_dir():
        routes.append(
            ApiMount("/live2d-models", CorsFiles(directory=paths.live2d_models), "path", o.MODEL_FILE)
        )
    if ops is not None:
        routes += OpsRoutes(ops, own).routes()
    free = settings.security.trust_loopback
    described = Description(
        routes, tokens=keyring.for_visitors and not free, ops_tokens=keyring.for_ops and not free
    )
    routes.append(ApiRoute("/openapi.json", described.document, o.DESCRIPTION))
    routes.append(ApiRoute("/", page.__call__, o.page("index")))
    routes.append(ApiRoute("/{path:path}", page.__call__, o.PAGE))
    return Starlette(routes=routes, exception_handlers={HTTPException: said})


class Description:
    """`/openapi.json`: made at the first request, of whatever routes there are by then."""

    def __init__(self, routes: Sequence[BaseRoute], *, tokens: bool, ops_tokens: bool) -> None:
        self._made = lru_cache(maxsize=2)(
            lambda port: stored_file(
                msgspec.json.encode(document(routes, DESK, port=port, tokens=tokens, ops_tokens=ops_tokens)),
                "openapi.json",
            )
        )

    def document(self, request: Request) -> Response:
        # A plain function: it takes some milliseconds, so the framework runs it in a thread.
        return self._made((request.scope.get("server") or ("", 0))[1] or 0).response(request, {})


async def said(request: Request, error: Exception) -> Response:
    """The framework's own refusals, in the words of all others."""
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        problem = Problem(f"{request.method[:20]} is no method of this address.", f"Use {allowed}.", None)
    else:
        problem = Problem(f"{error.detail}.", "See /openapi.json for what there is.", None)
    body = msgspec.json.encode(ProblemAnswer(problem))
    return Response(body, error.status_code, error.headers, media_type="application/json")


class CorsFiles(StaticFiles):
    """Files from disk that a page of another origin may load."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            # A file that the server itself may not read is 401 to the framework, which would ask for a token.
            raise HTTPException(403) if error.status_code == 401 else error from None

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # pyright: ignore
        response.headers.update(CORS)
        return response


class LiveModels:
    """The list of Live2D models (olv-protocol §15)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def info(self, request: Request) -> Response:
        # A plain function: it reads folders, so the framework runs it in a thread.
        if not self._folder.is_dir():
            return JSONResponse(
                {"error": "There is no folder of Live2D models."}, status_code=404, headers=CORS
            )
        found = []
        for model in sorted(self._folder.iterdir())[:500]:
            name = model.name
            if not (model / f"{name}.model3.json").is_file():
                continue
            avatar = next(
                (a for e in ("png", "jpg", "jpeg") if (model / (a := f"{name}.{e}")).is_file()), None
            )
            found.append(
                {
                    "name": name,
                    "avatar": f"/live2d-models/{name}/{avatar}" if avatar else None,
                    "model_path": f"/live2d-models/{name}/{name}.model3.json",
                }
            )
        return JSONResponse(
            {"type": "live2d-models/info", "count": len(found), "characters": found}, headers=CORS
        )


async def no_speech_recognition(request: Request) -> Response:
    return JSONResponse({"error": NO_EARS}, status_code=503, headers=CORS)


async def web_tool(request: Request) -> Response:
    return RedirectResponse("/web-tool/index.html", status_code=302, headers=CORS)
