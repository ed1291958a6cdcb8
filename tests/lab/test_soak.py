"""Whole soaks: real servers with known defects, real processes, and the verdict on them."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterable

import pytest

from greenroom.lab.faults import FAULTS, FaultProcess
from greenroom.lab.olv import OlvVisitor
from greenroom.lab.process import ProcessTree
from greenroom.lab.record import Run
from greenroom.lab.soak import Options, Soak
from greenroom.lab.verdict import Verdict, judge
from greenroom.lab.visitors import Unreachable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: What each fault must be called.
NAMES: dict[str, set[str]] = {
    "fire-and-forget": {"replies-running"},
    "untracked-init": {"init-running"},
    "close-never-runs": {"registry-growing"},
    "speech-after-close": {"speech-held"},
    "shared-memory": {"prompt-growing"},
    "orphaned-turn": {"orphaned-turns"},
    "leaked-child": {"children-left"},
    "idle-spin": {"idle-spin"},
    "leaked-fd": {"fds-left"},
    "leaked-thread": {"threads-left"},
    "polling": {"polling"},
    "blocking-call": {"loop-blocked"},
    "files-at-open": {"files-at-open"},
    "garbage": {"registry-growing", "garbage-collection"},
    "slow-connect": {"connect-slowing"},
}
#: What may be said besides, because it follows from the fault.
FOLLOWS = {"fire-and-forget": {"provider-slots"}}
#: A loop that never sleeps hides how often others would wake it; the verdict says so.
HIDDEN = {("idle-spin", "polling")}
#: What a closed page leaves must outlast what does not get faster with the scale: opening the next page.
SCALES = {"speech-after-close": 0.25}


async def soak(faults: Iterable[str], visits: int, scale: float, mode: str = "mixed") -> tuple[Run, Verdict]:
    """Soak a fault server in a process of its own."""
    with FaultProcess(faults, time_scale=scale) as server:
        visitor = OlvVisitor(server.url, 20.0)
        run = await Soak(server.url, visitor, Options(mode, visits), tree=ProcessTree(server.pid)).go()
    return run, judge(run)


def expected(faults: Iterable[str]) -> tuple[set[str], set[str]]:
    """What must be named, and what may be."""
    must = set().union(*(NAMES[fault] for fault in faults))
    return must, must.union(*(FOLLOWS.get(fault, set()) for fault in faults))


@pytest.fixture
def short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that only want to see it run."""
    monkeypatch.setattr("greenroom.lab.soak.FINAL_REST_SECONDS", 0.1)
    monkeypatch.setattr("greenroom.lab.soak.REST_SECONDS", 0.1)
    monkeypatch.setattr("greenroom.lab.soak.KEPT_SECONDS", 0.2)


def test_every_fault_has_a_name():
    """The table above covers the catalog."""
    assert set(NAMES) == set(FAULTS)


async def test_a_sound_server_is_flat():
    """Forty mixed visits to a server without a defect: nothing grows, and no cause is named."""
    run, verdict = await soak([], 40, 0.02)
    assert (verdict.failing, verdict.causes, run.notes) == ([], [], [])
    assert [visit.number for visit in run.visits] == list(range(1, 41))


@pytest.mark.usefixtures("short_rest")
async def test_what_is_left_in_the_process_is_named():
    """Children and files that stay are both named, in one run of thirty visits."""
    _, verdict = await soak(["leaked-child", "leaked-fd"], 30, 0.01)
    assert {cause.name for cause in verdict.causes} == {"children-left", "fds-left"}
    assert verdict.exit_code == 1


@pytest.mark.usefixtures("short_rest")
async def test_replies_of_closed_pages_are_named():
    """Replies that go on after the close are named, though every polite visit is served at once."""
    _, verdict = await soak(["fire-and-forget"], 38, 0.05)
    assert "replies-running" in {cause.name for cause in verdict.causes}
    assert verdict.trends["first_reply"].status == "flat"


@pytest.mark.usefixtures("short_rest")
async def test_visits_in_parallel_are_all_paid():
    """Several pages at the same time: as many visits as asked for, numbered, none lost."""
    with FaultProcess(time_scale=0.02) as server:
        options = Options("polite", 22, parallel=4)
        run = await Soak(server.url, OlvVisitor(server.url, 20.0), options, tree=ProcessTree(server.pid)).go()
    assert [visit.number for visit in run.visits] == list(range(1, 23))
    assert not [visit.error for visit in run.visits if visit.error]


@pytest.mark.usefixtures("short_rest")
@pytest.mark.parametrize("mode", ["abrupt", "burst", "switch", "half-open"])
async def test_each_mode_runs(mode: str):
    """Every mode pays its visits to a sound server without an error, and finds nothing."""
    run, verdict = await soak([], 8, 0.02, mode)
    assert len(run.visits) == 8
    assert not [visit.error for visit in run.visits if visit.error]
    assert not verdict.causes


@pytest.mark.usefixtures("short_rest")
async def test_a_duration_ends_the_run():
    """The time given is kept, whatever number of visits was asked for."""
    with FaultProcess(time_scale=0.02) as server:
        run = await Soak(
            server.url, OlvVisitor(server.url, 20.0), Options("polite", 10_000, duration=1.0)
        ).go()
    assert 0 < len(run.visits) < 200


@pytest.mark.usefixtures("short_rest")
async def test_a_server_that_dies_ends_the_run():
    """The run stops, says so, and the verdict names it."""
    with FaultProcess(time_scale=0.02) as server:

        def kill(run: Run) -> None:
            if len(run.visits) == 4:
                os.kill(server.pid, signal.SIGKILL)

        visitor = OlvVisitor(server.url, 5.0)
        soak = Soak(server.url, visitor, Options("polite", 50), tree=ProcessTree(server.pid), on_visit=kill)
        run = await soak.go()
    assert run.died is not None
    assert 4 <= run.died <= 9
    assert "server-died" in {cause.name for cause in judge(run).causes}


async def test_nobody_there_is_told():
    """An address where nothing listens is refused with what to do."""
    with FaultProcess(time_scale=0.02) as server:
        url = server.url
    with pytest.raises(Unreachable, match="start the server"):
        await Soak(url, OlvVisitor(url, 5.0), Options("polite", 3)).go()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_is_named_within_fifty_visits(fault: str):
    """Each defect alone is found and rightly named, and nothing else is."""
    _, verdict = await soak([fault], 50, SCALES.get(fault, 0.1))
    must, may = expected([fault])
    assert must <= {cause.name for cause in verdict.causes} <= may


@pytest.mark.slow
@pytest.mark.parametrize("pair", list(itertools.combinations(FAULTS, 2)), ids="+".join)
async def test_every_pair_is_named_within_a_hundred_visits(pair: tuple[str, str]):
    """Two defects at a time are both found."""
    _, verdict = await soak(pair, 100, max(SCALES.get(fault, 0.1) for fault in pair))
    must, may = expected(pair)
    named = {cause.name for cause in verdict.causes}
    if tuple(sorted(pair)) in HIDDEN:
        must = NAMES["idle-spin"]
    assert must <= named <= may


@pytest.mark.slow
async def test_a_sound_server_is_flat_for_long():
    """Two hundred visits, at the pace of the faults' tests: flat."""
    _, verdict = await soak([], 200, 0.1)
    assert (verdict.outcome, verdict.causes) == ("flat", [])
