"""Out of file descriptors, short of memory: new pages are refused with a reason, open ones go on, it recovers."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.helpers.olv_client import MutePeer, OlvClient
from tests.helpers.server_process import FAST, ServerProcess, eventually
from tests.helpers.services import require
from websockets.exceptions import ConnectionClosed, InvalidHandshake

LONG = {"kind": "builtin", "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 100_000}}


async def refused(server: ServerProcess) -> str | None:
    """Why a page is not let in; None if it is."""
    async with OlvClient(server.ws_url) as page:
        return await turned_away(page)


async def turned_away(page: OlvClient) -> str | None:
    """Open a page that has connected: the reason if it is closed with 1013, None if it is served."""
    try:
        await page.open()
    except ConnectionClosed as closed:
        if closed.rcvd is None or closed.rcvd.code != 1013:
            raise
        return closed.rcvd.reason
    return None


async def test_out_of_descriptors(tmp_path: Path) -> None:
    """With 64 descriptors: the page too many gets 1013 and the reason, open ones are answered, it recovers."""
    prefix = (require("prlimit"), "--nofile=64:64")
    async with ServerProcess(tmp_path, {"agent": FAST}, prefix=prefix) as server:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(OlvClient(server.ws_url))
            await first.open()
            reason = None
            for _ in range(64):
                page = await stack.enter_async_context(OlvClient(server.ws_url))
                if (reason := await turned_away(page)) is not None:
                    break
            assert reason is not None
            assert "ulimit -n" in reason
            # What is kept back serves those who are in, and the probes.
            assert (await first.ask("Are you still there?")).text
            assert (await server.get("/health/ready")).status == 200
        assert any("ulimit" in line.get("reason", "") for line in server.log())
        await server.quiet()
        assert await refused(server) is None
        assert not server.complaints()


async def test_connections_that_never_speak_take_all_descriptors(tmp_path: Path) -> None:
    """Every last descriptor taken by silent connections: nothing fails inside, and when they go it serves again."""
    prefix = (require("prlimit"), "--nofile=64:64")
    async with ServerProcess(tmp_path, {"agent": FAST}, prefix=prefix) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            silent = []
            for _ in range(100):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex((server.host, server.port))
                silent.append(one)
            await asyncio.sleep(0.2)
            assert (await page.ask("Are you still there?")).text
            for one in silent:
                one.close()

            async def again() -> bool:
                try:
                    return await refused(server) is None
                except (OSError, InvalidHandshake):
                    return False

            await eventually("a new page is let in again", again, 10)
            assert (await page.ask("And now?")).text
        assert not server.complaints()


async def test_short_of_memory(tmp_path: Path) -> None:
    """Above --max-rss a new page gets 1013 and the reason, balancers are told, open pages are answered."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        used = (await server.statistics())["rss_bytes"] // 2**20
    limits = {"outbox_drain_seconds": 1.5, "outbox_messages": 100_000, "ping_seconds": 60}
    options = {"agent": LONG, "limits": limits}
    async with ServerProcess(tmp_path, options, args=("--max-rss", str(used + 40))) as server:
        async with OlvClient(server.ws_url, patience=20) as page:
            await page.open()
            async with AsyncExitStack() as stack:
                # What they do not read piles up here, until they are dropped for it.
                for _ in range(12):
                    deaf = await stack.enter_async_context(MutePeer(server.host, server.port))
                    for _ in range(4):
                        await deaf.send("text-input", text="Tell me everything", images=[])

                async def full() -> str | None:
                    return await refused(server)

                assert "MiB" in await eventually("a page is refused", full, 10)
                health = await server.get("/health/ready")
                assert (health.status, health.json["status"]) == (503, "not ready")
                await page.round_trip()

            async def room() -> bool:
                return await refused(server) is None

            await eventually("memory is given back, and pages are let in again", room, 15)
            assert (await server.get("/health/ready")).status == 200
        assert not server.complaints()


@pytest.mark.parametrize("value", ["-1", "much"])
async def test_a_wrong_limit(tmp_path: Path, value: str) -> None:
    """A limit that is none stops the start with a message."""
    server = ServerProcess(tmp_path, {"agent": FAST}, args=("--max-rss", value))
    server.start()
    assert await server.exited(15) == 2
    assert "max" in server.log_text()
    assert "Traceback" not in server.log_text()
