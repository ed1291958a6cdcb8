"""After N visits the process is as after one: the promise of this server, on the real thing.

A real process, real WebSockets, five kinds of visitors: polite ones, some who close in mid-reply, some who send
three messages at once, some who switch three times at once, and some who vanish without a close frame. What is
compared afterwards comes from the interpreter (`observed.py`) as well as from the server's own counts.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.olv_client import MutePeer, OlvClient
from tests.helpers.server_process import IDLE_TASKS, ServerProcess, slow

Visit = Callable[[ServerProcess], Awaitable[None]]
SETTINGS = {
    "agent": slow(words=30, tokens_per_second=2000),
    # A short list of conversations is full at once, and so does not look like a leak while it fills.
    "limits": {"ping_seconds": 0.5, "max_connections": 5000, "history_page": 5},
}
CHARACTERS = {
    "one.yaml": {"agent": slow(init_seconds=0.02)},
    "two.yaml": {"agent": slow(init_seconds=0.03)},
    "three.yaml": {"agent": slow(init_seconds=0.04)},
}
OURS = ("greenroom.", "asyncio.", "_asyncio.", "uvloop.", "uvicorn.", "websockets.", "starlette.", "builtins.coroutine",
        "builtins.async_generator")  # fmt: skip


async def polite(server: ServerProcess) -> None:
    """Opens, talks once, closes."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.ask("Hello there")


async def abrupt(server: ServerProcess) -> None:
    """Is gone in mid-reply, without a close frame but with a closed socket."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("text-input", text="Hello there", images=[])
        await page.until("audio")
        page.vanish()


async def burst(server: ServerProcess) -> None:
    """Sends three messages at once, hears the first reply, and leaves the others behind."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        for number in range(3):
            await page.send("text-input", text=f"Message {number}", images=[])
        await page.until("control", text="conversation-chain-end")


async def switch(server: ServerProcess) -> None:
    """Switches three times at once and leaves during the first reply of the last character."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        for name in CHARACTERS:
            await page.send("switch-config", file=name)
        await page.send("text-input", text="Who are you?", images=[])
        await page.until("audio")


async def half_open(server: ServerProcess) -> None:
    """Vanishes in mid-reply without any frame; the server has to find out by itself."""
    async with MutePeer(server.host, server.port) as peer:
        await peer.send("text-input", text="Hello there", images=[])
        # Its socket must outlive the server's patience, so that only the missing pong can tell.
        await asyncio.sleep(1.3)


MODES: dict[str, Visit] = {
    "polite": polite,
    "abrupt": abrupt,
    "burst": burst,
    "switch": switch,
    "half-open": half_open,
}


async def reply_seconds(server: ServerProcess, visits: int = 10) -> float:
    """Median seconds of so many polite visitors to the first sentence."""
    taken = []
    for _ in range(visits):
        async with OlvClient(server.ws_url) as page:
            await page.open()
            taken.append((await page.ask("Hello there")).first)
    return statistics.median(taken)


async def run(server: ServerProcess, visit: Visit, count: int) -> None:
    """So many visits; those that last long for the visitor side by side."""
    together = 20 if visit is half_open else 1
    for _ in range(0, count, together):
        await asyncio.gather(*(visit(server) for _ in range(together)))


class Snapshot:
    """The state of a quiet server."""

    def __init__(self, counts: dict[str, Any], seen: dict[str, Any]) -> None:
        tasks, engines = counts["tasks"], counts["engines"]
        self.exact = {
            "threads": seen["threads"],
            "fds": seen["fds"],
            "loop tasks": len(seen["tasks"]),
            "children": counts["children"],
            "clients": counts["clients"],
            "owned tasks": tasks["running"] + tasks["waiting"] + tasks["submitters"],
            "scopes": tasks["scopes"],
            "abandoned": counts["abandoned"] + tasks["abandoned"],
            "failed": tasks["failed"],
            "engines": (engines["engines"], engines["starting"], engines["leased"]),
            "generating": [(g["generating"], g["waiting"]) for g in counts["generations"]],
        }
        self.objects = {name: count for name, count in seen["types"].items() if name.startswith(OURS)}
        self.lengths: dict[str, int] = seen["lengths"]
        self.rss: int = counts["rss_bytes"]


async def snapshot(server: ServerProcess, like: Snapshot | None = None, clients: int = 0) -> Snapshot:
    """Wait until nothing runs, then look; a few times if it is not `like` another one.

    The connection that asked for the counts may be seen half closed; a leak is there at every look.
    """
    found = Snapshot(await server.quiet(clients), await server.observe())
    for _ in range(5):
        if like is None or found.exact == like.exact:
            break
        await asyncio.sleep(0.05)
        found = Snapshot(await server.quiet(clients), await server.observe())
    return found


class Bystander:
    """A page that only measures heartbeats while others come and go."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._stop = asyncio.Event()
        self.taken: list[float] = []

    async def watch(self) -> None:
        async with OlvClient(self._server.ws_url) as page:
            await page.open()
            while not self._stop.is_set():
                self.taken.append(await page.round_trip())
                await asyncio.sleep(0.025)

    def stop(self) -> None:
        self._stop.set()

    def worst(self, part: int, parts: int = 3) -> float:
        """The worst of one part of the time, leaving out the single worst: the machine has others to serve."""
        size = len(self.taken) // parts
        return sorted(self.taken[part * size : (part + 1) * size])[-2]


