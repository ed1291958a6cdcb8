"""Causes from made-up runs: each is named for what only it can do, and not for what merely looks like it."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import islice

import pytest

from greenroom.lab.plan import MANNERS, Step, steps
from greenroom.lab.record import Quiet, Run, Sample, Visit
from greenroom.lab.verdict import judge

MB = 1024 * 1024
Change = Callable[[Run], None]


def sound_run(count: int = 50, seed: int = 1) -> Run:
    """What a sound server looks like: levels with a little noise, in the order of the mixed plan."""
    rng = random.Random(seed)
    run = Run("ws://127.0.0.1:1/client-ws", "mixed", patience=60)
    run.samples.append(_sample(0, rng))
    run.quiets.append(Quiet(0, "rest", 0.5, 0.001, 0.001, 2.0))
    for step in _until(count):
        if step.window is not None:
            after = step.after if step.window == "glow" else "rest"
            run.quiets.append(Quiet(step.number, after, 0.3, 0.001, 0.001, 2.0))
            continue
        run.visits += [_visit(step, step.number + index, rng) for index in range(step.together)]
        if step.manner not in ("early", "late", "flip"):
            run.samples.append(_sample(step.number, rng))
    run.quiets.append(Quiet(count, "rest", 2.0, 0.001, 0.001, 2.0))
    run.samples.append(_sample(count, rng))
    return run


def _until(count: int) -> list[Step]:
    plan = islice(steps("mixed", frozenset(MANNERS)), 10 * count)
    return [step for step in plan if step.number + step.together - 1 <= count]


def _visit(step: Step, number: int, rng: random.Random) -> Visit:
    visit = Visit(number, step.manner, step.after)
    visit.connect, visit.opened = 0.002 + rng.random() / 1000, 0.003 + rng.random() / 1000
    visit.bystander, visit.cpu, visit.waited = 0.001 + rng.random() / 1000, 0.01 + rng.random() / 1000, 0.0
    visit.stall = visit.bystander
    if step.manner in ("polite", "late", "burst", "switch"):
        visit.first_reply, visit.sound, visit.sent, visit.starts = 1 + rng.random() / 50, True, 1, 1
    if step.manner in ("polite", "burst"):
        visit.whole_reply, visit.pace, visit.ends = 3 + rng.random() / 50, 0.4, 1
    if step.manner == "burst":
        visit.sent = visit.starts = visit.ends = 2
    return visit


def _sample(visit: int, rng: random.Random) -> Sample:
    return Sample(
        visit, float(visit), cpu=0.1, memory=100 * MB + rng.randrange(100_000), threads=4, fds=20,
        fd_kinds={"file": 5, "socket": 10, "pipe": 2, "other": 3}, children=0, reparented=0, child_memory=0,
        reads=100 + 2 * visit,
    )  # fmt: skip


def after(manner: str, change: Callable[[Visit], None], of: tuple[str, ...] = ("polite",)) -> Change:
    """A change of the visits that come right after abrupt ones."""

    def apply(run: Run) -> None:
        for visit in run.visits:
            if visit.after == manner and visit.manner in of:
                change(visit)

    return apply


def add(field: str, seconds: float) -> Callable[[Visit], None]:
    def apply(visit: Visit) -> None:
        setattr(visit, field, (getattr(visit, field) or 0.0) + seconds)

    return apply


def samples(change: Callable[[Sample], None]) -> Change:
    def apply(run: Run) -> None:
        for sample in run.samples:
            change(sample)

    return apply


def visits(change: Callable[[Visit], None]) -> Change:
    def apply(run: Run) -> None:
        for visit in run.visits:
            change(visit)

    return apply


def glowing(manner: str) -> Change:
    """Wake-ups right after abrupt visits."""

    def apply(run: Run) -> None:
        for quiet in run.quiets:
            if quiet.after == manner:
                quiet.wakeups = 200.0

    return apply


def resting(wakeups: float, cpu: float) -> Change:
    """Wake-ups and CPU at rest that grow with each visit, to this at the end."""

    def apply(run: Run) -> None:
        for quiet in run.quiets:
            share = quiet.visit / len(run.visits)
            quiet.wakeups += wakeups * share
            quiet.cpu += cpu * share
            quiet.wanted += cpu * share

    return apply


def _prompt(visit: Visit) -> None:
    if visit.first_reply is not None:
        visit.first_reply += 0.03 * visit.number
        visit.whole_reply = (visit.whole_reply or 0.0) + 0.06 * visit.number


def _lost_turn(visit: Visit) -> None:
    if visit.manner == "burst":
        visit.ends = 1


def _child(sample: Sample) -> None:
    sample.children, sample.child_memory = sample.visit, sample.visit * MB
    sample.fds = (sample.fds or 0) + 2 * sample.visit
    sample.fd_kinds["pipe"] += 2 * sample.visit


def _file(sample: Sample) -> None:
    sample.fds = (sample.fds or 0) + sample.visit
    sample.fd_kinds["file"] += sample.visit


def _thread(sample: Sample) -> None:
    sample.threads = (sample.threads or 0) + sample.visit


def _task(sample: Sample) -> None:
    sample.tasks = 3 + sample.visit


def _context(sample: Sample) -> None:
    sample.memory = (sample.memory or 0) + sample.visit * 400_000


def _heap(visit: Visit) -> None:
    if visit.number in (5, 8, 13, 20, 31, 44):
        visit.cpu = 0.01 + visit.number / 400


def _spoken_memory(run: Run) -> None:
    """Memory that grows with visits that talk, not with silent ones."""
    talk = 0
    manners = {visit.number: visit.manner for visit in run.visits}
    for sample in run.samples:
        talk = sum(manners.get(n) not in ("silent", None) for n in range(1, sample.visit + 1))
        sample.memory = 100 * MB + talk * 500_000


def _blocked(visit: Visit) -> None:
    if visit.manner in ("polite", "late", "burst"):
        visit.bystander = visit.stall = 0.15


def _both(*changes: Change) -> Change:
    def apply(run: Run) -> None:
        for change in changes:
            change(run)

    return apply


def _two_children(sample: Sample) -> None:
    """A pool that is filled when it is first used."""
    sample.children = 0 if sample.visit < 5 else 2


def _spinning_children(run: Run) -> None:
    for quiet in run.quiets:
        quiet.child_cpu = 0.0 if quiet.visit < 5 else 0.9


def _busy(visit: Visit) -> None:
    """Others take the cores in the second half, and everything takes longer by half of the waiting."""
    if visit.number > 25:
        visit.waited = 0.4 + visit.number * 13 % 10 / 10
        for name in ("first_reply", "whole_reply"):
            add(name, visit.waited / 2)(visit) if getattr(visit, name) is not None else None


CAUSES: dict[str, tuple[Change, set[str]]] = {
    "nothing": (lambda run: None, set()),
    "replies go on": (glowing("early"), {"replies-running"}),
    "the slots are taken": (after("early", add("first_reply", 3.0)), {"replies-running", "provider-slots"}),
    "speech goes on": (after("late", add("first_reply", 3.0)), {"speech-held"}),
    "speech in between": (after("late", add("pace", 0.4)), {"speech-held"}),
    "initialisations wait": (after("flip", add("first_reply", 3.0), ("switch",)), {"init-running"}),
    "initialisations run": (glowing("flip"), {"init-running"}),
    "the prompt": (visits(_prompt), {"prompt-growing"}),
    "orphans": (visits(_lost_turn), {"orphaned-turns"}),
    "children and their pipes": (samples(_child), {"children-left"}),
    "files": (samples(_file), {"fds-left"}),
    "children and files": (_both(samples(_child), samples(_file)), {"children-left", "fds-left"}),
    "threads": (samples(_thread), {"threads-left"}),
    "tasks": (samples(_task), {"tasks-left"}),
    "contexts": (samples(_context), {"registry-growing"}),
    "talk": (_spoken_memory, {"memory-growing"}),
    "many objects": (_both(samples(_context), samples(_context), visits(_heap)),
                     {"registry-growing", "garbage-collection"}),
    "pollers": (resting(200, 0.02), {"polling"}),
    "pollers in step": (resting(5, 0.02), {"polling"}),
    "a spinning loop": (resting(100, 1.0), {"idle-spin"}),
    "a blocking call": (visits(_blocked), {"loop-blocked"}),
    "files at each open": (visits(lambda v: setattr(v, "reads", 4 + 3 * v.number)), {"files-at-open"}),
    "many files at each open": (visits(lambda v: setattr(v, "reads", 6000 + v.number)), {"files-at-open"}),
    "an index that grows": (visits(lambda v: setattr(v, "reads", 7 + v.number // 8)), set()),
    "reads that scatter": (visits(lambda v: setattr(v, "reads", 4 + v.number * 7 % 5)), set()),
    "slow opens": (visits(lambda v: add("opened", 0.002 * v.number)(v)), {"files-at-open"}),
    "children that spin": (_both(samples(_two_children), lambda run: _spinning_children(run)), {"idle-spin"}),
    "a pool of children": (samples(_two_children), set()),
    "pollers beside replies": (_both(resting(200, 0.02), glowing("early"), glowing("flip")), {"polling"}),
    "peers that stay": (lambda run: run.kept.extend([61.0, 61.0, 60.5]), {"peers-kept"}),
    "peers let go": (lambda run: run.let_go.extend([51.0, 51.0, 50.5]), set()),
    "a busy machine": (visits(lambda v: _busy(v)), set()),
    "slow handshakes": (visits(lambda v: add("connect", 0.002 * v.number)(v)), {"connect-slowing"}),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_is_named_and_nothing_else(name: str, seed: int):
    """What was put into the run is found, alone."""
    change, expected = CAUSES[name]
    run = sound_run(seed=seed)
    change(run)
    verdict = judge(run)
    assert {cause.name for cause in verdict.causes} == expected
    assert verdict.outcome == ("growing" if expected else "flat")
    assert verdict.exit_code == (1 if expected else 0)
    assert all(cause.evidence and cause.evidence_zh for cause in verdict.causes)


@pytest.mark.parametrize("seed", range(10))
def test_a_model_that_takes_as_long_as_it_likes_is_flat(seed: int):
    """Replies between 0.3 and 3 s, of any length, in no order: nothing grows and nobody is blamed."""
    rng = random.Random(seed)
    run = sound_run(100, seed)
    for visit in run.visits:
        if visit.first_reply is not None:
            visit.first_reply = rng.uniform(0.3, 3.0)
            visit.whole_reply = visit.first_reply + rng.uniform(0.5, 6.0)
    verdict = judge(run)
    assert (verdict.failing, verdict.causes) == ([], [])


def test_memory_that_has_settled_is_not_growing():
    """An allocator that keeps more for the first three quarters, and then no more, has found its level."""
    run = sound_run(100)
    for sample in run.samples:
        sample.memory = 100 * MB + min(sample.visit, 70) * 200_000
    verdict = judge(run)
    assert (verdict.trends["memory"].status, verdict.outcome) == ("saturated", "flat")


def _abrupt_run(replies: list[float], recovery: list[float], wakeups: float = 2.0) -> Run:
    """Pages closed in mid-reply, and in between somebody who waits."""
    run = Run("ws://127.0.0.1:1/client-ws", "abrupt", patience=60, recovery=recovery)
    run.quiets.append(Quiet(0, "rest", 0.5, 0.001, 0.001, 2.0))
    for reply in replies:
        number = len(run.visits) + 1
        run.visits.append(Visit(number, "patient", "calm" if number == 1 else "late", first_reply=reply, sent=1,
                                sound=True))  # fmt: skip
        run.visits.append(Visit(number + 1, "late", "patient", sent=1))
        run.quiets.append(Quiet(number + 1, "late", 0.3, 0.001, 0.001, wakeups))
    return run


@pytest.mark.parametrize(
    ("run", "causes"),
    [
        (_abrupt_run([1.0] * 8, [1.0] * 3), set()),
        (_abrupt_run([1, 2, 4, 8, 12], [1.0] * 3), {"speech-held"}),
        (
            _abrupt_run([1, 2, 4, 8, 12], [1.0] * 3, 200.0),
            {"replies-running", "provider-slots", "speech-held"},
        ),
        (_abrupt_run([1, 2, 3, 4, 5], [4.0] * 3), {"speech-held", "prompt-growing"}),
    ],
    ids=["sound", "speech", "replies", "a prompt that stays long"],
)
def test_abrupt_closes_alone_tell_what_they_leave(run: Run, causes: set[str]):
    """Without calm visits to compare with, it is told by the first one, the windows, and the rest afterwards."""
    assert {cause.name for cause in judge(run).causes} == causes


def test_what_vanished_peers_hold_is_not_held_against_the_server():
    """Files and memory that go when the peers go are no leak; files that stay are."""
    run = sound_run()
    run.mode = "half-open"
    for sample in run.samples[1:-1]:
        sample.fds = 20 + sample.visit // 2
    assert "fds" not in judge(run).trends
    run.samples[-1].fds = 45
    assert judge(run).trends["fds"].status == "growing"


def test_growth_without_a_visible_cause_is_admitted():
    """Replies in a room that get slower, with nothing else to see, have an unknown cause."""
    run = sound_run()
    for visit in run.visits:
        visit.manner, visit.after = "room", "calm"
        visit.first_reply = 1 + visit.number / 20
    assert [cause.name for cause in judge(run).causes] == ["unknown"]


def test_replies_that_time_out_are_saturated():
    """A server that no longer answers is not flat because the answers are missing."""
    run = sound_run()
    for visit in run.visits:
        if visit.number > 20 and visit.sent:
            visit.first_reply, visit.timed_out = None, True
    verdict = judge(run)
    assert verdict.trends["first_reply"].status == "saturated"
    assert verdict.outcome == "growing"


def test_a_server_that_died_is_named_with_its_last_visit():
    """The cause says after which visit, and how that one behaved."""
    run = sound_run(10)
    run.died = 6
    causes = {cause.name: cause for cause in judge(run).causes}
    assert "after visit 6 (early" in causes["server-died"].evidence


def test_a_handful_of_visits_is_not_enough():
    """Three visits prove nothing, and the exit code says so."""
    verdict = judge(sound_run(3))
    assert (verdict.outcome, verdict.exit_code) == ("not enough visits", 3)


def test_a_server_that_cannot_be_looked_into_is_judged_by_its_replies():
    """Without samples and windows a run is flat by what was measured over the wire."""
    run = sound_run()
    run.samples, run.quiets = [], []
    for visit in run.visits:
        visit.cpu = None
    verdict = judge(run)
    assert verdict.outcome == "flat"
    assert "memory" not in verdict.trends


def test_an_empty_run_is_judged():
    """A run that was stopped before its first visit is no error."""
    assert judge(Run("ws://127.0.0.1:1/", "mixed")).outcome == "not enough visits"
