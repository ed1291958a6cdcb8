"""One chat request over HTTP: tries, time-outs, and an end that leaves nothing open.

Imported by the engine in a thread, when it starts: loading httpx takes up to a third of a second.

On closing early: httpx reads through five nested generators. Whoever drops them half-read leaves their
closing to the garbage collector, and so to five tasks that nobody owns. So `close` first closes the
connection (the provider sees it at once), and then reads the generators to their now immediate end.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

import httpx

from . import openai_errors as errors
from .base import AgentError
from .openai_wire import GarbageError, ProviderError, Reply, error_message

if TYPE_CHECKING:
    from greenroom.config.settings import OpenAISettings

log = logging.getLogger("greenroom.agents")

MAX_ERROR_BODY = 16 * 1024
MAX_BODY = 1024 * 1024
MAX_DELAY = 8.0
"""Seconds of the longest back-off."""
MAX_RETRY_AFTER = 10.0
"""Seconds; a provider that asks for more is not asked again, the user is told at once."""
GRACE = 0.5
"""Seconds to wait for the formal end of an answer whose text is complete."""
MODELS_SECONDS = 5.0


def open_client(base_url: str, settings: OpenAISettings, key: str | None) -> httpx.AsyncClient:
    """A client for one provider; reads certificates, so it belongs into a thread. Raises `AgentError`."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise AgentError(
            "agent.openai.base_url is not a URL.", hint="Write one such as http://127.0.0.1:11434/v1."
        )
    local = _is_loopback(url.host)
    verify: ssl.SSLContext | bool = httpx.create_ssl_context() if url.scheme == "https" else False
    return httpx.AsyncClient(
        headers=_headers(key),
        verify=verify,
        # A proxy for the outside world must not get between us and a model on this machine.
        trust_env=not local,
        # The engine's slots bound the connections: waiting happens there, in order and cheap to cancel.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30),
        timeout=httpx.Timeout(None, connect=settings.connect_seconds),
        follow_redirects=False,
    )