def growth(visits: int, *looks: Snapshot) -> dict[str, int]:
    """The containers, by type, that grow between any two looks, and by how many entries at least."""
    found: dict[str, int] = {}
    for kind in looks[-1].lengths:
        sizes = [look.lengths.get(kind, 0) for look in looks]
        least = min(later - earlier for earlier, later in itertools.pairwise(sizes))
        if least >= visits / 4:
            found[kind] = least
    return found


async def prove(server: ServerProcess, mode: str, visits: int, megabytes: float) -> None:
    """The proof for one kind of visitor."""
    visit = MODES[mode]
    for warm_up in (polite, visit, visit, polite):
        await run(server, warm_up, 1)
    first = await reply_seconds(server)
    before = await snapshot(server)

    bystander = Bystander(server)
    watching = asyncio.gather(bystander.watch())
    await run(server, visit, visits // 2)
    middle = await snapshot(server, clients=1)
    await run(server, visit, visits - visits // 2)
    bystander.stop()
    await watching

    after = await snapshot(server, like=before)
    last = await reply_seconds(server)

    assert after.exact == before.exact
    # The question itself holds an object or two, now here, now there; a leak leaves one for each visit.
    more = {name: count - before.objects.get(name, 0) for name, count in after.objects.items()}
    assert {name: count for name, count in more.items() if count >= visits / 10} == {}
    grown = growth(visits, before, middle, after)
    earlier = after
    for _ in range(4):
        if not grown:
            break
        # A cache may be filled in both halves, and what is gathered for a second be seen in both; a leak goes on.
        await run(server, visit, visits // 2)
        later = await snapshot(server, like=before)
        more_visits = growth(visits, earlier, later)
        grown = {kind: count for kind, count in grown.items() if kind in more_visits}
        earlier = later
    assert grown == {}, f"entries by which containers grow in {visits // 2} visits: {grown}"
    assert after.rss - before.rss < megabytes * 1024 * 1024
    # Ten and ten on a machine that does other things, too; what the issue is about is factors of two and ten.
    assert last < first * 1.5 + 0.005, f"the last ten replies took {last:.4f} s, the first ten {first:.4f} s"
    assert bystander.worst(2) < max(2 * bystander.worst(0), 0.1), (bystander.worst(0), bystander.worst(2))
    assert not server.complaints()


@pytest.mark.parametrize("mode", MODES)
async def test_after_sixty_visits_it_is_as_after_one(tmp_path: Path, mode: str) -> None:
    """Sixty visitors of one kind leave no task, thread, child, descriptor, object or entry, and no slower reply."""
    async with ServerProcess(tmp_path, SETTINGS, characters=CHARACTERS, observed=True) as server:
        await prove(server, mode, 60, megabytes=4)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_after_two_thousand_visits_it_is_as_after_one(tmp_path: Path, mode: str) -> None:
    """The same with two thousand visitors, and a memory that is flat."""
    async with ServerProcess(tmp_path, SETTINGS, characters=CHARACTERS, observed=True) as server:
        await run(server, MODES[mode], 200)
        await prove(server, mode, 2000, megabytes=2)


@pytest.mark.parametrize("leave", ["politely", "abruptly"])
async def test_replies_of_closed_pages_do_not_hold_slots(tmp_path: Path, leave: str) -> None:
    """Two generation slots, replies of 8 s: after six pages closed in mid-reply the next one waits like the first."""
    settings = {"agent": slow(words=200, tokens_per_second=25, slots=2, first_token_seconds=0.05)}
    async with ServerProcess(tmp_path, settings) as server:

        async def first_reply() -> float:
            async with OlvClient(server.ws_url) as page:
                await page.open()
                loop = asyncio.get_running_loop()
                began = loop.time()
                await page.send("text-input", text="Hello there", images=[])
                await page.until("audio")
                if leave == "abruptly":
                    page.vanish()
                return loop.time() - began

        waits = [await first_reply() for _ in range(8)]
        assert max(waits[-2:]) < waits[0] + 0.7, waits
        found = await server.quiet(seconds=1)
        assert all(g["generating"] == g["waiting"] == 0 for g in found["generations"])
        assert sum(g["aborted"] for g in found["generations"]) == 8


@pytest.mark.parametrize("leave", ["politely", "abruptly"])
async def test_speech_of_closed_pages_does_not_hold_the_voice(tmp_path: Path, leave: str) -> None:
    """A voice that speaks one sentence at a time: four pages closed in mid-speech, the fifth waits like the first."""
    voice = {"tts": {"engine": "tone", "seconds_per_sentence": 0.5, "slots": 1}}
    settings = {"agent": slow(words=300, tokens_per_second=0), "voice": voice}
    async with ServerProcess(tmp_path, settings) as server:
        waits = []
        for _ in range(5):
            async with OlvClient(server.ws_url) as page:
                await page.open()
                loop = asyncio.get_running_loop()
                began = loop.time()
                await page.send("text-input", text="Hello there", images=[])
                await page.until("audio")
                waits.append(loop.time() - began)
                await asyncio.sleep(0.25)
                if leave == "abruptly":
                    page.vanish()
        assert waits[4] < waits[0] + 0.3, waits
        found = await server.quiet(seconds=1)
        assert [(v["speaking"], v["waiting"]) for v in found["voices"]] == [(0, 0)]
        assert not server.complaints()


async def test_bots_that_never_begin_a_history(tmp_path: Path) -> None:
    """Clients that skip the page's four messages, three messages at once: no slower after sixty visits."""
    async with ServerProcess(tmp_path, {"agent": slow(words=30, tokens_per_second=0)}) as server:

        async def bot() -> float:
            async with OlvClient(server.ws_url) as client:
                await client.greeting()
                loop = asyncio.get_running_loop()
                began = loop.time()
                for number in range(3):
                    await client.send("text-input", text=f"Message {number}")
                await client.until("audio")
                taken = loop.time() - began
                for _ in range(3):
                    await client.until("control", text="conversation-chain-end")
                return taken

        for _ in range(3):
            await bot()
        times = [await bot() for _ in range(60)]
        first, last = statistics.median(times[:20]), statistics.median(times[-20:])
        assert last < first * 1.5 + 0.005, (first, last)
        assert (await server.quiet())["tasks"]["running"] == IDLE_TASKS
