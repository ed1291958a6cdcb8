"""What many visits do to a server: `python benchmarks/visits.py [polite …] [--visits N]`, `--help` lists all.

A real server process, pages in another one. Every line is a measured value and the target it has to meet; the
exit code is 1 if one was missed. `benchmarks/latency.py` measures single answers.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _load
from _page import Page, text
from _table import Figure, ServerProcess, cpu_seconds, main, median, percentile, serving
from tests.helpers.server_process import FAST, slow

HELLO = text("Hello there, how are you today?")


def extras(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """What there is more of, by the server's own counts."""

    def counts(found: dict[str, Any]) -> dict[str, int]:
        tasks = found["tasks"]
        return {
            "tasks": tasks["running"] + tasks["waiting"] + tasks["submitters"],
            "scopes": tasks["scopes"],
            "fds": found["fds"],
            "threads": found["threads"],
            "children": found["children"],
            "clients": found["clients"],
            "engines": found["engines"]["engines"],
            "abandoned": found["abandoned"],
        }

    first, last = counts(before), counts(after)
    return {name: last[name] - first[name] for name in first if last[name] != first[name]}


async def compare(aged: ServerProcess, at_once: int = 0) -> dict[str, float]:
    """A server with many visits behind it against one with few, visit by visit in turn: how much slower is it?

    Last to first would be the same question, but a machine that others use changes more in between than any
    server; this way what it does meets both. Of the times the lower quartile is compared, for noise only adds;
    processor time says the same without a clock on the wall.
    """
    visits = 500
    async with serving({"agent": FAST}) as young:
        if at_once:
            await _load.run("bots", young.host, young.port, count=60, at_once=at_once)
        else:
            await _load.run("visits", young.host, young.port, count=60)
        spent = [cpu_seconds(server.pid) for server in (aged, young)]
        found = await _load.run(
            "pairs", aged.host, aged.port, other=young.port, count=visits, at_once=at_once
        )
        spent = [
            cpu_seconds(server.pid) - before for server, before in zip((aged, young), spent, strict=True)
        ]
    ratios = {"processor": spent[0] / spent[1]}
    for name in ("first", "whole"):
        old, new = ([pair[which] for pair in found[name]] for which in (0, 1))
        ratios[name] = percentile(old, 0.25) / percentile(new, 0.25)
    return ratios


async def polite(options: argparse.Namespace) -> list[Figure]:
    """Visits one after the other: reply time, memory, and what is left behind."""
    count = options.visits
    async with serving({"agent": FAST}) as server:
        await _load.run("visits", server.host, server.port, count=500)
        before = await server.quiet()
        found = await _load.run("visits", server.host, server.port, count=count)
        after = await server.quiet()
        ratios = await compare(server)
    growth = (after["rss_bytes"] - before["rss_bytes"]) / 2**20 / count * 1000
    left = extras(before, after)
    note = str(left) if left else ""
    return [
        Figure(f"{count} visits: first reply to that of a young server", ratios["first"], "", 1.05),
        Figure("  whole reply to that of a young server", ratios["whole"], "", 1.05),
        Figure("  processor time per visit to that of a young server", ratios["processor"], "", 1.05),
        Figure("  memory growth per 1,000 visits", growth, "MB", 0.5),
        Figure("  tasks, scopes, fds, threads, children left over", len(left), "", 0, note=note),
        Figure("  open, ready (median)", median(found["ready"]) * 1000, "ms", 5),
    ]


async def bots(options: argparse.Namespace) -> list[Figure]:
    """Clients that never begin a history: reply time after 300 visits, with one message and with three at once."""
    figures = []
    for at_once in (1, 3):
        async with serving({"agent": FAST}) as server:
            await _load.run("bots", server.host, server.port, count=300, at_once=at_once)
            ratios = await compare(server, at_once)
        what = f"300 bots, {at_once} message{'s' if at_once > 1 else ''} at once"
        figures.append(Figure(f"{what}: first reply to a young server's", ratios["first"], "", 1.05))
        figures.append(Figure("  all replies", ratios["whole"], "", 1.05))
        figures.append(Figure("  processor time per visit", ratios["processor"], "", 1.05))
    return figures


async def abrupt(options: argparse.Namespace) -> list[Figure]:
    """Two generation slots and long replies; every page is closed in mid-reply. Does the next one wait?"""
    async with serving(
        {"agent": slow(words=200, tokens_per_second=20, slots=2, first_token_seconds=0.1)}
    ) as server:
        waits = []
        for _ in range(20):
            page = await Page.connect(server.host, server.port)
            await page.ready()
            began = perf_counter()
            found = page.expect(b'"type":"audio"')
            page.transport.write(HELLO)
            waits.append(await found - began)
            page.vanish()
    return [
        Figure(
            "2 slots, 20 pages closed in mid-reply: last 5 waits to first 2",
            median(waits[-5:]) / median(waits[:2]),
            "",
            1.1,
        )
    ]


