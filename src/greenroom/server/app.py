"""The ASGI application: which path leads where."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from greenroom.config.paths import shipped_avatars, shipped_backgrounds
from greenroom.config.settings import Settings
from greenroom.server.client_ws import ClientEndpoint
from greenroom.server.files import AVATARS, BACKGROUNDS, CORS, Page, PictureFolder
from greenroom.server.ops.room import OpsRoom
from greenroom.server.ops.routes import OpsRoutes
from greenroom.server.proxy_ws import ProxyEndpoint
from greenroom.server.status import Status
from greenroom.server.tools import SpeechTool
from greenroom.sessions.services import Services

PAGE = Path(__file__).parent / "page"
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
) -> Starlette:
    """Build the application; reads the built page and the shipped pictures into memory."""
    settings = services.settings
    paths = settings.paths
    tool = SpeechTool(services)
    models = LiveModels(paths.live2d_models)
    own = Page(PAGE, seed=False)
    other = settings.server.page_dir
    page = own if other is None else Page(other, seed=True, fallback=own)
    get = ["GET"]
    routes: list[BaseRoute] = [
        WebSocketRoute("/client-ws", clients),
        Route("/health/live", status.live, methods=get),
        Route("/health/ready", status.ready, methods=get),
        Route("/metrics", status.metrics, methods=get),
        Route("/ops/statistics.json", status.statistics, methods=get),
        Route("/ops/tasks.json", status.tasks, methods=get),
        Route("/asr", no_speech_recognition, methods=["POST"]),
        Route("/live2d-models/info", models.info, methods=get),
        Route("/web-tool", web_tool, methods=get),
        Route("/web_tool", web_tool, methods=get),
        Route(
            "/avatars/{name:path}",
            PictureFolder(paths.avatars, shipped_avatars(), AVATARS).__call__,
            methods=get,
        ),
        Route("/bg/{name:path}", backgrounds.__call__, methods=get),
        WebSocketRoute("/tts-ws", tool.tts_ws),
        Route("/cache/{name:path}", tool.cached, methods=get),
    ]
    if rooms is not None:
        routes.insert(1, WebSocketRoute("/proxy-ws", rooms))
    if paths.live2d_models.is_dir():
        routes.append(Mount("/live2d-models", CorsFiles(directory=paths.live2d_models)))
    if ops is not None:
        routes += OpsRoutes(ops, own).routes()
    routes.append(Route("/{path:path}", page.__call__, methods=get))
    return Starlette(routes=routes)


class CorsFiles(StaticFiles):
    """Files from disk that a page of another origin may load."""

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
