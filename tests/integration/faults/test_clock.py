"""The wall clock jumps, and the whole process stands still for a while: nothing is timed by the wrong clock."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import ServerProcess, eventually, slow
from tests.helpers.services import require

from greenroom.tasks import TaskScope

DAY = 86_400


class WallClock:
    """The server's wall clock, through libfaketime; its monotonic clock runs on as it should."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        # The wrapper itself would fix the time for good; it knows where its library is.
        wrapped = [require("faketime"), "-m", "-f", "+0", "printenv", "LD_PRELOAD"]
        self._library = subprocess.run(wrapped, capture_output=True, text=True, check=True).stdout.strip()
        self.set(0)

    def set(self, seconds: float) -> None:
        """Put it so many seconds off the true time, from now on."""
        partial = self._file.with_suffix(".part")
        partial.write_text(f"{seconds:+.0f}\n", encoding="utf-8")
        partial.replace(self._file)

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Else its own repair of timed waits, for an old glibc, makes those of a thread wait for ever.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


SETTINGS: dict[str, Any] = {
    "agent": slow(words=40, tokens_per_second=40),
    "queue": {"durable": True, "max_age_seconds": 60},
    "limits": {"ping_seconds": 5, "turn_seconds": 30},
}


def the_servers_clock(server: ServerProcess) -> float:
    """How far the server's wall clock is off, in seconds: by the last line of its log."""
    stamp = server.log()[-1]["timestamp"]
    return (datetime.fromisoformat(stamp) - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY], ids=["a day on", "a day back", "a year on"])
async def test_the_wall_clock_jumps(tmp_path: Path, clock: WallClock, jump: int) -> None:
    """In mid-reply: it goes on to its end, nobody is dropped or timed out, and the history keeps its order."""
    server = ServerProcess(tmp_path, SETTINGS, environ=clock.environ)
    async with server, OlvClient(server.ws_url) as page, TaskScope("test") as scope:
        await page.open()
        await page.ask("one")
        asked = scope.start(page.ask, "two")
        await asyncio.sleep(0.3)
        clock.set(jump)
        reply = await asked
        assert not [m for m in reply.messages if m["type"] == "error"]
        assert reply.seconds < 10
        clock.set(0)
        await page.ask("three")
        clock.set(jump)
        await page.send("fetch-and-set-history", history_uid=page.history_uid)
        lines = (await page.until("history-data"))[-1]["messages"]
        assert [m["content"] for m in lines if m["role"] == "human"] == ["one", "two", "three"]
        async with OlvClient(server.ws_url) as other:
            await other.open()
            assert (await other.ask("Hello")).text

        async def jumped() -> bool:
            return abs(the_servers_clock(server) - jump) < 300

        await eventually("the log shows that the clock was set", jumped)
        await page.round_trip()
    assert not server.complaints()


async def test_messages_that_wait_do_not_age_by_the_wall_clock(tmp_path: Path, clock: WallClock) -> None:
    """A room's queue over a restart: what waits while the clock jumps a day is answered, not expired."""
    settings = {**SETTINGS, "agent": slow(words=400)}
    first = ServerProcess(tmp_path, settings, environ=clock.environ)
    async with first:
        async with OlvClient(f"ws://{first.host}:{first.port}/proxy-ws") as viewer:
            await viewer.open()
            for number in range(2):
                await viewer.send("text-input", text=f"message {number}", images=[])
            await viewer.until("queue-state")
            first.kill()
            first.process.wait()
    quick = {**SETTINGS, "agent": slow(words=10, tokens_per_second=0)}
    async with ServerProcess(tmp_path, quick, environ=clock.environ) as server:
        (line,) = [line for line in server.log() if line.get("event") == "room messages restored"]
        assert (line["restored"], line["expired"]) == (2, 0)
        clock.set(DAY)
        async with OlvClient(f"ws://{server.host}:{server.port}/proxy-ws") as viewer:
            await viewer.greeting()
            for number in range(2):
                found = await viewer.until("control", text="conversation-chain-end")
                said = [m["text"] for m in found if m["type"] == "user-input-transcription"]
                assert said == [f"message {number}"]


def busy(seconds: float) -> None:
    """Keep this process's loop from answering anything."""
    time.sleep(seconds)


async def test_a_server_that_stood_still(tmp_path: Path) -> None:
    """SIGSTOP for longer than ping and pong may take: after SIGCONT pages that answered are still there."""
    settings = {"agent": slow(words=60, tokens_per_second=30), "limits": {"ping_seconds": 1.5}}
    async with ServerProcess(tmp_path, settings) as server, TaskScope("test") as scope:
        pages = [OlvClient(server.ws_url) for _ in range(20)]
        for page in pages:
            await page.__aenter__()
            await page.open()
        asked = [scope.start(page.ask, "Hello", 20) for page in pages]
        await asyncio.sleep(0.5)
        # It pings them while they cannot answer; their pongs come when nobody reads them any more.
        busy(1.2)
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(2.5)
        server.signal(signal.SIGCONT)
        for job in asked:
            assert (await job).text
        for page in pages:
            await page.round_trip()
            await page.ws.close()
        assert (await server.quiet())["abandoned"] == 0
    assert not server.complaints()


async def test_pages_that_gave_up_while_it_stood_still(tmp_path: Path) -> None:
    """Whoever left meanwhile is found gone at once, and new ones are served."""
    async with ServerProcess(tmp_path, {"agent": slow(words=200)}) as server:
        before = await server.quiet()
        pages = [OlvClient(server.ws_url) for _ in range(20)]
        for page in pages:
            await page.__aenter__()
            await page.open()
            await page.send("text-input", text="Hello", images=[])
            await page.until("audio")
        server.signal(signal.SIGSTOP)
        for page in pages:
            page.vanish()
        await asyncio.sleep(0.5)
        began = monotonic()
        server.signal(signal.SIGCONT)
        found = await server.quiet()
        assert monotonic() - began < 3
        assert found["tasks"]["running"] <= before["tasks"]["running"] + 1, await server.tasks()
        async with OlvClient(server.ws_url) as page:
            await page.open()
        for page in pages:
            await page.ws.close()
    assert not server.complaints()
