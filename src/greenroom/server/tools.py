"""The protocol's test tools (olv-protocol §15): `/tts-ws` speaks what one types; `/cache/*` is its sound."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from greenroom.server.files import CORS
from greenroom.sessions.rate_limit import RateLimit
from greenroom.sessions.router import MAX_SLOWDOWN
from greenroom.sessions.services import Services
from greenroom.voice import SpeechError

MAX_SOUNDS = 32
MAX_TEXT = 2000
MAX_SOCKETS = 20
"""Test pages at the same time; each may wait for the one voice."""
MAX_FRAME = 16 * 1024
"""Characters of a message: nothing longer is decoded, which would hold up everybody."""
NO_VOICE = "This server has no voice: set voice.tts.engine, or a character that has one."


class SpeechTool:
    """Speaks with the first character's voice; keeps the last few sounds in memory, so nothing piles up."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sounds: OrderedDict[str, bytes] = OrderedDict()
        self._open = 0

    async def tts_ws(self, socket: WebSocket) -> None:
        await socket.accept()
        if self._open >= MAX_SOCKETS:
            self._services.meter.refused("test pages")
            await socket.close(1013, f"{MAX_SOCKETS} test pages are open, which is the limit")
            return
        self._open += 1
        limits = self._services.settings.limits
        rate = RateLimit(limits.messages_per_second, limits.message_burst, monotonic())
        try:
            while True:
                frame = await socket.receive_text()
                await self._keep_pace(rate)
                await self._answer(socket, frame)
        except (WebSocketDisconnect, KeyError):
            return
        finally:
            self._open -= 1

    async def _keep_pace(self, rate: RateLimit) -> None:
        if wait := rate.take(monotonic()):
            self._services.meter.refused("too fast")
            await asyncio.sleep(min(wait, MAX_SLOWDOWN))

    async def _answer(self, socket: WebSocket, frame: str) -> None:
        text = _text_of(frame)
        if isinstance(text, Exception):
            await _send(socket, status="error", message=str(text))
            return
        engine = self._services.voices.get(self._services.default_character().voice)
        if engine is None:
            await _send(socket, status="error", message=NO_VOICE)
            return
        for sentence in re.findall(r"[^.]*\w[^.]*\.?", text):
            try:
                speech = await engine.synthesize(sentence.strip())
            except SpeechError as error:
                await _send(socket, status="error", message=f"{sentence.strip()[:40]!r}: {error}")
                return
            name = f"{uuid4().hex}.wav"
            self._sounds[name] = speech.wav
            while len(self._sounds) > MAX_SOUNDS:
                self._sounds.popitem(last=False)
            await _send(socket, status="partial", audioPath=f"cache/{name}", text=sentence.strip())
        await _send(socket, status="complete")

    async def cached(self, request: Request) -> Response:
        sound = self._sounds.get(request.path_params["name"])
        if sound is None:
            return PlainTextResponse("There is no such file.", status_code=404, headers=CORS)
        return Response(sound, media_type="audio/wav", headers=CORS)


def _text_of(frame: str) -> str | ValueError:
    if len(frame) > MAX_FRAME:
        return ValueError(f"text: is too long; send {MAX_TEXT} characters at most")
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ValueError('this is no JSON; send {"text": "…"}')
    text = message.get("text") if isinstance(message, dict) else None
    if not isinstance(text, str) or not text.strip():
        return ValueError('text: is missing or empty; send {"text": "…"}')
    if len(text) > MAX_TEXT:
        return ValueError(f"text: {len(text)} characters are too many; send {MAX_TEXT} at most")
    return text


async def _send(socket: WebSocket, **message: Any) -> None:
    await socket.send_text(msgspec.json.encode(message).decode())
