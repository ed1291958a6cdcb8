"""A provider that fails in every way, for many pages at once: every turn ends, whoever must know is told."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.agents.fault_provider import FaultProvider
from tests.helpers.moody_provider import FATAL, HICCUPS, Hiccup, MoodyProvider
from tests.helpers.olv_client import OlvClient, Reply
from tests.helpers.server_process import ServerProcess

from greenroom.tasks import TaskScope

PAGES = 12


def settings(provider: FaultProvider, **openai: Any) -> dict[str, Any]:
    quick = {"silence_seconds": 1.5, "first_token_seconds": 3, "retries": 1, "connect_seconds": 1}
    openai = {"base_url": provider.base_url, "model": "test-model", **quick, **openai}
    return {"agent": {"kind": "openai", "openai": openai}}


def complaint(reply: Reply) -> str:
    """What the page was told; empty if nothing."""
    return " ".join(m["message"] for m in reply.messages if m["type"] == "error")


async def visit(server: ServerProcess, number: int, hiccups: list[Hiccup]) -> None:
    """One page with a turn for each hiccup, and a good one at the end."""
    async with OlvClient(server.ws_url, patience=30) as page:
        await page.open()
        for turn, hiccup in enumerate(hiccups):
            reply = await page.ask(f"Hello [{hiccup} {number * 1000 + turn}]")
            told = complaint(reply)
            if hiccup in FATAL:
                assert told, f"{hiccup}: nobody was told"
                assert "Traceback" not in told
            else:
                assert not told, f"{hiccup}: {told}"
                assert reply.text
        assert not complaint(await page.ask(f"And now? [ {number}]"))


async def everybody(server: ServerProcess, plans: list[list[Hiccup]]) -> None:
    async with TaskScope("pages") as scope:
        jobs = [scope.start(visit, server, number, plan) for number, plan in enumerate(plans)]
        for job in jobs:
            await job


async def after(server: ServerProcess, provider: FaultProvider, tasks: int) -> None:
    """Nothing is left of all that."""
    found = await server.quiet()
    assert found["tasks"]["running"] <= tasks + 1, await server.tasks()
    assert found["abandoned"] == 0
    assert provider.streaming == 0
    assert not server.complaints()


@pytest.mark.parametrize("hiccup", HICCUPS)
async def test_all_pages_meet_the_same_fault(tmp_path: Path, hiccup: Hiccup) -> None:
    """A storm of one fault (429, stalls, …) over twelve pages, and then everybody is served again."""
    async with MoodyProvider() as provider, ServerProcess(tmp_path, settings(provider)) as server:
        tasks = (await server.statistics())["tasks"]["running"]
        await everybody(server, [[hiccup] * 2] * PAGES)
        await after(server, provider, tasks)


async def test_faults_at_random(tmp_path: Path) -> None:
    """Each turn of each page meets a fault of its own, or none."""
    chance = random.Random(3)
    plans = [[chance.choice(("", *HICCUPS)) for _ in range(6)] for _ in range(PAGES)]
    async with MoodyProvider() as provider, ServerProcess(tmp_path, settings(provider)) as server:
        tasks = (await server.statistics())["tasks"]["running"]
        await everybody(server, plans)
        await after(server, provider, tasks)


async def test_a_provider_that_is_down_and_comes_back(tmp_path: Path) -> None:
    """While nobody listens there, each turn ends with words about it; when it is back, it is used at once."""
    async with MoodyProvider() as gone:
        pass
    async with (
        ServerProcess(tmp_path, settings(gone)) as server,
        OlvClient(server.ws_url, patience=20) as page,
    ):
        await page.open()
        told = complaint(await page.ask("Hello"))
        assert f"127.0.0.1:{gone.port}" in told
        provider = MoodyProvider()
        provider.listen_on = gone.port
        async with provider:
            assert (await page.ask("And now?")).text
        assert complaint(await page.ask("And now?"))
        await page.round_trip()
        assert not server.complaints()
