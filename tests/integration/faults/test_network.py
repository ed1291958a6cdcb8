"""A bad network: delay, loss, trickle, cut-off and silence harm only the page behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.helpers.moody_provider import MoodyProvider
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ServerProcess, eventually, slow
from tests.helpers.tcp_proxy import TcpProxy, Weather
from websockets.exceptions import ConnectionClosed

BAD = Weather(delay=0.02, jitter=0.03, loss=0.1, repair=0.1)
LONG = {"kind": "builtin", "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 3000}}


async def test_delay_and_loss(tmp_path: Path) -> None:
    """Every reply comes whole and in order, and a page on a good network is as quick as ever."""
    async with ServerProcess(tmp_path, {"agent": slow(words=60, tokens_per_second=200)}) as server:
        async with TcpProxy(server.host, server.port) as network:
            network.weather = BAD
            async with (
                OlvClient(network.url("ws", "/client-ws"), patience=30) as far,
                OlvClient(server.ws_url) as near,
            ):
                await far.open()
                await near.open()
                for _ in range(3):
                    reply = await far.ask("Hello")
                    kinds = [m["type"] for m in reply.messages]
                    assert kinds[-2:] == ["force-new-message", "control"]
                    assert len(reply.text.split()) >= 40
                    assert await near.round_trip() < 0.5
        assert not server.complaints()


async def test_a_cut_in_mid_reply(tmp_path: Path) -> None:
    """Cut without a good-bye: the server notices at once, and the page finds its conversation when it is back."""
    async with ServerProcess(tmp_path, {"agent": slow(words=400)}) as server:
        async with TcpProxy(server.host, server.port) as network:
            before = await server.quiet()
            uids = []
            for _ in range(5):
                page = await OlvClient(network.url("ws", "/client-ws")).__aenter__()
                await page.open()
                await page.send("text-input", text="Hello", images=[])
                await page.until("audio")
                uids.append(page.history_uid)
                network.cut()
                with pytest.raises(ConnectionClosed):
                    await page.until("never")
            began = monotonic()
            after = await server.quiet()
            assert monotonic() - began < 2
            assert after["tasks"]["running"] <= before["tasks"]["running"] + 1, await server.tasks()
            async with OlvClient(network.url("ws", "/client-ws")) as page:
                await page.open()
                for uid in uids:
                    await page.send("fetch-and-set-history", history_uid=uid)
                    lines = (await page.until("history-data"))[-1]["messages"]
                    assert [line["role"] for line in lines] == ["human", "ai"]
        assert not server.complaints()


async def test_a_network_that_swallows_everything(tmp_path: Path) -> None:
    """No data, no end of the connection: the page is given up after two pings, and its work ends."""
    settings = {"agent": slow(words=5000), "limits": {"ping_seconds": 0.5}}
    async with ServerProcess(tmp_path, settings) as server:
        async with TcpProxy(server.host, server.port) as network, OlvClient(server.ws_url) as near:
            await near.open()
            page = await OlvClient(network.url("ws", "/client-ws")).__aenter__()
            await page.open()
            await page.send("text-input", text="Hello", images=[])
            await page.until("audio")
            network.weather = Weather(swallows=True)
            began = monotonic()

            async def gone() -> bool:
                return (await server.statistics())["clients"] == 1

            await eventually("the page is given up", gone, 6)
            assert monotonic() - began > 0.4
            await near.round_trip()
            page.vanish()
            await page.ws.close()
        assert (await server.quiet())["abandoned"] == 0
        assert not server.complaints()


async def test_a_trickle(tmp_path: Path) -> None:
    """A page that gets a few kB a second of a long reply holds up nobody, and is dropped after its deadline."""
    settings = {
        "agent": LONG,
        "limits": {"outbox_drain_seconds": 1, "outbox_messages": 8, "ping_seconds": 60},
    }
    async with ServerProcess(tmp_path, settings) as server:
        async with TcpProxy(server.host, server.port) as network, OlvClient(server.ws_url) as near:
            await near.open()
            far = await OlvClient(network.url("ws", "/client-ws"), patience=30).__aenter__()
            await far.open()
            network.weather = Weather(rate=2000)
            for _ in range(300):
                await far.send("text-input", text="Tell me everything", images=[])
            slowest = 0.0

            async def dropped() -> bool:
                nonlocal slowest
                slowest = max(slowest, await near.round_trip())
                return (await server.statistics())["clients"] == 1

            await eventually("the far page is dropped", dropped, 20)
            assert slowest < 0.5
            far.vanish()
            await far.ws.close()
        assert not server.complaints()


async def test_a_bad_network_to_the_provider(tmp_path: Path) -> None:
    """Behind delay and loss replies are slower and whole; cut off they end with an error, and later ones work."""
    async with MoodyProvider() as provider, TcpProxy("127.0.0.1", provider.port) as network:
        openai: dict[str, Any] = {"base_url": network.url("http", "/v1"), "model": "test-model", "retries": 0}
        openai |= {"silence_seconds": 2, "first_token_seconds": 2}
        agent = {"kind": "openai", "openai": openai}
        async with (
            ServerProcess(tmp_path, {"agent": agent}) as server,
            OlvClient(server.ws_url, patience=30) as page,
        ):
            await page.open()
            whole = (await page.ask("Hello")).text
            network.weather = BAD
            assert (await page.ask("Hello again")).text == whole
            network.weather = Weather()
            await page.send("text-input", text="[slow 1]", images=[])
            await page.until("audio")
            network.cut()
            rest = await page.until("control", text="conversation-chain-end")
            assert [m["code"] for m in rest if m["type"] == "error"] == ["agent"]
            network.weather = Weather(swallows=True)
            reply = await page.ask("Are you there?")
            assert [m["code"] for m in reply.messages if m["type"] == "error"] == ["agent"]
            network.weather = Weather()
            network.cut()
            await asyncio.sleep(0)
            assert (await page.ask("And now?")).text == whole
        assert not server.complaints()


async def test_the_network_of_these_tests_is_bad(tmp_path: Path) -> None:
    """The proxy does what it says: delays, and passes everything on in order."""
    async with (
        ServerProcess(tmp_path, {"agent": FAST}) as server,
        TcpProxy(server.host, server.port) as network,
    ):
        async with OlvClient(network.url("ws", "/client-ws")) as page:
            await page.open()
            quick = min([await page.round_trip() for _ in range(5)])
            network.weather = Weather(delay=0.1)
            assert min([await page.round_trip() for _ in range(3)]) > 0.2 > quick
