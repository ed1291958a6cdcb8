"""`queue.durable`: the server dies again and again, and every accepted message is answered once.

Accepted: its sender saw `queue-state`, or a viewer saw it begin (`user-input-transcription`). Answered: a viewer
saw the end of its conversation. A reply that was shown whole, so that only its last frame fell to the crash,
counts as answered too, whether or not it was given again.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import ServerProcess, eventually, slow
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from greenroom.tasks import TaskScope

SETTINGS: dict[str, Any] = {
    "agent": slow(words=12, tokens_per_second=200),
    "queue": {"durable": True, "max_waiting": 1000},
    "rooms": {"grace_seconds": 20},
}


class Witness:
    """What viewers saw of each message, over all lives of the server."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.accepted: set[str] = set()
        self.begun: Counter[str] = Counter()
        self.shown: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def watch(self, server: ServerProcess) -> None:
        """Look on until the server has gone."""
        viewer = await OlvClient(room_url(server)).__aenter__()
        now = ""
        try:
            await viewer.greeting()
            while True:
                message = await viewer.receive(60)
                kind = message["type"]
                if kind == "user-input-transcription":
                    now = message["text"]
                    self.begun[now] += 1
                    self.accepted.add(now)
                elif kind == "force-new-message":
                    self.shown[now] += 1
                elif kind == "control" and message["text"] == "conversation-chain-end":
                    self.ended[now] += 1
        except ConnectionClosed:
            pass
        finally:
            await viewer.ws.close()

    async def say(self, server: ServerProcess, text: str) -> None:
        """One sender with one message; stays until the server has gone."""
        try:
            async with OlvClient(room_url(server)) as sender:
                await sender.greeting()
                self.sent.add(text)
                await sender.send("text-input", text=text, images=[])
                while True:
                    message = await sender.receive(60)
                    if message["type"] == "queue-state":
                        self.accepted.add(text)
                    assert message["type"] != "queue-dropped", message
        except (ConnectionClosed, InvalidHandshake, OSError):
            pass

    def check(self) -> None:
        assert len(self.accepted) > 10
        for text in self.accepted:
            assert self.ended[text] or self.shown[text], f"{text}: accepted, and never answered"
        for text in self.sent:
            assert self.ended[text] <= 1, f"{text}: answered twice"
        assert sum(self.ended.values()) >= len(self.accepted) * 0.8


def room_url(server: ServerProcess) -> str:
    return f"ws://{server.host}:{server.port}/proxy-ws"


async def idle(server: ServerProcess, witness: Witness) -> None:
    """Wait until everything is answered, and nobody is at it again."""

    async def done() -> bool:
        return all(witness.ended[text] or witness.shown[text] for text in witness.accepted)

    await eventually("everything is answered", done, 30)
    for _ in range(3):
        await server.quiet(clients=1)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(("how", "rounds"), [(signal.SIGKILL, 12), (signal.SIGTERM, 6)])
async def test_accepted_messages_survive(tmp_path: Path, how: signal.Signals, rounds: int) -> None:
    """Killed (or stopped) at random moments: what was accepted is answered once."""
    chance = random.Random(how)
    witness = Witness()
    restored = 0
    async with TaskScope("crowd") as scope:
        for number in range(rounds + 1):
            server = ServerProcess(tmp_path, SETTINGS)
            server.start()
            await server.ready()
            last = number == rounds
            found = [line for line in server.log() if line.get("event") == "room messages restored"]
            restored += found[0]["restored"]
            jobs = [scope.start(witness.watch, server)]
            if not last:
                jobs += [scope.start(witness.say, server, f"round {number} message {m}") for m in range(8)]
                await asyncio.sleep(0.15 + chance.random() * 0.25)
                server.signal(how)
                code = await server.exited(10)
                assert code == (-9 if how == signal.SIGKILL else 0), server.log_text()
            else:
                await idle(server, witness)
                server.signal(signal.SIGTERM)
                assert await server.exited(10) == 0
            for job in jobs:
                await job
            assert not server.complaints()
    assert restored > rounds
    witness.check()


async def test_what_is_too_old_is_reported(tmp_path: Path) -> None:
    """Restored messages that nobody comes for in time, or that came too late, are reported as expired."""
    settings = {**SETTINGS, "agent": slow(words=2000), "queue": {"durable": True, "max_age_seconds": 1.5}}
    witness = Witness()
    async with TaskScope("crowd") as scope:
        server = ServerProcess(tmp_path, settings)
        server.start()
        await server.ready()
        jobs = [scope.start(witness.say, server, f"message {number}") for number in range(4)]

        async def waiting() -> bool:
            return len(witness.accepted) == 3

        await eventually("three wait", waiting)
        server.kill()
        for job in jobs:
            await job
    async with ServerProcess(tmp_path, settings) as server:

        async def expired() -> bool:
            return sum(line.get("event") == "a restored message expired" for line in server.log()) == 4

        await eventually("all are reported", expired)
        assert (
            'greenroom_refused_total{what="room expired"} 4.0' in (await server.get("/metrics")).body.decode()
        )
    async with ServerProcess(tmp_path, settings) as server:
        (line,) = [line for line in server.log() if line.get("event") == "room messages restored"]
        assert (line["restored"], line["expired"]) == (0, 0)


async def test_a_second_server_in_the_same_folder(tmp_path: Path) -> None:
    """It does not start, and says what to do: it would answer the first one's messages again."""
    async with ServerProcess(tmp_path, SETTINGS) as server:
        second = ServerProcess(tmp_path, SETTINGS)
        second.log_file = tmp_path / "second.log"
        second.start()
        assert await second.exited(15) == 2
        assert "another server" in second.log_text()
        assert "Traceback" not in second.log_text()
        assert (await server.get("/health/ready")).status == 200
