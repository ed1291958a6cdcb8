"""A websockets server whose tasks have owners: `python examples/owning_tasks/websockets_app.py`.

The server owns a scope, each connection a child of it: when a page goes, or the server, so do its tasks.
"""

import asyncio

from websockets.asyncio.server import Server, ServerConnection, serve

from greenroom.tasks import LatestSlot, TaskScope


async def answer(socket: ServerConnection, text: str) -> None:
    for word in text.split():
        await asyncio.sleep(0.01)
        await socket.send(word)


async def chat(scope: TaskScope, socket: ServerConnection) -> None:
    async with scope.child("page") as page:
        latest = LatestSlot(page, "answer")
        async for text in socket:
            latest.start(answer, socket, str(text))  # before: asyncio.create_task(answer(socket, text))


async def start(scope: TaskScope, port: int) -> Server:
    return await serve(lambda socket: chat(scope, socket), "127.0.0.1", port)


async def main() -> None:
    async with TaskScope("app", max_running=100, max_waiting=1000) as scope:
        server = await start(scope, 8080)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
