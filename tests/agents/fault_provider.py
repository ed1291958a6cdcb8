"""A model provider on loopback that fails as told: stalls, cuts, refuses, talks nonsense.

It speaks just enough HTTP/1.1 for the chat API, over plain asyncio streams. Each request takes the next
script of the list (the last one repeats); what came and how it ended is recorded. Usable by any test:

    async with FaultProvider(stall_first(), ok("Hello", " there.")) as provider:
        ... provider.base_url, provider.requests[0].aborted_at ...
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Literal

End = Literal["done", "no-done", "cut", "stall", "close"]


@dataclass(frozen=True)
class Script:
    """One answer.

    Args:
        status, headers, body: a plain answer, if `body` is not None.
        events: what follows as server-sent events: text deltas, or dicts sent as they are, or raw bytes.
        gap: seconds between two events.
        end: `done` sends `[DONE]`; `no-done` just ends; `cut` breaks the connection inside the chunked body;
            `stall` keeps silent until the peer goes; `close` ends a body without a length by closing.
        stall_head: keeps silent before the response line.
        newline: how lines of the stream end.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    events: tuple[str | dict[str, Any] | bytes, ...] = ()
    gap: float = 0.0
    end: End = "done"
    stall_head: bool = False
    newline: str = "\n"


def ok(*texts: str, **options: Any) -> Script:
    """A good answer with these deltas."""
    return Script(events=texts, **options)


def stall_first(*, head: bool = False) -> Script:
    """Accepts the request and never says a word; with `head`, not even a status line."""
    return Script(end="stall", stall_head=head)


def stall_after(*texts: str) -> Script:
    """Falls silent after some text."""
    return Script(events=texts, end="stall")


def cut_after(*texts: str) -> Script:
    """Breaks the connection after some text (or before any)."""
    return Script(events=texts, end="cut")


def status(code: int, message: str = "", **headers: str) -> Script:
    """Refuses with this status and an OpenAI-shaped error."""
    body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
    return Script(
        status=code,
        body=body,
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
    )


def garbage(body: bytes = b"<html>It works!</html>", kind: str = "text/html") -> Script:
    """200, but not what was asked for."""
    return Script(body=body, headers=(("content-type", kind),))


def error_object(*texts: str, message: str = "overloaded") -> Script:
    """An error object in the stream, after some text."""
    return Script(events=(*texts, {"error": {"message": message}}), end="no-done")


@dataclass
class Seen:
    """One request as the provider saw it; times are `time.monotonic()`."""

    path: str
    headers: dict[str, str]
    body: bytes
    came_at: float
    connection: int
    events_sent: int = 0
    completed: bool = False
    aborted_at: float | None = None
    """When the peer closed the connection under an answer that was not complete."""
    aborted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FaultProvider:
    """A scripted server on 127.0.0.1; an async context manager.

    Args:
        scripts: the answers to `POST …/chat/completions`, in order; the last one repeats.
        models: what `GET …/models` lists; None answers 404.
    """

    def __init__(self, *scripts: Script, models: tuple[str, ...] | None = ("test-model",)) -> None:
        self.scripts = list(scripts) or [ok("Hello.")]
        self.models = models
        self.listen_on = 0
        """A port to listen on; 0 for any free one."""
        self.port = 0
        """Set when it begins to listen; stays known after its end."""
        self.requests: list[Seen] = []
        self.model_lists = 0
        self.connections = 0
        self.streaming = 0
        self.most_streaming = 0
        self.on_request: Callable[[Seen], None] | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[Any]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> FaultProvider:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.listen_on)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._writers.add(writer)
        self.connections += 1
        number = self.connections
        try:
            while (seen := await _read_request(reader, number)) is not None:
                if seen.path.endswith("/models"):
                    self._list_models(writer)
                elif not await self._answer(seen, reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._handlers.discard(task)

    def _list_models(self, writer: asyncio.StreamWriter) -> None:
        self.model_lists += 1
        if self.models is None:
            writer.write(_plain(404, b"{}", ()))
            return
        listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
        writer.write(_plain(200, json.dumps(listed).encode(), ()))

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Play the next script; True if the connection may serve another request."""
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(seen)
        if self.on_request is not None:
            self.on_request(seen)
        if script.body is not None:
            writer.write(_plain(script.status, script.body, script.headers))
            seen.completed = True
            return True
        self.streaming += 1
        self.most_streaming = max(self.most_streaming, self.streaming)
        try:
            return await self._stream(script, seen, writer, reader)
        except _PeerGone:
            seen.aborted_at = monotonic()
            seen.aborted.set()
            return False
        finally:
            self.streaming -= 1

    async def _stream(
        self, script: Script, seen: Seen, writer: asyncio.StreamWriter, reader: asyncio.StreamReader
    ) -> bool:
        if script.stall_head:
            await _watch(reader, None)
        chunked = script.end != "close"
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        head += "transfer-encoding: chunked\r\n" if chunked else "connection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in script.headers)
        writer.write(f"{head}\r\n".encode())

        def send(data: bytes) -> None:
            writer.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

        for event in script.events:
            send(_event(event, script.newline))
            seen.events_sent += 1
            await _watch(reader, script.gap)
        if script.end == "stall":
            await _watch(reader, None)
        if script.end == "cut":
            writer.write(b"40\r\ndata: {")
            await writer.drain()
            return False
        if script.end == "done":
            send(_event(b"data: [DONE]", script.newline))
        seen.completed = True
        if not chunked:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return False
        writer.write(b"0\r\n\r\n")
        return True


class _PeerGone(Exception):
    """The peer closed the connection under an answer."""


async def _watch(reader: asyncio.StreamReader, seconds: float | None) -> None:
    """Wait so long (None: for ever), unless the peer goes."""
    if seconds == 0:
        await asyncio.sleep(0)
        if reader.at_eof():
            raise _PeerGone
        return
    try:
        async with asyncio.timeout(seconds):
            await reader.read(1)
    except TimeoutError:
        return
    except ConnectionError:
        pass
    raise _PeerGone


def delta(text: str) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


def finish(reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def _event(event: str | dict[str, Any] | bytes, newline: str) -> bytes:
    if isinstance(event, str):
        event = delta(event)
    line = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode()
    return line + (newline * 2).encode()


def _plain(code: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
    names = {name.lower() for name, _ in headers}
    if "content-type" not in names:
        headers = (*headers, ("content-type", "application/json"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\n{lines}\r\n".encode() + body


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(first.split(" ")[1], headers, body, monotonic(), connection)


def slowly(script: Script, gap: float) -> Script:
    """The same answer with `gap` seconds between its events."""
    return replace(script, gap=gap)
