"""What the provider sees: a page that closes, interrupts or switches frees the provider's slot at once."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.agents.fault_provider import FaultProvider, Script, Seen, ok, stall_after, status
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import IDLE_TASKS, ServerProcess, eventually

ENDLESS = Script(events=("Once upon a time there was a house. ",) * 5000, gap=0.005)


@pytest.fixture
async def provider() -> AsyncIterator[FaultProvider]:
    async with FaultProvider(ENDLESS) as running:
        yield running


def settings(provider: FaultProvider, **openai: Any) -> dict[str, Any]:
    return {
        "agent": {
            "kind": "openai",
            "openai": {"base_url": provider.base_url, "model": "test-model", **openai},
        }
    }


async def aborted_after(request: Seen, since: float) -> float:
    """Seconds from `since` until the provider saw its connection closed."""
    await asyncio.wait_for(request.aborted.wait(), 5)
    assert request.aborted_at is not None
    return request.aborted_at - since


async def test_a_closed_page_aborts_its_stream(tmp_path: Path, provider: FaultProvider) -> None:
    """Politely or abruptly closed in mid-reply: the provider sees it within 100 ms, tasks are gone within 200 ms."""
    async with ServerProcess(tmp_path, settings(provider)) as server:
        aborts, gone = [], []
        for number in range(10):
            page = await OlvClient(server.ws_url).__aenter__()
            await page.open()
            await page.send("text-input", text="Tell me a story", images=[])
            await page.until("audio")
            began = monotonic()
            if number % 2:
                page.vanish()
            else:
                await page.ws.close()
            aborts.append(await aborted_after(provider.requests[-1], began))

            async def nothing_left() -> bool:
                return (await server.statistics())["tasks"]["running"] == IDLE_TASKS

            await eventually("no task of the client", nothing_left, 2)
            gone.append(monotonic() - began)
            await page.ws.close()
        assert statistics.median(aborts) < 0.1, aborts
        assert statistics.median(gone) < 0.2, gone
        assert provider.streaming == 0
        assert (await server.quiet())["abandoned"] == 0
        assert not server.complaints()


@pytest.mark.parametrize("message", [("interrupt-signal", {"text": ""}), ("switch-config", {"file": "sakura.yaml"}),
                                     ("create-new-history", {})])  # fmt: skip
async def test_a_page_that_turns_to_something_else(
    tmp_path: Path, provider: FaultProvider, message: tuple[str, dict[str, Any]]
) -> None:
    """An interruption, a switch or a new conversation in mid-reply aborts the stream, too."""
    async with ServerProcess(tmp_path, settings(provider)) as server, OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("text-input", text="Tell me a story", images=[])
        await page.until("audio")
        began = monotonic()
        await page.send(message[0], **message[1])
        assert await aborted_after(provider.requests[-1], began) < 0.3
        await page.send("heartbeat")
        await page.until("heartbeat-ack")
        assert provider.streaming == 0


async def test_a_silent_provider(tmp_path: Path) -> None:
    """A provider that falls silent ends the turn with an `error` that says so, and the stream is closed."""
    async with FaultProvider(stall_after("One moment. "), ok("Back again.")) as provider:
        config = settings(provider, silence_seconds=0.3)
        async with ServerProcess(tmp_path, config) as server, OlvClient(server.ws_url) as page:
            await page.open()
            reply = await page.ask("Hello")
            assert [m["code"] for m in reply.messages if m["type"] == "error"] == ["agent"]
            assert reply.text == "One moment."
            assert (await page.ask("And now?")).text == "Back again."
            assert provider.streaming == 0


async def test_a_provider_that_refuses_the_key(tmp_path: Path) -> None:
    """401 reaches the page as words about the key, not as a traceback; the turn ends."""
    async with FaultProvider(status(401, "Incorrect API key")) as provider:
        async with ServerProcess(tmp_path, settings(provider)) as server, OlvClient(server.ws_url) as page:
            await page.open()
            reply = await page.ask("Hello")
            errors = [m["message"] for m in reply.messages if m["type"] == "error"]
            assert len(errors) == 1
            assert "key" in errors[0]
            assert "Traceback" not in server.log_text()
