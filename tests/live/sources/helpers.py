"""What several live chat tests need: messages, a clock, an obedient source, and an HTTP server."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from greenroom.live.sources.base import ChatMessage, ChatSource, Priority, SourceError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def message(
    text: str = "hello",
    *,
    sender: str = "ann",
    priority: Priority = 0,
    paid: str | None = None,
    id: str = "",
    name: str = "",
) -> ChatMessage:
    """A chat message; each has an id of its own unless one is given."""
    message.count += 1  # type: ignore[attr-defined]
    own = id or f"id-{message.count}"  # type: ignore[attr-defined]
    return ChatMessage("test://chat", own, sender, name or sender, text, priority, paid, 1700000000.0)


message.count = 0  # type: ignore[attr-defined]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class ScriptedSource(ChatSource):
    """Each connection plays one list: messages, "connected", seconds to wait, or an error to raise."""

    def __init__(self, *connections: list[Any]) -> None:
        super().__init__("test://chat")
        self._connections = list(connections)
        self.opened = 0
        self.closed = 0

    def describe(self) -> str:
        return "a scripted chat"

    async def messages(self) -> AsyncGenerator[ChatMessage, None]:
        self.opened += 1
        script = self._connections.pop(0) if self._connections else [SourceError("nothing left")]
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, ChatMessage):
                    yield step
                elif step == "connected":
                    self.on_connected()
                else:
                    await asyncio.sleep(step)
        finally:
            self.closed += 1


@dataclass
class WebServer:
    """A small HTTP server on loopback: answers by path, and remembers what was asked."""

    answers: dict[str, Callable[[Mapping[str, str]], Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def on(self, path: str, answer: Any) -> None:
        """Answer a path: an object (sent as JSON), `(status, object)`, bytes, or a function of the query."""
        self.answers[path] = answer if callable(answer) else lambda query: answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            parts = urlsplit(first.split(" ")[1])
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            query = dict(parse_qsl(parts.query))
            self.asked.append((parts.path, query, headers))
            answer = self.answers[parts.path](query) if parts.path in self.answers else (404, {})
            extra = ""
            status = 200
            if isinstance(answer, tuple):
                status, answer = answer
            if isinstance(answer, dict) and "set-cookie" in answer:
                extra = f"Set-Cookie: {answer.pop('set-cookie')}\r\n"
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass


@asynccontextmanager
async def web_server() -> AsyncGenerator[WebServer, None]:
    """A web server for the block."""
    web = WebServer()
    async with loopback(web.serve) as port:
        web.url = f"http://127.0.0.1:{port}"
        yield web


@asynccontextmanager
async def loopback(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int, None]:
    """A server on a free port, which it gives; no connection outlives the block."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await handle(reader, writer)
        except ConnectionError:
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for writer in writers:
                writer.transport.abort()
    for _ in range(5):  # their ends are told in the loop's next turns
        await asyncio.sleep(0)
