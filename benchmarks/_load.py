"""Pages in a process of their own, so that what they cost is not the server's: `python benchmarks/_load.py JOB`.

JOB is JSON: `{"job": NAME, "host": …, "port": …, …}`. Prints one JSON object. Used by the other benchmarks.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _page import AUDIO, CHAIN_END, Page, text

HELLO = text("Hello there, how are you today?")


async def talk(host: str, port: int, *, turns: int, warm_up: int = 20) -> dict[str, Any]:
    """One page, one turn after the other: seconds to the first sentence and to the end of each."""
    page = await Page.connect(host, port)
    await page.ready()
    for _ in range(warm_up):
        await page.ask(HELLO)
    found = [await page.ask(HELLO) for _ in range(turns)]
    await page.close()
    return {"first": [first for first, _ in found], "whole": [whole for _, whole in found]}


async def crowd(
    host: str, port: int, *, pages: int, turns: int, pause: float, spread: float
) -> dict[str, Any]:
    """Many pages that talk at the same time.

    Every page sends a message, reads the whole reply, pauses, and goes on. `spread` is how far apart the pages
    begin, in seconds; 0 sends all first messages in the same instant.
    """
    chance = random.Random(1)
    found: list[float] = []
    crowd = []
    for _ in range(pages):
        page = await Page.connect(host, port)
        await page.ready()
        crowd.append(page)
    start = perf_counter() + 0.3

    async def one(page: Page) -> None:
        await asyncio.sleep(start - perf_counter() + chance.random() * spread)
        for turn in range(turns):
            first, _ = await page.ask(HELLO)
            if turn:
                found.append(first)
            if pause:
                await asyncio.sleep(pause * (0.5 + chance.random()))

    await asyncio.gather(*(one(page) for page in crowd))
    for page in crowd:
        await page.close()
    return {"first": found}


async def salvo(host: str, port: int, *, pages: int, rounds: int) -> dict[str, Any]:
    """All pages send in the same instant, and again when all have their whole reply."""
    crowd = []
    for _ in range(pages):
        page = await Page.connect(host, port)
        await page.ready()
        crowd.append(page)
    found: list[float] = []
    for number in range(rounds):
        waits = [page.expect(AUDIO) for page in crowd]
        ends = [page.expect(CHAIN_END) for page in crowd]
        began = perf_counter()
        for page in crowd:
            page.transport.write(HELLO)
        times = [await wait for wait in waits]
        if number:
            found += [at - began for at in times]
        for end in ends:
            await end
        await asyncio.sleep(0.2)
    for page in crowd:
        await page.close()
    return {"first": found}


async def visit(host: str, port: int) -> tuple[float, float, float]:
    """A polite visit: connect, ready, one turn, close. Seconds to ready, to the first sentence, to the end."""
    began = perf_counter()
    page = await Page.connect(host, port)
    await page.ready()
    ready = perf_counter() - began
    first, whole = await page.ask(HELLO)
    await page.close()
    return ready, first, whole


async def bot(host: str, port: int, at_once: int) -> tuple[float, float]:
    """A bot asks for no history, sends so many messages at once, and leaves after the last reply."""
    page = await Page.connect(host, port)
    first, end = page.expect(AUDIO), page.expect(CHAIN_END, at_once)
    began = perf_counter()
    page.transport.write(HELLO * at_once)
    found = await first - began, await end - began
    await page.close()
    return found


async def visits(
    host: str, port: int, *, count: int, warm_up: int = 0, warm_up_port: int = 0
) -> dict[str, Any]:
    """Polite visits one after the other; the ones to warm up go to another server if one is named."""
    for _ in range(warm_up):
        await visit(host, warm_up_port or port)
    found = [await visit(host, port) for _ in range(count)]
    return {"ready": [f[0] for f in found], "first": [f[1] for f in found], "whole": [f[2] for f in found]}


async def bots(host: str, port: int, *, count: int, at_once: int) -> dict[str, Any]:
    """Bots one after the other."""
    found = [await bot(host, port, at_once) for _ in range(count)]
    return {"first": [f[0] for f in found], "whole": [f[1] for f in found]}


async def pairs(host: str, port: int, *, other: int, count: int, at_once: int = 0) -> dict[str, Any]:
    """Visits to two servers in turn, so that whatever else the machine does meets both; bots with `at_once`.

    Gives the seconds to the first sentence and to the end, each as a pair.
    """
    found: dict[str, list[tuple[float, float]]] = {"first": [], "whole": []}
    for number in range(count):
        order = (port, other) if number % 2 else (other, port)
        taken = {}
        for which in order:
            taken[which] = (await bot(host, which, at_once)) if at_once else (await visit(host, which))[1:]
        for place, name in enumerate(("first", "whole")):
            found[name].append((taken[port][place], taken[other][place]))
    return found


async def opens(host: str, port: int, *, seconds: float, parallel: int) -> dict[str, Any]:
    """Open, ready, close, as often as possible for so long."""
    end = perf_counter() + seconds
    counts = [0] * parallel

    async def one(number: int) -> None:
        while perf_counter() < end:
            page = await Page.connect(host, port)
            await page.ready()
            await page.close()
            counts[number] += 1

    began = perf_counter()
    await asyncio.gather(*(one(number) for number in range(parallel)))
    usage = os.times()
    return {"opened": sum(counts), "seconds": perf_counter() - began, "cpu": usage.user + usage.system}


async def hold(host: str, port: int, *, pages: int) -> dict[str, Any]:
    """Idle pages; says `ready` on a line, and closes them when a line comes in."""
    held = []
    for _ in range(pages):
        page = await Page.connect(host, port)
        await page.ready()
        held.append(page)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for page in held:
        page.vanish()
    return {"held": len(held)}


JOBS = {job.__name__: job for job in (talk, crowd, salvo, visits, bots, pairs, opens, hold)}


def start(job: str, host: str, port: int, **options: Any) -> subprocess.Popen[str]:
    """Start a job in a process of its own."""
    order = json.dumps({"job": job, "host": host, "port": port, **options})
    return subprocess.Popen(
        [sys.executable, __file__, order], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


async def run(job: str, host: str, port: int, **options: Any) -> dict[str, Any]:
    """Run a job in a process of its own and give what it found."""
    process = start(job, host, port, **options)
    printed, _ = await asyncio.to_thread(process.communicate)
    if process.returncode:
        raise RuntimeError(f"the load process failed ({process.returncode})")
    return json.loads(printed.splitlines()[-1])


def main() -> None:
    order = json.loads(sys.argv[1])
    job = JOBS[order.pop("job")]
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(job(**order))))


if __name__ == "__main__":
    main()
