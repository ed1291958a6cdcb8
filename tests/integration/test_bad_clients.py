"""Clients that do not read, do not answer, flood or vanish: they alone notice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest
from tests.helpers.olv_client import MutePeer, OlvClient
from tests.helpers.server_process import FAST, IDLE_TASKS, ServerProcess, eventually, slow
from websockets.exceptions import ConnectionClosed

from greenroom.config.settings import LimitSettings

LONG = {"kind": "builtin", "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 100_000}}
"""A reply of some 600 kB; a few of them are more than all buffers on the way to a client take."""


async def test_a_client_that_does_not_read_is_dropped_alone(tmp_path: Path) -> None:
    """After the drain deadline it gets 1013 and is gone; a page beside it is answered all the time."""
    limits = {"outbox_drain_seconds": 0.5, "outbox_messages": 8, "ping_seconds": 60}
    async with ServerProcess(tmp_path, {"agent": LONG, "limits": limits}) as server:
        async with MutePeer(server.host, server.port) as deaf, OlvClient(server.ws_url) as page:
            await page.open()
            slowest = 0.0

            async def dropped() -> bool:
                nonlocal slowest
                await deaf.send("text-input", text="Tell me everything", images=[])
                slowest = max(slowest, await page.round_trip())
                return (await server.statistics())["clients"] == 1

            await eventually("the deaf client is gone", dropped, 8)
            assert slowest < 0.25
            assert b"did not read for 0.5 s" in await deaf.closed_within(5)
        assert "did not read for 0.5 s" in {line.get("reason") for line in server.log()}
        found = await server.quiet()
        assert found["abandoned"] == 0
        assert not server.complaints()


async def test_a_client_that_goes_while_its_outbox_is_full_is_forgotten(tmp_path: Path) -> None:
    """Reset by a client that never read: whoever waited for room in its outbox is woken, everything is released."""
    limits = {"outbox_messages": 8, "ping_seconds": 60}
    async with ServerProcess(tmp_path, {"agent": LONG, "limits": limits}) as server:
        for _ in range(3):
            async with MutePeer(server.host, server.port) as deaf:
                for _ in range(100):
                    await deaf.send("text-input", text="Tell me everything", images=[])
                    await asyncio.sleep(0.005)
        found = await server.quiet()
        assert found["tasks"]["running"] == IDLE_TASKS, await server.tasks()
        assert not server.complaints()


async def test_a_vanished_client_is_gone_after_two_pings(tmp_path: Path) -> None:
    """Without a close frame and without a pong it is gone after the ping's interval and its time-out."""
    async with ServerProcess(
        tmp_path, {"agent": slow(words=5000), "limits": {"ping_seconds": 0.4}}
    ) as server:
        async with MutePeer(server.host, server.port) as silent, OlvClient(server.ws_url) as page:
            await page.open()
            await silent.send("text-input", text="Hello", images=[])
            began = monotonic()

            async def gone() -> bool:
                return (await server.statistics())["clients"] == 1

            await eventually("the silent client is gone", gone, 5)
            assert 0.3 < monotonic() - began < 2
            await page.round_trip()
        await server.quiet()
        assert not server.complaints()


def test_the_default_ping_finds_a_vanished_client_in_time() -> None:
    """With the defaults, interval and time-out together are at most 45 s."""
    assert 2 * LimitSettings().ping_seconds <= 45


async def test_the_connection_limit(tmp_path: Path) -> None:
    """One page too many is told so with 1013; when another leaves, it gets in."""
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": {"max_connections": 3}}) as server:
        async with OlvClient(server.ws_url) as a, OlvClient(server.ws_url) as b:
            await a.open()
            await b.open()
            async with OlvClient(server.ws_url) as c:
                await c.open()
                async with OlvClient(server.ws_url) as refused:
                    with pytest.raises(ConnectionClosed) as caught:
                        await refused.receive()
                    assert caught.value.rcvd is not None
                    assert caught.value.rcvd.code == 1013
                    assert "3 connections" in caught.value.rcvd.reason
            await server.quiet(clients=2)
            async with OlvClient(server.ws_url) as c:
                await c.open()


async def test_a_message_beyond_the_socket_limit(tmp_path: Path) -> None:
    """Only a frame larger than any message may be closes a socket, with 1009; the others go on."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        async with OlvClient(server.ws_url) as page, OlvClient(server.ws_url) as other:
            await page.open()
            await other.open()
            with pytest.raises(ConnectionClosed) as caught:
                await page.send_raw("x" * (16 * 1024 * 1024 + 1))
                await page.receive()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
            assert (await other.ask("Hello")).text
        assert not server.complaints()


@pytest.mark.parametrize("behind", [b"", b"\x81\x82\0\0\0\0{}", b"\x83\x80\0\0\0\0", b"\x88\x80\0\0\0\0"])
async def test_text_that_is_no_utf8(tmp_path: Path, behind: bytes) -> None:
    """Closed, as the standard wants, whatever comes in the same piece; nothing in the log, nobody else notices."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as server, OlvClient(server.ws_url) as other:
        await other.open()
        async with OlvClient(server.ws_url) as page:
            await page.open()
            page.ws.transport.write(b"\x81\x82\0\0\0\0\xff\xfe" + behind)
            with pytest.raises(ConnectionClosed):
                await page.receive()
        await other.round_trip()
        await server.quiet(clients=1)
        assert not server.complaints()
