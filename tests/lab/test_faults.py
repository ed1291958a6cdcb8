"""The fault server: sound by default, each defect behind its switch, and the analysis' table out of all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.server_process import eventually

from greenroom.lab.faults import AS_FOUND, FAULTS, FaultProcess, Pace, UnknownFault, faults_named
from greenroom.lab.faults.world import World
from greenroom.lab.olv import OlvVisitor
from greenroom.lab.record import Visit
from greenroom.lab.soak import Options, Soak
from greenroom.tasks import TaskScope

QUICK = Pace().scaled(0.02)


async def pay(world: World, *manners: str) -> list[Visit]:
    """Visits one after the other."""
    visitor = OlvVisitor(world.url, 10.0)
    visits = [Visit(number, manner) for number, manner in enumerate(manners, 1)]
    for visit in visits:
        await visitor.pay(visit)
    await visitor.finish()
    return visits


async def running(scope: TaskScope, count: int) -> None:
    """Wait until so many jobs run in a scope; the server learns of a close a moment after the client."""

    async def settled() -> bool:
        return scope.statistics().running == count

    await eventually(f"{count} jobs", settled)


def test_names_are_checked_and_groups_are_opened():
    """`as-found` stands for the analysed server, `sound` for nothing; a slip is told with what was meant."""
    assert faults_named(["as-found", "leaked-fd"]) == frozenset(AS_FOUND) | {"leaked-fd"}
    assert faults_named(["sound"]) == frozenset()
    with pytest.raises(UnknownFault, match="leaked-child"):
        faults_named(["leaked-childs"])


def test_a_wrong_switch_is_an_error_of_usage():
    """The command says which faults there are, and leaves with 2."""
    done = subprocess.run(
        [sys.executable, "-m", "greenroom.lab.faults", "--fault", "nonsense"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in FAULTS)


async def test_the_sound_server_serves_every_manner_and_keeps_nothing():
    """Each visit is served without an error, turns end, and no task or page is left when the last page has gone."""
    async with World(frozenset(), QUICK) as world:
        visits = await pay(world, "silent", "polite", "early", "late", "patient", "burst", "switch", "flip")
        assert [visit.error for visit in visits] == [None] * len(visits)
        polite, burst = visits[1], visits[5]
        assert polite.sound
        assert (polite.starts, polite.ends) == (1, 1)
        assert (burst.starts, burst.ends) == (2, 2)
        assert polite.whole_reply > polite.first_reply > 0
        await running(world.scope, 0)
        assert not world.pages


@pytest.mark.parametrize(
    ("fault", "manner"),
    [("fire-and-forget", "early"), ("speech-after-close", "late"), ("untracked-init", "flip")],
)
async def test_what_a_closed_page_began_goes_on(fault: str, manner: str):
    """With these defects work is under way when no page is left; without them there is none."""
    async with World(frozenset({fault}), QUICK) as world:
        await pay(world, "polite", manner)
        assert world.forgotten.statistics().running


async def test_an_orphaned_turn_never_ends():
    """Two messages at once: two turns begin, one ends, and the other is still there after the page."""
    async with World(frozenset({"orphaned-turn"}), QUICK) as world:
        _, burst = await pay(world, "polite", "burst")
        assert (burst.starts, burst.ends) == (2, 1)
        await running(world.forgotten, 1)


@pytest.mark.parametrize("fault", ["polling", "idle-spin"])
async def test_loops_outlive_their_page(fault: str):
    """A silent visit leaves a loop behind."""
    async with World(frozenset({fault}), QUICK) as world:
        await pay(world, "silent")
        await running(world.forgotten, 1)


async def test_shared_memory_makes_replies_longer():
    """The last page's reply is longer than the first's, though it never spoke before."""
    async with World(frozenset({"shared-memory"}), QUICK) as world:
        # A busy machine can hold up any one of them.
        visits = await pay(world, *["polite"] * 21)
        assert min(visit.whole_reply for visit in visits[-4:]) > min(v.whole_reply for v in visits[:4]) * 1.15


async def test_histories_are_read_at_each_open():
    """Each visit that talked leaves a file, and the next page is told of all of them."""
    async with World(frozenset({"files-at-open"}), QUICK) as world:
        await pay(world, "polite", "polite")
        assert len(world.read_histories()) == 2


async def test_another_path_is_no_page():
    """Only the client protocol is served."""
    async with World(frozenset(), QUICK) as world:
        visitor = OlvVisitor(world.url.replace("/client-ws", "/elsewhere"), 5.0)
        visit = Visit(1, "polite")
        await visitor.pay(visit)
        assert "404" in (visit.error or "")


@pytest.mark.slow
async def test_the_table_of_the_analysis(tmp_path: Path):
    """1 s, then 3-5 s, about 10 s, 30 s or more at the 1st, 3rd, 5th and 10th opening; a restart cures it."""
    scale = 0.2
    for _ in range(2):
        with FaultProcess(["as-found"], time_scale=scale) as server:
            run = await Soak(server.url, OlvVisitor(server.url, 60 * scale), Options("abrupt", 10)).go()
        replies = {v.number: 60.0 if v.timed_out else (v.first_reply or 0.0) / scale for v in run.visits}
        assert replies[1] < 1.5
        assert 3 <= replies[3] <= 6
        assert 7 <= replies[5] <= 14
        assert replies[10] >= 30
