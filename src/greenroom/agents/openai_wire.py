"""The OpenAI chat API on the wire, without I/O: the request as JSON, the event stream as text.

Lenient where servers differ: event lines end in LF or CRLF, `data:` may lack its space and the empty line
after it, unknown fields are ignored, `content` may be null, text or a list of parts. The event reader is our
own for speed: it splits bytes once and decodes only `data:` lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from .base import ChatMessage, ChatRequest

MAX_LINE = 1024 * 1024
"""Bytes one event may have; more is no chat stream."""


class GarbageError(ValueError):
    """What came is not an answer of the chat API."""


class ProviderError(Exception):
    """An error object inside the stream; holds the provider's own text."""


def encode_request(
    request: ChatRequest,
    model: str,
    *,
    temperature: float | None = None,
    max_tokens: int | None = None,
    max_tokens_field: str = "max_tokens",
) -> bytes:
    """The body of `POST /chat/completions`, in one pass over the prompt.

    Neighbouring messages of one role become one: many models' templates insist that user and assistant take
    turns. Images that are not `data:image/` URLs are left out, for the provider must not fetch on our behalf.
    """
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for message in request.messages:
        content = _content(message)
        last = messages[-1] if messages else None
        if last is not None and last["role"] == message.role and message.role != "system":
            last["content"] = _joined(last["content"], content)
        else:
            messages.append({"role": message.role, "content": content})
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    if temperature is not None:
        body["temperature"] = temperature
    if max_tokens is not None:
        body[max_tokens_field] = max_tokens
    return msgspec.json.encode(body)


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    images = [url for url in message.images if url.startswith("data:image/")]
    if not images:
        return message.content
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    return [{"type": "text", "text": message.content}, *parts] if message.content else parts


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: Any = None
    object: Any = None
    message: Any = None


_decoder = msgspec.json.Decoder(_Chunk)


class Reply:
    """Reads one answer: `feed` it bytes, get text. Raises `GarbageError`, `ProviderError`."""

    __slots__ = ("_rest", "done", "events", "finish_reason", "reasoned", "spoke")

    def __init__(self) -> None:
        self._rest = b""
        self.done = False
        """`[DONE]` was seen."""
        self.events = 0
        self.finish_reason: str | None = None
        self.reasoned = False
        """The model thought aloud (`reasoning_content`); that is not part of the reply."""
        self.spoke = False
        """There was text."""

    def feed(self, data: bytes) -> str:
        """The text in the next bytes of an event stream; "" if none."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE:
            raise GarbageError(f"a line of more than {MAX_LINE} bytes")
        return self._text(lines)

    def end(self) -> str:
        """The text in a last line that no newline ended."""
        rest, self._rest = self._rest, b""
        return self._text([rest])

    def whole(self, body: bytes) -> str:
        """The text of an answer that came in one JSON object: some servers do not stream."""
        text = "".join(self._chunk(body))
        self.done = True
        return text

    def _text(self, lines: list[bytes]) -> str:
        texts: list[str] = []
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    self.done = True
                    break
                if data:
                    texts.extend(self._chunk(data))
            elif line.startswith(b"error:"):
                self._fail(line[6:].strip())
        return texts[0] if len(texts) == 1 else "".join(texts)

    def _chunk(self, data: bytes) -> Iterator[str]:
        try:
            chunk = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GarbageError(str(error)) from None
        self.events += 1
        if chunk.error is not None:
            raise ProviderError(error_text(chunk.error))
        if chunk.object == "error":
            raise ProviderError(error_text(chunk.message))
        for choice in chunk.choices or ():
            if choice.index:
                continue
            delta = choice.delta or choice.message
            if delta is not None:
                text = delta.content
                if isinstance(text, list):
                    text = "".join(part["text"] for part in text if _is_text(part))
                if isinstance(text, str) and text:
                    self.spoke = True
                    yield text
                elif delta.reasoning_content or delta.reasoning:
                    self.reasoned = True
            if choice.finish_reason:
                self.finish_reason = choice.finish_reason

    def _fail(self, data: bytes) -> None:
        raise ProviderError(error_message(data) or "no reason given")


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def error_text(error: Any) -> str:
    """The text of an error object in any of the shapes in use."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("type") or "no reason given"
    return str(error)


def error_message(body: bytes) -> str:
    """The provider's own words in the body of a refusal; "" if it has none, or sends a web page."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    if isinstance(answer, dict):
        for key in ("error", "message", "detail"):
            if answer.get(key):
                return error_text(answer[key])
    return ""
