"""An aiohttp app whose tasks have owners: `python examples/owning_tasks/aiohttp_app.py`.

The app owns a scope, each connection a child of it: when a page goes, or the server stops, so do its tasks.
"""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from greenroom.tasks import LatestSlot, ScopeFull, TaskScope

SCOPE = web.AppKey("scope", TaskScope)
sent: list[str] = []


async def own_tasks(app: web.Application) -> AsyncIterator[None]:
    async with TaskScope("app", max_running=100, max_waiting=1000) as app[SCOPE]:
        yield


async def send_mail(address: str) -> None:
    await asyncio.sleep(0.01)
    sent.append(address)


async def order(request: web.Request) -> web.Response:
    try:
        request.app[SCOPE].start(send_mail, request.query["address"])  # before: asyncio.create_task(…)
    except ScopeFull:
        raise web.HTTPServiceUnavailable(text="too busy, try again") from None
    return web.Response(text="ordered")


async def answer(socket: web.WebSocketResponse, text: str) -> None:
    for word in text.split():
        await asyncio.sleep(0.01)
        await socket.send_str(word)


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async with request.app[SCOPE].child("page") as page:
        latest = LatestSlot(page, "answer")
        async for message in socket:
            latest.start(answer, socket, message.data)  # before: asyncio.create_task(…)
    return socket


async def tasks(request: web.Request) -> web.Response:
    seen = request.app[SCOPE].statistics()
    return web.json_response(
        {
            "running": seen.running,
            "finished": seen.finished,
            "cancelled": seen.cancelled,
            "scopes": seen.scopes,
        }
    )


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(own_tasks)
    app.add_routes([web.post("/orders", order), web.get("/chat", chat), web.get("/tasks", tasks)])
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8080)
