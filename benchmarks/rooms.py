"""What rooms promise, measured: `python benchmarks/rooms.py [start …]`, `--help` lists all.

A real server process; its viewers are light and in processes of their own. Every line is a measured value and
the target it has to meet; the exit code is 1 if one was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _viewers
from _table import Figure, cpu_seconds, main, median, milliseconds, percentile, serving
from tests.helpers.server_process import FAST, ServerProcess, slow
from tests.live.hall import Hall

from greenroom.live.queue_policy import QueueItem

GRACE = {"grace_seconds": 0.2}


async def start(options: argparse.Namespace) -> list[Figure]:
    """From a message in an idle queue to its conversation, inside the process; a turn of the loop between."""
    found: list[float] = []
    began = 0.0

    async def trigger(item: QueueItem) -> None:
        found.append(perf_counter() - began)

    async with Hall() as hall:
        queue, _, _ = hall.room(trigger)
        for number in range(2000):
            await asyncio.sleep(0.0005)
            began = perf_counter()
            queue.queue_message(f"message {number}", "a")
        await asyncio.sleep(0.01)
    return [milliseconds("idle message to its conversation, in the process", found, 0.5, 0.2)]


async def wire(options: argparse.Namespace) -> list[Figure]:
    """The same over the wire: best of three runs, because the machine has other work."""
    async with serving({"agent": FAST}) as server:
        runs = [
            await _viewers.answer(_viewers.start("talk", server.host, server.port, turns=150))
            for _ in range(3)
        ]
    best = min(runs, key=lambda run: median(run["sender"]))
    return [
        milliseconds("idle message, as another viewer sees it begin", best["viewer"], 0.5, 2),
        milliseconds("idle message, as its sender sees it begin", best["sender"], 0.5, 2),
    ]


async def thousand(options: argparse.Namespace) -> list[Figure]:
    """A thousand viewers of one streamed reply, twice: order, spread, and memory afterwards."""
    _raise_limits()
    processes, each, talks = 4, 250, 3
    settings = {
        "agent": slow(words=120, tokens_per_second=60),
        "rooms": GRACE,
    }
    spreads: list[float] = []
    rss: list[float] = []
    wrong = 0
    async with serving(settings) as server:
        rss.append(await _resident(server))
        for _ in range(3):
            jobs = [
                _viewers.start("audience", server.host, server.port, viewers=each, conversations=talks)
                for _ in range(processes)
            ]
            for job in jobs:
                assert await _viewers.line_of(job) == "ready\n"
            speaker = await _viewers.enter(server.host, server.port)
            for number in range(talks):
                end = speaker.expect(_viewers.CHAIN_END)
                speaker.transport.write(_viewers.words(f"Tell me story {number}"))
                await end
            answers = [await _viewers.answer(job) for job in jobs]
            speaker.vanish()
            orders = {tuple(order) for found in answers for order in found["orders"]}
            wrong += len(orders) - 1
            firsts = [min(times) for times in zip(*(found["first"] for found in answers), strict=True)]
            lasts = [max(times) for times in zip(*(found["last"] for found in answers), strict=True)]
            spreads += [last - first for first, last in zip(firsts, lasts, strict=True)]
            await server.quiet(seconds=20)
            rss.append(await _resident(server))
    return [
        Figure("1,000 viewers: different orders of messages seen", wrong, "", 0),
        milliseconds(
            "1,000 viewers: first to last, over all messages", spreads, 0.99, 250, f"{len(spreads)} messages"
        ),
        milliseconds("1,000 viewers: first to last", spreads, 0.5, 250),
        # The first evenings warm up the allocator; what the next one adds is a leak.
        Figure(
            "1,000 viewers: memory that one more evening leaves",
            (rss[3] - rss[2]) / 1e6,
            "MB",
            5,
            note=_mb(rss),
        ),
    ]


async def flood(options: argparse.Namespace) -> list[Figure]:
    """Fifty polite senders without and with one who sends a thousand messages a second."""
    _raise_limits()
    seconds = 12.0
    settings = {"agent": slow(words=8, tokens_per_second=2000), "rooms": GRACE}
    async with serving(settings) as server:

        async def evening(*, flooded: bool) -> tuple[list[float], float, dict[str, int]]:
            jobs = [_viewers.start("polite", server.host, server.port, senders=50, seconds=seconds)]
            if flooded:
                options = {"per_second": 1000, "seconds": seconds}
                jobs.append(_viewers.start("flood", server.host, server.port, **options))
            before = cpu_seconds(server.pid)
            answers = [await _viewers.answer(job) for job in jobs]
            cpu = (cpu_seconds(server.pid) - before) / seconds
            await server.quiet()
            return answers[0]["waits"], cpu, answers[-1]

        calm, calm_cpu, _ = await evening(flooded=False)
        base = await _resident(server)
        rough, rough_cpu, told = await evening(flooded=True)
        grown = (await _resident(server) - base) / 1e6
    note = f"{told['sent']} sent, {told['queue-dropped']} dropped, the rest not read"
    quiet = f"{median(calm) * 1000:.0f} ms without"
    return [
        Figure(
            "flood: wait of the polite, median, as a multiple",
            median(rough) / median(calm),
            "×",
            2,
            note=quiet,
        ),
        Figure(
            "flood: wait of the polite, p99, as a multiple",
            percentile(rough, 0.99) / percentile(calm, 0.99),
            "×",
            2,
        ),
        Figure(
            "flood: processor time beyond the same without", rough_cpu - calm_cpu, "cores", 0.3, note=note
        ),
        Figure("flood: memory it leaves", grown, "MB", 10),
    ]


async def idle(options: argparse.Namespace) -> list[Figure]:
    """A hundred rooms with a silent viewer each."""
    async with serving({"agent": FAST}) as server:
        job = _viewers.start("hold", server.host, server.port, rooms=100)
        assert await _viewers.line_of(job) == "ready\n"
        await asyncio.sleep(3)
        before, began = cpu_seconds(server.pid), perf_counter()
        await asyncio.sleep(45)
        share = (cpu_seconds(server.pid) - before) / (perf_counter() - began)
        assert job.stdin is not None
        job.stdin.write("\n")
        job.stdin.flush()
        await _viewers.answer(job)
    return [
        Figure("100 idle rooms: share of a core", share * 100, "%", 0.5, note="pings every 20 s included")
    ]


async def _resident(server: ServerProcess) -> float:
    return (await server.statistics())["rss_bytes"]


def _mb(sizes: list[float]) -> str:
    return "MB: " + ", ".join(f"{size / 1e6:.0f}" for size in sizes)


def _raise_limits() -> None:
    """Each viewer is a file descriptor here and in the server, which inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


MEASUREMENTS = {"start": start, "wire": wire, "thousand": thousand, "flood": flood, "idle": idle}

if __name__ == "__main__":
    main(MEASUREMENTS, __doc__ or "")