async def speech(options: argparse.Namespace) -> list[Figure]:
    """A voice of 1 s a sentence, one at a time; four pages closed after 1.5 s each. What does the fifth wait?"""
    voice = {"tts": {"engine": "tone", "seconds_per_sentence": 1.0, "slots": 1}}
    waits = []
    async with serving({"agent": slow(words=300, tokens_per_second=0), "voice": voice}) as server:
        for _ in range(10):
            page = await Page.connect(server.host, server.port)
            await page.ready()
            began = perf_counter()
            found = page.expect(b'"type":"audio"')
            page.transport.write(HELLO)
            waits.append(await found - began)
            await asyncio.sleep(0.5)
            page.vanish()
    return [
        Figure("serial voice, 1 s a sentence: the fifth page waits", waits[4], "s", waits[0] * 1.1),
        Figure("  and the tenth", waits[9], "s", waits[0] * 1.1),
    ]


async def bystander(options: argparse.Namespace) -> list[Figure]:
    """A page's heartbeat while others visit: does its worst round trip grow?"""
    async with serving({"agent": FAST}) as server:
        page = await Page.connect(server.host, server.port)
        await page.ready()
        load = asyncio.create_task(_load.run("visits", server.host, server.port, count=options.visits))
        taken = []
        while not load.done():
            taken.append(await page.heartbeat())
            # Not as fast as it could: fifty messages a second are read, the rest waits.
            await asyncio.sleep(0.03)
        await load
        await page.close()
    third = len(taken) // 3
    # The worst but two of each third: the machine does other things, too.
    first, last = sorted(taken[:third])[-3], sorted(taken[-third:])[-3]
    what = "bystander's worst round trip, last third of the visits"
    note = f"{first * 1000:.1f} ms in the first third"
    return [Figure(what, last * 1000, "ms", max(1500 * first, 10), note=note)]


async def vanished(options: argparse.Namespace) -> list[Figure]:
    """With the default settings: how long is a client kept that vanished without a word?"""
    from tests.helpers.olv_client import MutePeer

    async with serving({"agent": FAST}) as server, MutePeer(server.host, server.port) as peer:
        await peer.send("text-input", text="Hello", images=[])
        began = perf_counter()
        await server.quiet(clients=0, seconds=60)
        taken = perf_counter() - began
    return [Figure("a client that vanished is gone after", taken, "s", 45)]


async def shutdown(options: argparse.Namespace) -> list[Figure]:
    """SIGTERM with 200 pages in mid-reply: time to the exit, its code, and whether every line is stored."""
    import signal
    import tempfile

    from greenroom.history import HistoryStore

    figures = []
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder), {"agent": slow(words=2000, tokens_per_second=30)})
        async with server:
            pages, uids = [], []
            for _ in range(200):
                page = await Page.connect(server.host, server.port)
                found: list[bytes] = []
                page.on_message = found.append
                await page.ready()
                uids.append(found[-1].split(b'"history_uid":"')[1].split(b'"')[0].decode())
                page.on_message = None
                heard = page.expect(b'"type":"audio"')
                page.transport.write(HELLO)
                pages.append((page, heard))
            for _, heard in pages:
                await heard
            began = perf_counter()
            server.signal(signal.SIGTERM)
            code = await server.exited(12)
            taken = perf_counter() - began
            codes = [await page.closed for page, _ in pages]
        store = await HistoryStore.open(server.data_dir / "histories.sqlite3")
        kept = 0
        for uid in uids:
            lines = await store.messages("greenroom_white", uid)
            kept += [line.role for line in lines] == ["human", "ai"]
        await store.aclose()
    figures.append(Figure("SIGTERM, 200 pages in mid-reply: exit after", taken, "s", 6))
    figures.append(Figure("  exit code", code, "", 0))
    figures.append(Figure("  pages told with 1012", sum(c == 1012 for c in codes), "", 200, at_least=True))
    figures.append(Figure("  conversations stored whole", kept, "", 200, at_least=True))
    return figures


MEASUREMENTS = {
    "polite": polite,
    "bots": bots,
    "abrupt": abrupt,
    "speech": speech,
    "bystander": bystander,
    "vanished": vanished,
    "shutdown": shutdown,
}

if __name__ == "__main__":
    main(MEASUREMENTS, __doc__ or "")