def _headers(key: str | None) -> dict[str, str]:
    headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
    if key:
        if not key.isascii() or not key.isprintable():
            raise AgentError("The key for the model provider has characters that no key has.")
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Failed(Exception):
    """An attempt failed in a way that another one may not."""

    def __init__(self, error: AgentError, label: str, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after
        self.label = label


class _Response:
    """A response that is being read, and its whole way down to the socket."""

    __slots__ = ("_chunks", "_response", "headers", "status")

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._chunks = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        self.status = response.status_code
        self.headers = response.headers

    async def read(self) -> bytes | None:
        """The next bytes, None at the end; raises `httpx.HTTPError`."""
        return await anext(self._chunks, None)

    async def read_all(self, limit: int) -> bytes:
        body = bytearray()
        while len(body) < limit and (chunk := await self.read()) is not None:
            body += chunk
        return bytes(body[:limit])

    async def close(self) -> None:
        try:
            await self._response.aclose()
        finally:
            # See the top of this file. Ends at once: the connection is closed, or the response was complete.
            try:
                while await anext(self._chunks, None) is not None:
                    pass
            except (httpx.HTTPError, httpx.StreamError):
                pass
            await self._chunks.aclose()


async def _send(client: httpx.AsyncClient, method: str, url: str, body: bytes | None) -> _Response:
    headers = {"Content-Type": "application/json"} if body is not None else None
    request = client.build_request(method, url, content=body, headers=headers)
    return _Response(await client.send(request, stream=True))


async def list_models(client: httpx.AsyncClient, base_url: str) -> tuple[int, bytes]:
    """Status and body (bounded) of `GET /models`; raises `httpx.HTTPError`, `TimeoutError`."""
    async with asyncio.timeout(MODELS_SECONDS):
        response = await _send(client, "GET", f"{base_url}/models", None)
        try:
            return response.status, await response.read_all(MAX_BODY)
        finally:
            await response.close()


class Exchange:
    """One request and its streamed answer. `next` until None; then, or whenever, `close`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        body: bytes,
        settings: OpenAISettings,
        provider: errors.Provider,
        models: Callable[[], Awaitable[list[str] | None]],
        sleep: Callable[[float], Awaitable[object]],
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._body = body
        self._settings = settings
        self._provider = provider
        self._models = models
        self._sleep = sleep
        self._random = random
        self._reply = Reply()
        self._response: _Response | None = None
        self._whole = False
        self._sized = False
        self._ended = False

    async def next(self) -> str | None:
        """The next piece of text, None at the end. Raises `AgentError`."""
        if self._ended:
            return None
        text = await (self._first() if self._response is None else self._more())
        if text is None:
            self._ended = True
            if not self._reply.spoke:
                reply = self._reply
                if not reply.events:
                    raise errors.garbage(self._provider)
                raise errors.empty_reply(self._provider, reply.finish_reason, reply.reasoned)
        return text

    async def close(self) -> None:
        """End it; if it was under way, the provider sees the connection close."""
        self._ended = True
        response, self._response = self._response, None
        if response is not None:
            await response.close()

    # -- until the first text ------------------------------------------------------------------------------

    async def _first(self) -> str | None:
        """Open the stream and read up to its first text, trying again as long as nothing has come."""
        seconds = self._settings.first_token_seconds
        time = asyncio.get_running_loop().time
        deadline = time() + seconds
        attempt = 0
        while True:
            limit = asyncio.timeout_at(deadline)
            try:
                async with limit:
                    await self._open()
                    text = await self._read()
                    while text == "" and not self._reply.reasoned:
                        text = await self._read()
                # A model that thinks aloud is alive: from here on only silence ends it.
                return await self._more() if text == "" else text
            except TimeoutError:
                if not limit.expired():
                    raise
                raise errors.no_first_token(self._provider, seconds) from None
            except _Failed as failed:
                delay = self._delay(attempt, failed.after)
                over = attempt >= self._settings.retries or delay is None or time() + delay >= deadline
                if over or delay is None or self._reply.reasoned:
                    raise failed.error from None
                await self._drop_response()
                attempt += 1
                # Not the message: it may quote the provider, and the provider its user.
                log.info("%s: %s, attempt %d in %.2f s", self._provider.url, failed.label, attempt + 1, delay)
                await self._sleep(delay)

    def _delay(self, attempt: int, asked: float | None) -> float | None:
        """Seconds before the next attempt; None if the provider asks for more than is sensible."""
        if asked is not None and asked > MAX_RETRY_AFTER:
            return None
        delay = min(MAX_DELAY, 0.25 * 2**attempt) * (0.5 + self._random())
        return max(delay, asked or 0.0)

    async def _drop_response(self) -> None:
        response, self._response = self._response, None
        self._reply = Reply()
        if response is not None:
            await response.close()

    async def _open(self) -> None:
        provider = self._provider
        try:
            response = await _send(self._client, "POST", f"{self._base_url}/chat/completions", self._body)
        except httpx.ConnectTimeout:
            error = errors.connect_too_slow(provider, self._settings.connect_seconds)
            raise _Failed(error, "no connection in time") from None
        except httpx.ConnectError:
            raise _Failed(errors.unreachable(provider), "no connection") from None
        except httpx.HTTPError as error:
            if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
                raise _Failed(errors.cut_off(provider, began=False), type(error).__name__) from None
            raise AgentError(
                f"The request to {provider.url} failed ({type(error).__name__}).",
                hint="Check the proxy settings.",
            ) from None
        self._response = response
        if response.status != 200:
            await self._refused(response)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._whole = kind == "application/json"
        self._sized = "content-length" in response.headers or "transfer-encoding" in response.headers

    async def _refused(self, response: _Response) -> None:
        status = response.status
        try:
            said = self._provider.quote(error_message(await response.read_all(MAX_ERROR_BODY)))
        except httpx.HTTPError:
            said = ""
        models = await self._models() if status == 404 else None
        error = errors.status_error(self._provider, status, said, models)
        if status != 429 and status < 500:
            raise error
        after = errors.retry_after(response.headers.get("retry-after"))
        if after is not None and after > MAX_RETRY_AFTER:
            error.hint = f"It asks to wait for {after:.0f} s."
        raise _Failed(error, f"HTTP {status}", after)

    # -- reading -------------------------------------------------------------------------------------------

    async def _more(self) -> str | None:
        """Read on up to the next text; each pause between two parts is bounded."""
        while True:
            finished = self._reply.finish_reason is not None
            seconds = GRACE if finished else self._settings.silence_seconds
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    text = await self._read()
            except _Failed as failed:
                raise failed.error from None
            except TimeoutError:
                if not limit.expired():
                    raise
                if finished:
                    return None
                raise errors.went_silent(self._provider, seconds) from None
            if text != "":
                return text

    async def _read(self) -> str | None:
        """One step: text, "" for none yet, None at the end."""
        reply, response = self._reply, self._response
        if response is None or reply.done:
            await self._read_out()
            return None
        began = reply.spoke
        try:
            if self._whole:
                return reply.whole(await response.read_all(MAX_BODY)) or None
            chunk = await response.read()
            if chunk is not None:
                return reply.feed(chunk)
            text = reply.end()
        except httpx.HTTPError:
            if reply.finish_reason is not None:
                return None
            raise _Failed(errors.cut_off(self._provider, began=began), "cut off") from None
        except GarbageError:
            raise errors.garbage(self._provider) from None
        except ProviderError as error:
            raise errors.stream_error(self._provider, str(error)) from None
        if text:
            return text
        if not reply.done and reply.finish_reason is None and not self._sized and reply.events:
            # Such a response ends when the connection does: this end may be a cut.
            raise _Failed(errors.cut_off(self._provider, began=began), "cut off")
        return None

    async def _read_out(self) -> None:
        """Read the formal end after `[DONE]`, so that the connection can serve the next request."""
        response = self._response
        if response is None:
            return
        try:
            async with asyncio.timeout(GRACE):
                while await response.read() is not None:
                    pass
        except (TimeoutError, httpx.HTTPError):
            # The text is complete: the connection is merely not used again.
            return
