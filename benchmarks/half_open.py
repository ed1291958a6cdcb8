"""A thousand connections that never become requests: `python benchmarks/half_open.py [handshakes tls]`.

Half of them say nothing, half stop in the middle of a head. Meanwhile honest pages connect, open and are answered,
one after the other. All that is measured: when the last of the thousand is gone, and what the honest ones notice.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _table import Figure, main, milliseconds, serving
from tests.helpers.certificates import make_certificate
from tests.helpers.server_process import FAST, ServerProcess
from websockets.asyncio.client import connect

MANY = 1000
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ended(stream: Stream) -> float:
    reader, writer = stream
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        pass
    writer.close()
    return perf_counter()


async def honest(url: str, tls: ssl.SSLContext | None) -> float:
    """Seconds until a page has connected and been greeted."""
    began = perf_counter()
    async with connect(url, ssl=tls, ping_interval=None, compression=None) as page:
        await page.recv()
        return perf_counter() - began


async def besiege(
    server: ServerProcess, begin: tuple[bytes, ...], one: Callable[[], Awaitable[float]]
) -> list[Figure]:
    alone = [await one() for _ in range(30)]
    before = (await server.statistics())["fds"] if server.url.startswith("http:") else 0
    began = perf_counter()
    streams: list[Stream] = []
    for number in range(MANY):
        stream = await asyncio.open_connection(server.host, server.port)
        stream[1].write(begin[number % len(begin)])
        streams.append(stream)
    waits = [asyncio.ensure_future(ended(stream)) for stream in streams]
    beside: list[float] = []
    while not all(wait.done() for wait in waits):
        beside.append(await one())
        await asyncio.sleep(0.05)
    last = max([await wait for wait in waits]) - began
    after = (await server.statistics())["fds"] if before else 0
    return [
        Figure(f"{MANY} half-open connections, the last gone after", last, "s", 45),
        Figure("honest pages in between", len(beside), "pages", 20, at_least=True),
        milliseconds("connect to greeting, with nobody else", alone, 0.99, 1000),
        milliseconds("connect to greeting, in between", beside, 0.99, 1000),
        Figure("descriptors left over", after - before, "", 2),
    ]


async def handshakes(options: argparse.Namespace) -> list[Figure]:
    """The HTTP head never comes, or never ends."""
    async with serving({"agent": FAST}) as server:
        begin = (b"", b"GET /client-ws HTTP/1.1\r\nhost: 127.0.0.1\r\n")
        return await besiege(server, begin, lambda: honest(server.ws_url, None))


async def tls(options: argparse.Namespace) -> list[Figure]:
    """The TLS handshake never comes, or never ends."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = make_certificate(Path(folder))
        context = ssl.create_default_context(cafile=str(cert))
        args = ("--tls-cert", str(cert), "--tls-key", str(key))
        async with serving({"agent": FAST}, args=args) as server:
            url = f"wss://127.0.0.1:{server.port}/client-ws"
            return await besiege(server, (b"", b"\x16\x03\x01\x02"), lambda: honest(url, context))


if __name__ == "__main__":
    main({"handshakes": handshakes, "tls": tls}, __doc__ or "")
