"""Tests of the one task that watches."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.tasks.virtual_loop import now, virtual

from greenroom.server.ops.messages import OpsSample
from greenroom.server.ops.recorder import Recorder
from greenroom.server.ops.sampler import PROBE_SECONDS, Gauges, LagProbe, Sampler, seconds, tasks_by_kind
from greenroom.server.ops.samples import SampleHistory
from greenroom.sessions.services import TurnEnd
from greenroom.tasks import TaskScope


async def forever() -> None:
    await asyncio.Event().wait()


@virtual
async def test_it_takes_a_sample_each_second() -> None:
    """With what the parts hold, what happened since the last one, and the tasks alive."""
    taken: list[OpsSample] = []
    recorder = Recorder(100, 10)
    async with TaskScope("server") as root:
        client = root.child("clients").child("client a")
        client.start(forever)
        sampler = Sampler(
            root, recorder, SampleHistory(60, 1), lambda: Gauges(1, 2, 3, 4, 5), taken.append,
            clock=asyncio.get_running_loop().time,
        )  # fmt: skip
        root.child("ops").start(sampler.run)
        began = now()
        await asyncio.sleep(0.5)
        recorder.turn_began()
        recorder.turn_ended(TurnEnd("finished", 0.25, 1.0, True, "White"))
        await asyncio.sleep(2.6)
        assert now() - began < 3.2
        assert len(taken) == 3
        assert [sample.reply_ms_p50 for sample in taken] == [250.0, None, None]
        first = taken[0]
        assert (first.slots_busy, first.slots_waiting, first.queue_waiting) == (1, 2, 3)
        assert (first.clients, first.viewers, first.replies) == (4, 5, 1)
        assert first.tasks_by_kind == {"server": 0, "clients": 1, "ops": 1}
        assert first.tasks == 2
        assert first.rss_mb > 10
        assert first.threads >= 1
        assert first.fds >= 3
    # Told to nobody any more, and no timer is left.
    recorder.turn_began()


@virtual
async def test_the_clock_keeps_its_pace() -> None:
    """A late second does not move the ones after it; missed ones are not made up for."""
    loop = asyncio.get_running_loop()
    began = now()
    late: list[float] = []
    async for seconds_late in seconds(loop.time):
        late.append(round(seconds_late, 3))
        if len(late) == 2:
            await asyncio.sleep(0.3)
        elif len(late) == 3:
            await asyncio.sleep(10)
        elif len(late) == 5:
            break
    assert late[:3] == [0, 0, 0]
    assert 0 <= late[3] <= 10
    assert now() - began < 15


async def test_a_blocked_loop_is_seen() -> None:
    """While somebody is answered, also a short block between two seconds."""
    probe = LagProbe(asyncio.get_running_loop())
    probe.run(1)
    await asyncio.sleep(0)
    time.sleep(PROBE_SECONDS + 0.04)  # noqa: ASYNC251 - that is what is measured
    await asyncio.sleep(0.001)
    assert probe.take() >= 0.03
    assert probe.take() < 0.03
    probe.run(0)


@virtual
async def test_nothing_ticks_while_nobody_is_answered() -> None:
    """The probe's timer exists only while turns run."""
    loop = asyncio.get_running_loop()
    probe = LagProbe(loop, loop.time)
    assert not loop._scheduled  # type: ignore[attr-defined]
    probe.run(1)
    await asyncio.sleep(1)
    assert probe.take() == 0
    probe.run(0)
    assert all(timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("no_garbage_collection")
async def test_counting_many_scopes_stops_nobody() -> None:
    """Ten thousand owners are counted in slices: the loop is never held up for long."""
    async with TaskScope("server") as root:
        clients = root.child("clients")
        for number in range(10_000):
            clients.child(f"client {number}")
        worst, done = 0.0, False

        async def beat() -> None:
            nonlocal worst
            while not done:
                # Processor time: a busy machine holds everybody up, and this is not about that.
                before = time.thread_time()
                await asyncio.sleep(0)
                worst = max(worst, time.thread_time() - before)

        beats = root.start(beat)
        counted = await tasks_by_kind(root)
        done = True
        await beats.wait()
        assert counted["clients"] == 0
        assert worst < 0.03
