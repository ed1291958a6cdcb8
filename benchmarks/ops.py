"""What watching costs: `python benchmarks/ops.py [idle watchers talk opening]`.

Servers that differ in one thing stand side by side and are measured in the same stretches of time, in processor
time as the kernel counts it (nanoseconds, all threads). Who watches reads in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _load
from _page import Page
from _table import Figure, main, median, serving
from tests.helpers.server_process import FAST, ServerProcess

STRETCHES = 7
SECONDS = 5.0
WATCHERS = 50
AGENT = {"agent": FAST}
OFF = {**AGENT, "ops": {"enabled": False}}


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads, to the microsecond (`/proc/PID/stat` counts hundredths of a second)."""
    return (
        sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def wake_ups(pid: int) -> int:
    """How often its threads have gone to sleep and come back."""
    lines = (
        line for path in Path(f"/proc/{pid}/task").glob("*/status") for line in path.read_text().splitlines()
    )
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))


@asynccontextmanager
async def watching(server: ServerProcess, count: int) -> AsyncIterator[Process]:
    """Some who watch, in a process of their own."""
    job = json.dumps({"host": server.host, "port": server.port, "count": count})
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--watch", job, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def watch(host: str, port: int, count: int) -> None:
    """The other side: read `count` streams until the standard input ends."""

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=2**22)
        writer.write(b"GET /ops/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"event: sample")
        started.release()
        while await reader.read(65536):
            pass

    started = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(count)]
        for _ in range(count):
            await started.acquire()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()


async def shares(servers: dict[str, ServerProcess]) -> dict[str, tuple[float, float]]:
    """Median share of a core in percent, and wake-ups a second, of each, over the same stretches."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    await asyncio.sleep(2)
    for _ in range(STRETCHES):
        before = {name: (cpu_seconds(s.pid), wake_ups(s.pid)) for name, s in servers.items()}
        began = perf_counter()
        await asyncio.sleep(SECONDS)
        spent = perf_counter() - began
        for name, server in servers.items():
            cpu, woken = before[name]
            used = (cpu_seconds(server.pid) - cpu) / spent * 100
            found[name].append((used, (wake_ups(server.pid) - woken) / spent))
    return {
        name: (median([cpu for cpu, _ in values]), median([woken for _, woken in values]))
        for name, values in found.items()
    }


async def idle(options: argparse.Namespace) -> list[Figure]:
    """Nobody is there: with the ops room and without; and with a hundred open rooms."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        servers = {"on": await enter(serving(AGENT)), "off": await enter(serving(OFF))}
        for name, settings in (("rooms on", AGENT), ("rooms off", OFF)):
            servers[name] = await enter(serving(settings))
            for number in range(100):
                await stack.enter_async_context(_in_room(servers[name], f"room-{number}"))
        found = await shares(servers)
    notes = {name: f"{cpu:.3f} %, {woken:.1f} wake-ups a second" for name, (cpu, woken) in found.items()}
    return [
        Figure(
            "idle server: what sampling adds", found["on"][0] - found["off"][0], "%", 0.2,
            note=f"on {notes['on']}; off {notes['off']}",
        ),
        Figure(
            "idle server with 100 rooms and a viewer in each", found["rooms on"][0], "%", 0.5,
            note=f"on {notes['rooms on']}; off {notes['rooms off']}",
        ),
    ]  # fmt: skip


@asynccontextmanager
async def _in_room(server: ServerProcess, room: str) -> AsyncIterator[None]:
    from websockets.asyncio.client import connect

    url = f"ws://{server.host}:{server.port}/proxy-ws?room={room}"
    async with connect(url, compression=None, ping_interval=None):
        yield


async def watchers(options: argparse.Namespace) -> list[Figure]:
    """Fifty who watch a server that does nothing else, beside one that nobody watches."""
    async with serving(AGENT) as alone, serving(AGENT) as watched, watching(watched, WATCHERS):
        found = await shares({"alone": alone, "watched": watched})
    extra = found["watched"][0] - found["alone"][0]
    note = f"{found['watched'][0]:.3f} % against {found['alone'][0]:.3f} %"
    return [Figure(f"{WATCHERS} who watch: what they add", extra, "%", 5, note=note)]


async def talk(options: argparse.Namespace) -> list[Figure]:
    """The same while visits come and go all the time: each second has news of visits, closes and slots."""

    over = asyncio.Event()

    async def come_and_go(server: ServerProcess) -> None:
        while not over.is_set():
            page = await Page.connect(server.host, server.port)
            await page.ready()
            await page.ask(_load.HELLO)
            await page.close()
            await asyncio.sleep(0.05)

    async with AsyncExitStack() as stack:
        alone, watched = [await stack.enter_async_context(serving(AGENT)) for _ in range(2)]
        await stack.enter_async_context(watching(watched, WATCHERS))
        async with asyncio.TaskGroup() as group:
            for server in (alone, watched) * 2:
                group.create_task(come_and_go(server))
            found = await shares({"alone": alone, "watched": watched})
            over.set()
    extra = found["watched"][0] - found["alone"][0]
    note = f"{found['watched'][0]:.2f} % against {found['alone'][0]:.2f} %"
    return [Figure(f"{WATCHERS} who watch visits come and go: what they add", extra, "%", 5, note=note)]


async def opening(options: argparse.Namespace) -> list[Figure]:
    """Fifty pages opened in the same instant, after 2,000 visits: how long the whole state takes, and others wait."""
    async with serving(AGENT) as server:
        page = await Page.connect(server.host, server.port)
        await page.ready()
        for _ in range(2000 if options.visits >= 2000 else options.visits):
            visitor = await Page.connect(server.host, server.port)
            await visitor.ready()
            await visitor.ask(_load.HELLO)
            await visitor.close()
        states: list[float] = []
        worst: list[float] = []
        cpu: list[float] = []
        for _ in range(5):
            before, began = cpu_seconds(server.pid), perf_counter()
            streams = [
                asyncio.open_connection(server.host, server.port, limit=2**23) for _ in range(WATCHERS)
            ]
            opened = [await stream for stream in streams]
            for _, writer in opened:
                writer.write(b"GET /ops/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            asked = perf_counter()
            await page.ask(_load.HELLO)
            worst.append(perf_counter() - asked)
            for reader, _ in opened:
                await reader.readuntil(b'"soak":')
            states.append(perf_counter() - began)
            cpu.append(cpu_seconds(server.pid) - before)
            for _, writer in opened:
                writer.close()
            await asyncio.sleep(1)
    return [
        Figure(f"{WATCHERS} pages opened at once: all have the state after", median(states) * 1000, "ms", 1000,
               note=f"{median(cpu) * 1000:.0f} ms of the server's processor time"),
        Figure("a visitor's whole turn meanwhile", median(worst) * 1000, "ms", 200),
    ]  # fmt: skip


MEASUREMENTS: dict[str, Any] = {"idle": idle, "watchers": watchers, "talk": talk, "opening": opening}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--watch"]:
        asyncio.run(watch(**json.loads(sys.argv[2])))
    else:
        main(MEASUREMENTS, __doc__ or "")
