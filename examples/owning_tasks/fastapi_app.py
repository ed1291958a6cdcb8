"""A FastAPI app whose tasks have owners: `uvicorn examples.owning_tasks.fastapi_app:app`.

The app owns a scope, each connection a child of it: when a page goes, or the server stops, so do its tasks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect

from greenroom.tasks import LatestSlot, ScopeFull, TaskScope


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with TaskScope("app", max_running=100, max_waiting=1000) as app.state.scope:
        yield


app = FastAPI(lifespan=lifespan)
sent: list[str] = []


async def send_mail(address: str) -> None:
    await asyncio.sleep(0.01)
    sent.append(address)


@app.post("/orders")
async def order(address: str) -> str:
    try:
        app.state.scope.start(send_mail, address)  # before: asyncio.create_task(send_mail(address))
    except ScopeFull:
        raise HTTPException(503, "too busy, try again") from None
    return "ordered"


async def answer(socket: WebSocket, text: str) -> None:
    for word in text.split():
        await asyncio.sleep(0.01)
        await socket.send_text(word)


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    async with app.state.scope.child("page") as page:
        latest = LatestSlot(page, "answer")
        try:
            while True:
                text = await socket.receive_text()
                latest.start(answer, socket, text)  # before: asyncio.create_task(answer(socket, text))
        except WebSocketDisconnect:
            pass


@app.get("/tasks")
async def tasks() -> dict[str, int]:
    seen = app.state.scope.statistics()
    return {
        "running": seen.running,
        "finished": seen.finished,
        "cancelled": seen.cancelled,
        "scopes": seen.scopes,
    }
