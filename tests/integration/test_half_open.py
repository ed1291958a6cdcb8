"""Connections that never become requests: cleared in time, while honest clients come in between."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

from tests.helpers.certificates import make_certificate
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import FAST, ServerProcess, eventually
from websockets.asyncio.client import connect

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

BEGINNINGS = (
    b"",
    b"GET /client-ws HT",
    b"GET /client-ws HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\n",
    b"POST /login HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\ntoken=",
    b"\r\n",
)
"""Where an attacker stops: before, in and after the head, and between two requests."""


async def half_open(server: ServerProcess, begin: bytes) -> Stream:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(begin)
    return reader, writer


async def ended(stream: Stream, began: float) -> float:
    """Seconds until the server hung up."""
    reader, writer = stream
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    writer.close()
    return monotonic() - began


async def count(server: ServerProcess, what: str) -> float:
    return counted((await server.get("/metrics")).body.decode(), what)


def counted(metrics: str, what: str) -> float:
    start = f'greenroom_refused_total{{what="{what}"}} '
    lines = metrics.splitlines()
    return next((float(line.removeprefix(start)) for line in lines if line.startswith(start)), 0.0)


async def test_half_open_connections_are_cleared(tmp_path: Path) -> None:
    """All within the deadline, wherever they stopped; pages come in and are answered meanwhile."""
    limits = {"handshake_seconds": 1.0, "upload_seconds": 1.5}
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": limits}) as server:
        before = (await server.statistics())["fds"]
        began = monotonic()
        streams = [await half_open(server, begin) for begin in BEGINNINGS for _ in range(30)]
        waits = [asyncio.ensure_future(ended(stream, began)) for stream in streams]
        async with OlvClient(server.ws_url) as page:
            await page.open()
            assert (await page.ask("Hello")).first < 1.0
        seconds = [await wait for wait in waits]
        assert max(seconds) < 6.0
        assert min(seconds) > 0.8
        assert await count(server, "slow handshake") >= 90
        assert await count(server, "slow body") >= 30
        assert (await server.statistics())["fds"] <= before + 1
        assert not server.complaints()


async def test_a_client_that_sends_a_byte_now_and_then_gains_nothing(tmp_path: Path) -> None:
    """The deadline is for the whole head, and for the pause between two requests."""
    limits = {"handshake_seconds": 1.0}
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": limits}) as server:
        whole = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
        for start, drop in ((b"GET / HTTP/1.1\r\nx: ", b"a"), (whole, b"\r\n")):
            began = monotonic()
            stream = await half_open(server, start)
            wait = asyncio.ensure_future(ended(stream, began))
            while not wait.done() and monotonic() - began < 5:
                stream[1].write(drop)
                await asyncio.sleep(0.1)
            assert await wait < 3.0


async def test_trailers_without_end_are_cut_off(tmp_path: Path) -> None:
    """What comes around a body's chunks is bounded as the head is: the parser would collect all of it."""
    start = b"POST /login HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        for piece in (b"0\r\n" + b"x: " + b"a" * 60_000, b"1;" + b"a" * 60_000):
            stream = await half_open(server, start + piece)
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 40:
                    stream[1].write(b"a" * 1024 * 1024)
                    await stream[1].drain()
                    sent += 1
            stream[1].close()
            assert sent < 40
        assert await count(server, "large head") == 2
        assert not server.complaints()


async def test_the_oldest_half_open_connection_makes_room(tmp_path: Path) -> None:
    """There are only so many; an honest client, whose request follows at once, is never the oldest."""
    limits = {"handshake_seconds": 30.0, "max_half_open": 20}
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": limits}) as server:
        began = monotonic()
        streams = [await half_open(server, b"GET /") for _ in range(60)]
        async with asyncio.timeout(10):
            for stream in streams[:40]:
                await ended(stream, began)
        async with OlvClient(server.ws_url) as page:
            await page.open()
        assert await count(server, "too many half-open") >= 40
        for _, writer in streams[40:]:
            writer.close()


TLS_BEGINNINGS = (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
"""Before, in and after the head of a client's first TLS record."""


async def test_tls_handshakes_that_stop_are_cleared(tmp_path: Path) -> None:
    """A thousand, by their deadline and the bound on all; pages come in and are answered meanwhile."""
    cert, key = make_certificate(tmp_path)
    args = ("--tls-cert", str(cert), "--tls-key", str(key))
    limits = {"handshake_seconds": 3.0, "max_half_open": 400}
    context = ssl.create_default_context(cafile=str(cert))
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": limits}, args=args) as server:
        began = monotonic()
        streams: list[Stream] = []
        opened = 0
        for number in range(1000):
            streams.append(await half_open(server, TLS_BEGINNINGS[number % 3]))
            if number % 250 == 249:
                async with connect(f"wss://127.0.0.1:{server.port}/client-ws", ssl=context) as page:
                    assert await page.recv()
                    opened += 1
        assert max([await ended(stream, began) for stream in streams]) < 30.0
        assert opened == 4
        metrics = await tls_get(server, context, "/metrics")
        assert counted(metrics, "too many half-open") >= 590
        assert counted(metrics, "slow handshake") + counted(metrics, "too many half-open") == 1000
        assert not server.complaints()


async def tls_get(server: ServerProcess, context: ssl.SSLContext, target: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    writer.write(f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
    found = await reader.read()
    writer.close()
    return found.decode()


async def test_a_reader_that_takes_nothing_is_cut_off(tmp_path: Path) -> None:
    """An answer larger than all buffers does not hold its connection for as long as TCP hopes."""
    folder = tmp_path / "data" / "backgrounds"
    folder.mkdir(parents=True)
    (folder / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40 * 1024 * 1024))
    limits = {"outbox_drain_seconds": 1.0}
    async with ServerProcess(tmp_path, {"agent": FAST, "limits": limits}) as server:
        request = f"GET /bg/large.png HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n\r\n".encode()
        async with AsyncExitStack() as stack:
            for _ in range(5):
                reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
                stack.callback(writer.close)
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(request)
                del reader

            async def cut_off() -> bool:
                return await count(server, "slow reader") == 5

            await eventually("five readers cut off", cut_off, 8)
        assert (await server.get("/bg/large.png")).status == 200
        assert not server.complaints()


async def test_a_head_without_end_is_cut_off(tmp_path: Path) -> None:
    """However fast it comes: the parser would keep all of it. What is just large enough is served."""
    async with ServerProcess(tmp_path, {"agent": FAST}) as server:
        for start in (b"GET /", b"GET / HTTP/1.1\r\nhost: localhost\r\n"):
            _, writer = await half_open(server, start)
            line = b"a" * 900 if start == b"GET /" else b"x-more: " + b"a" * 900 + b"\r\n"
            sent = 0
            try:
                while sent < 50_000_000:
                    writer.write(line * 50)
                    await writer.drain()
                    sent += len(line) * 50
            except ConnectionError:
                pass
            assert sent < 20_000_000
            writer.close()
        assert await count(server, "large head") == 2
        assert (await server.get("/health/live", X_More="a" * 50_000)).status == 200
        assert (await server.statistics())["rss_bytes"] < 300_000_000
