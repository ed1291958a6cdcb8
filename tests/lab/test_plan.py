"""The order of visits, for each mode."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from greenroom.lab.plan import ABRUPT, MANNERS, MILESTONES, MODES, NoSuchMode, steps

ALL = frozenset(MANNERS)


def visits(mode: str, count: int, manners: frozenset[str] = ALL):
    """The first so many steps that are visits."""
    return list(islice((step for step in steps(mode, manners) if step.window is None), count))


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_numbers_its_visits_without_a_gap(mode: str):
    """Visits are numbered from 1, in every mode, without end."""
    numbers = [step.number + index for step in visits(mode, 120) for index in range(step.together)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("mode", sorted(set(MODES) - {"half-open"}))
def test_milestones_hear_their_reply(mode: str):
    """The visits that the table shows are of a manner that measures a first reply."""
    shown = [
        step
        for step in visits(mode, 120)
        if MILESTONES & set(range(step.number, step.number + step.together))
    ]
    assert {step.manner for step in shown} <= {"polite", "patient", "room"}


def test_the_mixed_round_tells_what_went_before():
    """Within 50 visits each comparison that a cause rests on can be made."""
    found = {(step.manner, step.after) for step in visits("mixed", 50)}
    assert {
        ("polite", "calm"),
        ("polite", "early"),
        ("polite", "late"),
        ("switch", "calm"),
        ("switch", "flip"),
    } <= found


def test_a_polite_visit_makes_calm():
    """What follows a visit that ended by itself is not after an abrupt one."""
    plan = visits("mixed", 60)
    for earlier, later in pairwise(plan):
        if earlier.manner not in ABRUPT:
            assert later.after == "calm"


def test_manners_a_server_does_not_know_are_left_out():
    """A scripted server gets no switches; a mode that would be empty is refused."""
    manners = frozenset({"silent", "polite", "early", "late", "patient"})
    assert {step.manner for step in visits("mixed", 60, manners)} <= manners
    with pytest.raises(NoSuchMode, match="room"):
        next(steps("room", manners))


def test_an_unknown_mode_names_those_there_are():
    """The message lists the modes."""
    with pytest.raises(NoSuchMode, match="polite"):
        next(steps("rude", ALL))


def test_an_abrupt_milestone_knows_who_left_before_it():
    """A probe that comes right after closed pages is not taken for a calm one."""
    visits = [step for step in islice(steps("abrupt", frozenset(MANNERS)), 20) if step.window is None]
    assert [(s.manner, s.after) for s in visits[:3]] == [
        ("patient", "calm"), ("late", "patient"), ("patient", "late"),
    ]  # fmt: skip
