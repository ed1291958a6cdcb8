"""Hostile, careless and honest sequences over a live server: it survives, and nobody else notices.

After each sequence: the process lives, it has logged no error, all its tasks and connections are those from before, a
page that was there all the time is answered as always, and every turn that began has ended.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.helpers.olv_client import OlvClient
from tests.helpers.server_process import ServerProcess

from greenroom.protocol.codec import TYPES
from greenroom.tasks import TaskScope

from . import grammar
from .hostile import BROKEN, Hostile

FAST: dict[str, Any] = {
    "agent": {"kind": "builtin", "builtin": {"first_token_seconds": 0, "tokens_per_second": 0, "words": 12}},
    "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.001, "slots": 4}},
    "rooms": {"grace_seconds": 0.05},
    "limits": {"messages_per_second": 100_000, "message_burst": 100_000, "playback_grace_seconds": 0.1},
}
PACED: dict[str, Any] = {**FAST, "limits": {"playback_grace_seconds": 0.1}}
"""With the limits on messages a second that a server has by default."""


class Arena:
    """A server, an honest page, and a loop to run sequences in."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.server = ServerProcess(folder, config)
        self.sent = 0
        self._runner = asyncio.Runner()
        self._honest: OlvClient
        self._tasks = 0

    def __enter__(self) -> Arena:
        self._runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _open(self) -> None:
        await self.server.__aenter__()
        self._honest = await OlvClient(self.server.ws_url).__aenter__()
        await self._honest.open()
        await self._honest.ask("Hello")
        self._tasks = (await self.server.quiet(clients=1))["tasks"]["running"]

    async def _close(self) -> None:
        await self._honest.ws.close()
        await self.server.__aexit__(None)

    def run(self, sequences: list[Sequence]) -> None:
        """Let so many clients loose at the same time, then look at what is left."""
        self._runner.run(self._run(sequences))

    async def _run(self, sequences: list[Sequence]) -> None:
        async with TaskScope("hostile") as scope:
            jobs = [scope.start(self._play, sequence, scope, name="client") for sequence in sequences]
            reply = await self._honest.ask("Are you still there?")
            assert not [m for m in reply.messages if m["type"] == "error"]
            assert reply.text
            for job in jobs:
                await job
        found = await self.server.quiet(clients=1)
        assert found["tasks"]["running"] <= self._tasks + 1, await self.server.tasks()
        assert found["abandoned"] == 0
        assert self.server.process.poll() is None
        assert not self.server.complaints()

    async def _play(self, sequence: Sequence, scope: TaskScope) -> None:
        path = "/proxy-ws?room=fuzz" if sequence.room else "/client-ws"
        url = self.server.ws_url.replace("/client-ws", path)
        async with Hostile(url, scope) as client:
            for step in sequence.steps:
                await step.play(client)
            self.sent += client.sent
            if not sequence.room and not client.sent_cutting and not client.closed:
                assert await client.all_ended(), f"a turn did not end: {client.got}"
            await client.leave(sequence.leaves)


class Step:
    """One frame, sent some times with a pause after it; or bytes that break the protocol."""

    def __init__(self, data: str | bytes, times: int, pause: float, broken: int | None) -> None:
        self.data, self.times, self.pause, self.broken = data, times, pause, broken

    async def play(self, client: Hostile) -> None:
        if self.broken is not None:
            client.break_rules(self.broken)
        for _ in range(self.times):
            await client.send(self.data)
        if self.pause:
            await asyncio.sleep(self.pause)

    def __repr__(self) -> str:
        broken = f" after {BROKEN[self.broken]!r}" if self.broken is not None else ""
        return f"{self.times} × {self.data[:300]!r}{broken}, {self.pause:g} s"


class Sequence:
    """What one client does, from its first frame to the way it leaves."""

    def __init__(self, room: bool, steps: list[Step], leaves: int) -> None:
        self.room, self.steps, self.leaves = room, steps, leaves

    def __repr__(self) -> str:
        return f"Sequence({'room' if self.room else 'page'}, {self.steps}, leaves {self.leaves})"


def step(chance: Random, times: int, pause: float, broken: int | None) -> Step:
    return Step(grammar.frame(chance), times, pause, broken)


steps = st.builds(
    step,
    st.randoms(use_true_random=False),
    st.sampled_from((1, 1, 1, 2, 10, 60)),
    st.sampled_from((0, 0, 0, 0, 0.001, 0.02)),
    st.one_of(*[st.none()] * 20, st.integers(0, len(BROKEN) - 1)),
)
sequences = st.lists(
    st.builds(Sequence, st.booleans(), st.lists(steps, min_size=1, max_size=25), st.integers(0, 2)),
    min_size=1,
    max_size=4,
)


@pytest.fixture(params=[FAST, PACED], ids=["no pace", "paced"])
def arena(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Arena]:
    with Arena(tmp_path, request.param) as arena:
        yield arena


def fuzz(arena: Arena, examples: int, *, same: bool) -> None:
    """Play so many examples; with `same` those that come in every run."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=same,
        suppress_health_check=list(HealthCheck),
        # To make what was found small takes many runs of it; add Phase.shrink for that when something was found.
        phases=[Phase.generate],
    )
    @given(sequences)
    def play(found: list[Sequence]) -> None:
        arena.run(found)

    play()


def test_some_sequences(arena: Arena) -> None:
    """A few sequences, the same in every run."""
    fuzz(arena, 15, same=True)
    assert arena.sent > 500


@pytest.mark.slow
def test_a_hundred_thousand_messages(tmp_path: Path) -> None:
    """As many sequences as it takes for 100,000 messages."""
    with Arena(tmp_path, FAST) as arena:
        rounds = 0
        while arena.sent < 100_000:
            fuzz(arena, 50, same=False)
            rounds += 1
        print(f"\n{arena.sent} messages in {50 * rounds} examples")


def test_every_message_is_in_the_grammar() -> None:
    """Whatever is added to the protocol is sent by the fuzzer, with values that make sense for most fields."""
    chance = Random(1)
    seen = {grammar.message(chance)["type"] for _ in range(2000)}
    assert seen == set(TYPES)
    for _ in range(2000):
        data = grammar.frame(chance)
        assert isinstance(data, str | bytes)
        if isinstance(data, str):
            json.dumps(data)
