"""The engine for every server that speaks the OpenAI chat API: OpenAI, Ollama, LM Studio, llama.cpp, vLLM, …

Shared by all clients with the same settings: one HTTP client with kept-alive connections, one line for the
slots. Cancelling a reply closes its connection, so the provider stops generating. Neither keys nor anybody's
words are ever logged.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from .base import AgentEngine, AgentError, ChatRequest, EngineStatistics
from .models import chat_models, parse_models, without_user
from .openai_errors import Provider, connect_too_slow, garbage, status_error, unreachable
from .openai_wire import encode_request, error_message
from .slots import Slots

if TYPE_CHECKING:
    import httpx

    from greenroom.config.settings import OpenAISettings

    from .openai_http import Exchange

OPENAI_URL = "https://api.openai.com/v1"


class OpenAICompatibleEngine(AgentEngine):
    """Streams replies from `POST {base_url}/chat/completions`.

    Without a `base_url` it talks to OpenAI itself; without a `model`, to the first listed one that can chat.
    The time to the first token counts from when a slot is free, over all attempts together.

    Args:
        settings: where, which model, how patient.
        environ: holds the key, under the name the settings give.
        sleep, jitter: the pauses between attempts (seconds), and their spread (0 to 1).
    """

    def __init__(
        self,
        settings: OpenAISettings,
        *,
        environ: Mapping[str, str] = os.environ,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._base_url = (settings.base_url or OPENAI_URL).rstrip("/")
        self._key = settings.key(environ)
        self._model = settings.model or ""
        self._sleep = sleep
        self._jitter = jitter
        self._slots = Slots(settings.max_concurrent)
        self._client: httpx.AsyncClient | None = None
        self._closed = False
        self._started = self._finished = self._aborted = self._failed = 0

    @property
    def model(self) -> str:
        """The model's name; empty as long as `start` has not chosen one."""
        return self._model

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"{self._model or 'a model'} at {without_user(self._base_url)}"

    async def start(self) -> None:
        """Load the HTTP client, and choose a model if the settings name none. Raises `AgentError`."""
        if self._client is None:
            # In a thread: importing httpx and reading the certificates take up to half a second.
            self._client = await asyncio.to_thread(_open_client, self._base_url, self._settings, self._key)
        if not self._model:
            try:
                self._model = await self._first_model(self._client)
            except BaseException:
                await self._close_client()
                raise

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """Yield the reply as it comes."""
        self._started += 1
        try:
            await self._slots.acquire()
            try:
                exchange = self._exchange(request)
                try:
                    while (text := await exchange.next()) is not None:
                        yield text
                finally:
                    await exchange.close()
            finally:
                self._slots.release()
        except (asyncio.CancelledError, GeneratorExit):
            self._aborted += 1
            raise
        except BaseException:
            self._failed += 1
            raise
        self._finished += 1

    def _exchange(self, request: ChatRequest) -> Exchange:
        from .openai_http import Exchange

        if self._client is None or self._closed:
            raise AgentError(
                "The agent has been shut down." if self._closed else "The agent has not started."
            )
        settings = self._settings
        body = encode_request(
            request,
            self._model,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            # OpenAI's newer models refuse the old name, the other servers do not know the new one.
            max_tokens_field="max_completion_tokens" if self._base_url == OPENAI_URL else "max_tokens",
        )
        return Exchange(
            self._client,
            self._base_url,
            body,
            settings,
            self._provider(request),
            self._offered,
            self._sleep,
            self._jitter,
        )

    def _provider(self, request: ChatRequest | None = None) -> Provider:
        settings = self._settings
        if settings.api_key is not None:
            source = "agent.openai.api_key in the configuration"
        elif settings.api_key_env:
            source = f"the environment variable {settings.api_key_env}"
        else:
            source = "an environment variable, and its name into agent.openai.api_key_env"
        url = without_user(self._base_url)
        private = ""
        if request is not None:
            private = "\n".join([request.system, *(message.content for message in request.messages)])
        return Provider(url, self._model, source, self._key is not None, self._key or "", private)

    async def _offered(self) -> list[str] | None:
        """The models the provider lists, None if it does not say; never raises but for cancellation."""
        import httpx

        from .openai_http import list_models

        if self._client is None:
            return None
        try:
            status, body = await list_models(self._client, self._base_url)
        except (httpx.HTTPError, TimeoutError):
            return None
        return parse_models(body) if status == 200 else None

    async def _first_model(self, client: httpx.AsyncClient) -> str:
        import httpx

        from .openai_http import MODELS_SECONDS, list_models

        provider = self._provider()
        try:
            status, body = await list_models(client, self._base_url)
        except (TimeoutError, httpx.TimeoutException):
            raise connect_too_slow(provider, min(MODELS_SECONDS, self._settings.connect_seconds)) from None
        except httpx.HTTPError:
            raise unreachable(provider) from None
        if status != 200:
            raise status_error(provider, status, provider.quote(error_message(body)))
        names = parse_models(body)
        if names is None:
            raise garbage(provider)
        chatting = chat_models(names)
        if not chatting:
            raise AgentError(
                f"The model provider at {provider.url} offers no model that can chat.",
                hint="Load or pull one there, or name it in agent.openai.model.",
            )
        return chatting[0]

    async def aclose(self) -> None:
        """Close the connections; streams under way end with an `AgentError`."""
        self._closed = True
        self._slots.close()
        await self._close_client()

    async def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(
            generating=self._slots.busy,
            waiting=self._slots.waiting,
            started=self._started,
            finished=self._finished,
            aborted=self._aborted,
            failed=self._failed,
            slots=self._slots.limit,
        )


def _open_client(base_url: str, settings: OpenAISettings, key: str | None) -> httpx.AsyncClient:
    from .openai_http import open_client

    return open_client(base_url, settings, key)
