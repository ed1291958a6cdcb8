"""A hundred thousand hostile messages, and what twenty polite pages notice of them: `python benchmarks/hostile.py`.

Twenty polite pages talk in one process; in another, hostile clients send what `tests/fuzz/grammar.py` makes, from
many connections at once that come, break the rules and go. The polite ones are measured before, meanwhile and
after; the server's memory before and after. `steady` leaves the server's limits on messages a second as they are,
so the hostile ones come from many connections; `raised` lifts them, so that each message is really read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _load import HELLO
from _page import Page
from _table import Figure, ServerProcess, main, percentile, serving
from tests.fuzz.hostile import storm

from greenroom.tasks import TaskScope

MESSAGES = 100_000
POLITE = 20
HOSTILE = 24
CALM_SECONDS = 10.0
REST_SECONDS = 4.0
AGENT = {
    "kind": "builtin",
    "builtin": {"first_token_seconds": 0.1, "tokens_per_second": 400, "words": 20},
}
RAISED = {"messages_per_second": 100_000, "message_burst": 100_000}


async def polite(
    host: str, port: int, number: int, seconds: float, until: asyncio.Event | None
) -> list[float]:
    """One page that talks, with pauses, for so long or until something is over; raises when it is disturbed."""
    chance = Random(number)
    page = await Page.connect(host, port)
    errors: list[bytes] = []
    page.on_message = lambda data: errors.append(data) if data.startswith(b'{"type":"error"') else None
    await page.ready()
    await asyncio.sleep(chance.random())
    found: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end and not (until is not None and until.is_set()):
        async with asyncio.timeout(30):
            first, _ = await page.ask(HELLO)
        found.append(first)
        await asyncio.sleep(0.3 * (0.5 + chance.random()))
    await page.close()
    if errors:
        raise RuntimeError(f"a polite page was told {errors[0][:200]!r}")
    return found


async def talk(host: str, port: int, seconds: float, until: asyncio.Event | None = None) -> list[float]:
    """The first replies of all polite pages."""
    async with TaskScope("polite") as scope:
        jobs = [scope.start(polite, host, port, number, seconds, until) for number in range(POLITE)]
        return [one for job in jobs for one in await job]


async def attack(url: str, messages: int) -> dict[str, Any]:
    """The hostile side, in the process that `python benchmarks/hostile.py --attack` starts."""
    began = perf_counter()
    async with TaskScope("hostile", max_running=10_000) as scope:
        share = messages // HOSTILE + 1
        jobs = [scope.start(storm, url, Random(number), share, scope) for number in range(HOSTILE)]
        sent = sum([await job for job in jobs])
    return {"sent": sent, "seconds": perf_counter() - began}


async def attacked(server: ServerProcess, messages: int) -> tuple[list[float], dict[str, Any]]:
    """Polite talk while the attack runs in a process of its own."""
    over = asyncio.Event()
    # Strangers bring processors of their own: here they get what the server and the polite ones leave.
    order = ["nice", "-n", "10", sys.executable, __file__, "--attack", server.ws_url, str(messages)]
    attacker = await asyncio.create_subprocess_exec(*order, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    async with TaskScope("attacked") as scope:
        talking = scope.start(talk, server.host, server.port, 3600.0, over)
        printed, _ = await attacker.communicate()
        over.set()
        found = await talking
    return found, json.loads(printed)


async def at_rest(server: ServerProcess) -> dict[str, Any]:
    """What the server holds a few quiet seconds later, when freed memory has gone back to the system."""
    await server.quiet()
    await asyncio.sleep(REST_SECONDS)
    return await server.quiet()


async def measure(limits: dict[str, Any], messages: int, name: str, most: float) -> list[Figure]:
    async with serving({"agent": AGENT, "limits": limits, "rooms": {"grace_seconds": 1}}) as server:
        await talk(server.host, server.port, 3.0)
        # A little of everything first: what is loaded once is not what is held for ever.
        await attacked(server, messages // 4)
        before = await at_rest(server)
        calm = await talk(server.host, server.port, CALM_SECONDS)
        stormy, sent = await attacked(server, messages)
        after = await at_rest(server)
        complaints = len(server.complaints())
    agent = 0.1
    ratio = percentile(stormy, 0.99) / percentile(calm, 0.99)
    rate = sent["sent"] / sent["seconds"]
    note = f"  {percentile(calm, 0.99) * 1000:.0f} → {percentile(stormy, 0.99) * 1000:.0f} ms, agent {agent * 1000:.0f}"
    return [
        Figure(
            f"{name}: hostile messages", sent["sent"], "", messages, at_least=True, note=f"  {rate:,.0f}/s"
        ),
        Figure(f"{name}: polite first reply p99, stormy / calm", ratio, "×", most, note=note),
        Figure(f"{name}: memory afterwards", (after["rss_bytes"] - before["rss_bytes"]) / 2**20, "MB", 10),
        Figure(f"{name}: tasks left", after["tasks"]["running"] - before["tasks"]["running"], "", 1),
        Figure(f"{name}: descriptors left", after["fds"] - before["fds"], "", 2),
        Figure(f"{name}: errors in the server's log", complaints, "", 0),
    ]


async def raised(options: argparse.Namespace) -> list[Figure]:
    """No limit on messages a second: all of them are read, and share the one processor with the polite ones."""
    return await measure(RAISED, MESSAGES, "raised limits", 10)


async def steady(options: argparse.Namespace) -> list[Figure]:
    """The server's own limits."""
    return await measure({}, MESSAGES, "own limits", 2)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--attack"]:
        print(json.dumps(asyncio.run(attack(sys.argv[2], int(sys.argv[3])))))
    else:
        main({"steady": steady, "raised": raised}, __doc__ or "")
