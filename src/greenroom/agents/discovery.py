"""Which agent `kind: auto` means: a configured provider, else a model server here, else the built-in one.

The well-known ports of local model servers are asked for their models, all at once, for at most half a
second. It is a plain HTTP GET on a socket: the HTTP client of the real engine would take longer to import
than the whole search may.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import httptools

from greenroom.tasks import TaskScope

from .models import chat_models, parse_models, without_user

if TYPE_CHECKING:
    from greenroom.config.settings import AgentSettings

LOCAL_SERVERS = (
    ("Ollama", 11434),
    ("LM Studio", 1234),
    ("llama.cpp", 8080),
    ("vLLM", 8000),
)
"""Name and default port; where several answer, the first of this list is taken."""

PROBE_SECONDS = 0.5
MAX_ANSWER = 256 * 1024
"""Bytes of an answer that are read."""

Probe = Callable[[str], Awaitable[list[str]]]
"""From a base URL to the names of its models; raises `OSError`, or returns none, where no such server is."""


async def choose(
    settings: AgentSettings,
    *,
    scope: TaskScope,
    probe: Probe | None = None,
    timeout: float = PROBE_SECONDS,
    environ: Mapping[str, str] = os.environ,
) -> tuple[AgentSettings, str]:
    """Settle `kind: auto`; other kinds stay as they are.

    Args:
        scope: owns the probes.
        probe: asks one base URL for its models.
        timeout: seconds all probes together may take.
        environ: where `OPENAI_BASE_URL` is looked up.

    Returns:
        Settings whose kind is `builtin` or `openai`, and a sentence that says why.
    """
    if settings.kind != "auto":
        return settings, f"The configuration asks for the {settings.kind} agent."
    configured = settings.openai.base_url
    if configured:
        return _openai(
            settings, configured, None
        ), f"The configuration names a model provider: {without_user(configured)}."
    from_environment = environ.get("OPENAI_BASE_URL", "").strip()
    if from_environment.startswith(("http://", "https://")):
        why = f"OPENAI_BASE_URL names a model provider: {without_user(from_environment)}."
        return _openai(settings, from_environment, None), why
    found = await _first_answer(scope, probe or probe_models, timeout)
    if found is not None:
        name, base_url, model = found
        model = settings.openai.model or model
        return _openai(settings, base_url, model), f"{name} answers at {base_url}, model {model}."
    ports = ", ".join(f"{name} {port}" for name, port in LOCAL_SERVERS)
    return (
        settings.model_copy(update={"kind": "builtin"}),
        f"No model provider is configured and none answers here ({ports}): the built-in agent speaks.",
    )


async def _first_answer(scope: TaskScope, probe: Probe, timeout: float) -> tuple[str, str, str] | None:
    async def ask(base_url: str) -> str | None:
        try:
            async with asyncio.timeout(timeout):
                models = chat_models(await probe(base_url))
        except (OSError, ValueError, EOFError):
            # Nothing listens there, or something else does. (TimeoutError is an OSError.)
            return None
        return models[0] if models else None

    jobs = []
    try:
        for name, port in LOCAL_SERVERS:
            base_url = f"http://127.0.0.1:{port}/v1"
            jobs.append((name, base_url, scope.start(ask, base_url, name=f"probe {name}")))
        for name, base_url, job in jobs:
            model = await job
            if model:
                return name, base_url, model
    finally:
        for _, _, job in jobs:
            if not job.done():
                job.cancel("the search is over")
    return None


async def probe_models(base_url: str) -> list[str]:
    """Ask `{base_url}/models` on this machine; plain HTTP, one answer of at most `MAX_ANSWER` bytes.

    Raises `OSError` where nothing listens, `ValueError` if the answer is not a list of models.
    """
    url = httptools.parse_url(base_url.encode())
    host, port = (url.host or b"127.0.0.1").decode(), url.port or 80
    path = (url.path or b"").decode().rstrip("/")
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = f"GET {path}/models HTTP/1.1\r\nHost: {host}:{port}\r\n"
        writer.write(f"{head}Accept: application/json\r\nConnection: close\r\n\r\n".encode("ascii"))
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        read = 0
        while not answer.complete and read < MAX_ANSWER:
            chunk = await reader.read(65536)
            if not chunk:
                break
            read += len(chunk)
            try:
                parser.feed_data(chunk)
            except httptools.HttpParserError as error:
                raise ValueError(f"not an HTTP answer: {error}") from None
        good = answer.started and parser.get_status_code() == 200
        models = parse_models(bytes(answer.body)) if good else None
    finally:
        writer.transport.abort()
    if models is None:
        raise ValueError("not a list of models")
    return models


class _Answer:
    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False
        self.started = False

    def on_headers_complete(self) -> None:
        self.started = True

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


def _openai(settings: AgentSettings, base_url: str, model: str | None) -> AgentSettings:
    update: dict[str, object] = {"base_url": base_url.rstrip("/")}
    if model:
        # Found by chance, not configured: the user's key is none of its business.
        update |= {"model": model, "api_key": None, "api_key_env": ""}
    return settings.model_copy(update={"kind": "openai", "openai": settings.openai.model_copy(update=update)})
