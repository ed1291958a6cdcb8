"""Tests of finding out what `kind: auto` means."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any

import pytest

from greenroom.agents import discovery
from greenroom.agents.discovery import Probe, choose, probe_models
from greenroom.config.settings import AgentSettings, OpenAISettings
from greenroom.tasks import TaskScope

from .fault_provider import FaultProvider

AUTO = AgentSettings(kind="auto")


def probe_of(answers: Mapping[int, list[str] | Exception | float]) -> Probe:
    """A probe by port: models, an error, or seconds of silence; refused where nothing is said."""

    async def probe(base_url: str) -> list[str]:
        answer = answers.get(int(base_url.split(":")[2].split("/")[0]), ConnectionRefusedError())
        if isinstance(answer, float | int):
            await asyncio.sleep(answer)
            return ["late"]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return probe


async def chosen(
    settings: AgentSettings,
    answers: Mapping[int, Any],
    environ: dict[str, str] | None = None,
    timeout: float = 0.5,
):
    async with TaskScope("test") as scope:
        result = await choose(
            settings,
            scope=scope,
            probe=probe_of(answers),
            environ=environ or {},
            timeout=timeout,
        )
        await asyncio.sleep(0)
        assert not scope.running
        assert scope.statistics().failed == 0
        return result


@pytest.mark.parametrize("kind", ["builtin", "openai"])
async def test_other_kinds_stay(kind: str) -> None:
    """Only `auto` is settled."""
    settings = AUTO.model_copy(update={"kind": kind})
    assert (await chosen(settings, {11434: ["x"]}))[0] is settings


async def test_configured_provider_wins() -> None:
    """A base URL in the settings is used, with the key they name, and nothing is probed."""
    settings = AgentSettings(openai=OpenAISettings(base_url="http://me:pw@host/v1", model="m"))
    result, why = await chosen(settings, {11434: ["x"]})
    assert result.kind == "openai"
    assert result.openai == settings.openai
    assert "http://host/v1" in why
    assert "pw" not in why


async def test_environment_comes_next() -> None:
    """OPENAI_BASE_URL counts where the settings name nothing; one that is no URL does not."""
    result, why = await chosen(AUTO, {11434: ["x"]}, {"OPENAI_BASE_URL": "https://host/v1/"})
    assert (result.kind, result.openai.base_url) == ("openai", "https://host/v1")
    assert "OPENAI_BASE_URL" in why
    result, _ = await chosen(AUTO, {}, {"OPENAI_BASE_URL": "nonsense"})
    assert result.kind == "builtin"


async def test_local_server_is_found_and_gets_no_key() -> None:
    """A model server on this machine is used; it is not given the key that is meant for another."""
    result, why = await chosen(AUTO, {1234: ["nomic-embed-text", "llama3"]}, {"OPENAI_API_KEY": "sk-secret"})
    assert why == "LM Studio answers at http://127.0.0.1:1234/v1, model llama3."
    assert (result.kind, result.openai.base_url) == ("openai", "http://127.0.0.1:1234/v1")
    assert result.openai.model == "llama3"
    assert result.openai.key({"OPENAI_API_KEY": "sk-secret"}) is None


async def test_order_of_local_servers() -> None:
    """Where several answer, the order of the list decides."""
    assert "Ollama" in (await chosen(AUTO, {8000: ["a"], 11434: ["b"], 1234: ["c"]}))[1]


async def test_model_of_the_settings_is_kept() -> None:
    """A model named in the settings is asked for, whatever comes first in the list."""
    settings = AgentSettings(openai=OpenAISettings(model="mine"))
    assert (await chosen(settings, {11434: ["a", "mine"]}))[0].openai.model == "mine"


async def test_nothing_there() -> None:
    """Errors, embeddings only, and empty lists mean: the built-in agent."""
    answers = {11434: ["nomic-embed-text"], 1234: ValueError("no list"), 8080: [], 8000: EOFError()}
    result, why = await chosen(AUTO, answers)
    assert result.kind == "builtin"
    assert "built-in" in why


async def test_silent_servers_cost_the_timeout_once() -> None:
    """Ports that never answer are waited for together; one that answers is still found."""
    began = monotonic()
    _, why = await chosen(AUTO, {11434: 60.0, 1234: 60.0, 8080: ["m"], 8000: 60.0}, timeout=0.05)
    assert "llama.cpp" in why
    assert monotonic() - began < 0.5


async def test_cancelled_search_leaves_nothing() -> None:
    """Cancelling the search ends its probes."""
    async with TaskScope("test") as scope:
        probe = probe_of({11434: 60.0})
        task = asyncio.get_running_loop().create_task(choose(AUTO, scope=scope, probe=probe, environ={}))
        await asyncio.sleep(0.005)
        assert scope.running
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.005)
        assert not scope.running


async def test_real_probe() -> None:
    """The probe reads a real answer, and says no to what is no list."""
    async with FaultProvider(models=("a", "b")) as provider:
        assert await probe_models(provider.base_url) == ["a", "b"]
    async with FaultProvider(models=None) as provider:
        with pytest.raises(ValueError, match="list of models"):
            await probe_models(provider.base_url)
    with pytest.raises(OSError):
        await probe_models(provider.base_url)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-hello\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n{",
    ],
)
async def test_probe_of_something_else(answer: bytes) -> None:
    """What listens on the port but is no model server is no model server."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        with pytest.raises((ValueError, OSError)):
            await probe_models(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    finally:
        server.close()
        await server.wait_closed()


async def test_chunked_list_is_read() -> None:
    """A list in a chunked body is read too."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in (b'{"data":[{"id"', b':"m"}]}', b""):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        assert await probe_models(f"http://127.0.0.1:{port}/v1") == ["m"]
    finally:
        server.close()
        await server.wait_closed()


async def test_whole_search_on_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """End to end: a refusing port, a silent one and a real one; the real one is found within the time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with FaultProvider(models=("m",)) as provider, TaskScope("test") as scope:
            ports = (("Gone", 1), ("Silent", silent.getsockname()[1]), ("Real", provider.port))
            monkeypatch.setattr(discovery, "LOCAL_SERVERS", ports)
            result, why = await choose(AUTO, scope=scope, environ={}, timeout=0.1)
            assert result.openai.model == "m"
            assert why.startswith("Real answers")
