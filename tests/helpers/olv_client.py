"""A client of the Open-LLM-VTuber protocol, as the real page behaves, and two that behave badly."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

GREETING = ["group-update", "full-text", "set-model-and-conf", "group-update", "control"]
OPENING = ["fetch-backgrounds", "fetch-configs", "fetch-history-list", "create-new-history"]
OPENING_REPLIES = ["background-files", "config-files", "history-list", "new-history-created"]
END = {"type": "control", "text": "conversation-chain-end"}


@dataclass(frozen=True)
class Reply:
    """One turn as the page saw it; seconds are counted from sending the message."""

    messages: list[dict[str, Any]]
    first: float
    """To the first sentence."""
    seconds: float
    """To the end of the turn."""

    @property
    def text(self) -> str:
        return "".join(m["display_text"]["text"] for m in self.messages if m["type"] == "audio")


def shape(message: dict[str, Any]) -> str:
    """A message in one word: its type, with the text of those that differ by it."""
    return f"control {message['text']}" if message["type"] == "control" else message["type"]


class OlvClient:
    """One page. Entering connects; leaving closes politely, unless it has been left otherwise."""

    def __init__(self, url: str, *, patience: float = 10.0) -> None:
        self._url = url
        self._patience = patience
        self.history_uid = ""
        self.ws: ClientConnection

    async def __aenter__(self) -> Self:
        self.ws = await connect(
            self._url, compression=None, ping_interval=None, close_timeout=2, max_size=None
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ws.close()

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send(json.dumps({"type": kind, **fields}))

    async def send_raw(self, data: str | bytes) -> None:
        await self.ws.send(data)

    async def receive(self, seconds: float | None = None) -> dict[str, Any]:
        """The next message. Raises TimeoutError, or websockets' ConnectionClosed."""
        async with asyncio.timeout(seconds or self._patience):
            return json.loads(await self.ws.recv())

    async def until(self, kind: str, seconds: float | None = None, **fields: Any) -> list[dict[str, Any]]:
        """All messages up to the first of this type whose fields have these values."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(seconds or self._patience):
            while True:
                message = json.loads(await self.ws.recv())
                found.append(message)
                if message["type"] == kind and all(message.get(n) == value for n, value in fields.items()):
                    return found

    async def greeting(self) -> list[dict[str, Any]]:
        """The five messages that come unasked."""
        return [await self.receive() for _ in GREETING]

    async def open(self) -> list[dict[str, Any]]:
        """What the official page sends when its socket opens; gives the greeting and the four replies."""
        found = await self.greeting()
        for kind in OPENING:
            await self.send(kind)
        found += [await self.receive() for _ in OPENING]
        self.history_uid = found[-1]["history_uid"]
        return found

    async def ask(self, text: str, seconds: float | None = None) -> Reply:
        """One whole turn."""
        began = perf_counter()
        await self.send("text-input", text=text, images=[])
        return await self.reply(began, seconds)

    async def reply(self, began: float, seconds: float | None = None) -> Reply:
        """Read until the turn's end; plays the sound at once, as a page without a model does."""
        found: list[dict[str, Any]] = []
        first = 0.0
        async with asyncio.timeout(seconds or self._patience):
            while True:
                message = json.loads(await self.ws.recv())
                found.append(message)
                if message["type"] == "audio" and not first:
                    first = perf_counter() - began
                elif message["type"] == "backend-synth-complete":
                    await self.send("frontend-playback-complete")
                elif message["type"] == "control" and message["text"] == "conversation-chain-end":
                    return Reply(found, first, perf_counter() - began)

    async def round_trip(self) -> float:
        """Seconds a heartbeat takes; for a page that expects nothing else."""
        began = perf_counter()
        await self.send("heartbeat")
        await self.until("heartbeat-ack")
        return perf_counter() - began

    def vanish(self) -> None:
        """Cut the connection without a word, as a browser that is killed."""
        self.ws.transport.abort()


class MutePeer:
    """A client whose machine has lost power after the handshake: it never reads, answers no ping, never closes.

    A raw socket with a tiny receive buffer, so that what is sent to it backs up in the server.
    """

    def __init__(self, host: str, port: int, buffer: int = 4096) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.setblocking(False)
        self._address = (host, port)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, self._address)
        key = base64.b64encode(os.urandom(16)).decode()
        host, port = self._address
        lines = [
            "GET /client-ws HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
        ]  # fmt: skip
        await loop.sock_sendall(self._socket, ("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            part = await loop.sock_recv(self._socket, 1)
            assert part, "the server closed during the handshake"
            head += part
        assert head.startswith(b"HTTP/1.1 101"), head
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, kind: str, **fields: Any) -> None:
        """One text frame, masked as clients must."""
        data = json.dumps({"type": kind, **fields}).encode()
        size = len(data)
        head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
        mask = os.urandom(4)
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        await asyncio.get_running_loop().sock_sendall(self._socket, head + mask + body)

    async def push(self, data: bytes) -> None:
        """Bytes as they are."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def closed_within(self, seconds: float) -> bytes:
        """Read everything up to the end of the connection."""
        found = b""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while True:
                try:
                    part = await loop.sock_recv(self._socket, 65536)
                except ConnectionError:
                    return found
                if not part:
                    return found
                found += part
