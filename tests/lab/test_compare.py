"""The decision matrix: the same plan for all, and figures that tell the strategies apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.lab.compare import Result, as_json, judge, run_one
from greenroom.lab.strategies import STRATEGIES, AsFound, Group, Scopes, SemaphoreInside, TrackedSet
from greenroom.lab.workload import WorkloadSettings, plan

SMALL = WorkloadSettings(
    seed=3, pages=12, arrivals_per_second=1.5, slots=2, answer_seconds=2.0, leave_share=0.5
)
SPEED = 40.0


def result(**changes: object) -> Result:
    base = Result("X", "x", 1.0, 2.0, 10, 0, 5.0, 3, 10.0, 0, 1.0, 0, 0, 1.0, 0.0, 10)
    return replace(base, **changes)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_plan() -> None:
    """A plan depends on its settings alone."""
    assert plan(SMALL) == plan(SMALL)
    assert plan(SMALL) != plan(replace(SMALL, seed=4))


def test_a_plan_has_leavers_failures_and_room_for_all() -> None:
    """Some pages leave in mid-answer, some conversations fail, messages keep their order in time."""
    workload = plan(WorkloadSettings())
    assert any(page.leaves is not None for page in workload.pages)
    assert any(message.fails for page in workload.pages for message in page.messages)
    for page in workload.pages:
        assert [m.at for m in page.messages] == sorted(m.at for m in page.messages)


@pytest.mark.parametrize("strategy", [AsFound, SemaphoreInside])
async def test_forgotten_tasks_survive_the_close(strategy: type[AsFound]) -> None:
    """Fire and forget, with or without a semaphore, leaves tasks behind and works for closed pages."""
    found = await run_one(strategy, plan(SMALL), SPEED)
    assert found.survivors > 0
    assert found.wasted_seconds > 1


async def test_a_tracked_set_ends_its_tasks_but_serves_closed_pages() -> None:
    """The analysis' plan A is clean at the end, and still gives slots to pages that have gone."""
    found = await run_one(TrackedSet, plan(SMALL), SPEED)
    assert found.survivors == 0
    assert found.most_tasks <= SMALL.parallel + 1  # and the loop that polls
    assert found.wasted_seconds > 1


async def test_a_task_group_takes_everybody_down_with_one_failure() -> None:
    """One conversation that fails cancels its siblings: visitors wait in vain."""
    found = await run_one(Group, plan(replace(SMALL, fail_share=0.2)), SPEED)
    assert found.unanswered > 0


async def test_scopes_leave_nothing_and_waste_nothing() -> None:
    """With a scope per page everybody who stays is answered, nothing survives, no error is lost."""
    found = await run_one(Scopes, plan(SMALL), SPEED)
    assert (found.unanswered, found.survivors, found.errors_lost, found.order_violations) == (0, 0, 0, 0)
    assert found.wasted_seconds < 1


def test_the_rules_of_the_matrix() -> None:
    """Stars fall with p99 and unanswered messages; survivors mean high risk; the best safe one wins."""
    fast, slow, leaky, deaf = judge(
        [
            result(key="1"),
            result(key="2", first_p99=4.1),
            result(key="3", survivors=4),
            result(key="4", unanswered=10, first_p99=0.5),
        ]
    )
    assert (fast.performance, fast.leak_risk, fast.recommendation) == (5, "none", "recommended")
    assert (slow.performance, slow.recommendation) == (3, "no")
    assert (leaky.leak_risk, leaky.recommendation) == ("high", "no")
    assert deaf.performance == 3


def test_every_strategy_is_measured_and_written_down() -> None:
    """The JSON names all six strategies and the workload that was played."""
    written = as_json(SMALL, SPEED, [result(key=s.key, lines=s.lines()) for s in STRATEGIES])
    assert [entry["key"] for entry in written["results"]] == ["D", "A", "B", "C", "T", "G"]
    assert all(entry["lines"] > 2 for entry in written["results"])
    assert written["workload"]["seed"] == 3
