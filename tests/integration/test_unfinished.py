"""Messages that never become whole: bounded for all clients together, and in time, while pages are answered."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from pathlib import Path

from tests.helpers.olv_client import MutePeer, OlvClient
from tests.helpers.server_process import FAST, ServerProcess

MB = 1_000_000


async def count(server: ServerProcess, name: str) -> float:
    lines = (await server.get("/metrics")).body.decode().splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name + " ")), 0.0)


async def push(peer: MutePeer, data: bytes) -> None:
    """Send as much of it as the server takes."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(1):
            await peer.push(data)


def begun(size: int) -> bytes:
    """A frame that claims to have one byte more than it has."""
    return b"\x81\xff" + (size + 1).to_bytes(8, "big") + bytes(4 + size)


async def test_all_together_hold_no_more_than_allowed(tmp_path: Path) -> None:
    """Each offender is told why; the server's memory does not grow with them; a page is answered meanwhile."""
    limits = {"inbox_bytes_total": 20 * MB}
    async with (
        ServerProcess(tmp_path, {"agent": FAST, "limits": limits}) as server,
        AsyncExitStack() as stack,
    ):
        before = (await server.statistics())["rss_bytes"]
        peers = [
            await stack.enter_async_context(MutePeer(server.host, server.port, buffer=65536))
            for _ in range(20)
        ]
        page = await stack.enter_async_context(OlvClient(server.ws_url))
        await page.open()
        await asyncio.gather(*(push(peer, begun(8 * MB)) for peer in peers))
        assert (await page.ask("Hello")).text
        assert await count(server, "greenroom_inbox_bytes") <= 20 * MB
        dropped = int(await count(server, 'greenroom_refused_total{what="inbox full"}'))
        assert dropped >= 18
        assert (await server.statistics())["rss_bytes"] - before < 100 * MB
        ends = await asyncio.gather(
            *(peer.closed_within(5) for peer in peers[:dropped]), return_exceptions=True
        )
        told = [end for end in ends if isinstance(end, bytes) and b"unread messages are the limit" in end]
        assert told
        assert any(line["event"] == "connection dropped" for line in server.log())


async def test_a_message_that_does_not_end_is_cut_off(tmp_path: Path) -> None:
    """A byte now and then, or a fragment, keeps no message open; a page that says nothing stays."""
    limits = {"upload_seconds": 0.5}
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": limits}) as server:
        async with OlvClient(server.ws_url) as page:
            await page.open()
            for turn, (start, drop) in enumerate(
                ((begun(1000)[:20], b"a"), (b"\x01\x81\0\0\0\0a", b"\0\x81\0\0\0\0a"))
            ):
                async with MutePeer(server.host, server.port) as peer:
                    await peer.push(start)
                    cut_off = False
                    async with asyncio.timeout(10):
                        while not cut_off:
                            await push(peer, drop)
                            await asyncio.sleep(0.05)
                            cut_off = (
                                await count(server, 'greenroom_refused_total{what="slow message"}') > turn
                            )
                    assert b"a message took longer than 0.5 s to arrive" in await peer.closed_within(5)
            await page.round_trip()
