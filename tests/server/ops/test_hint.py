"""Tests of the hint: is it getting slower?"""

from __future__ import annotations

import random
import time

import pytest

from greenroom.server.ops.hint import BASELINE_VISITS, WARM_UP, Baseline, verdict
from greenroom.server.ops.messages import OpsVerdict, OpsVisits


def visits(first: list[float | None], names: list[str] | None = None, begin: int = 1) -> OpsVisits:
    count = len(first)
    numbers = list(range(begin, begin + count))
    return OpsVisits(
        n=numbers, t=[0.0] * count, first_reply_ms=first, reply_ms=[0.0] * count, how=["finished"] * count,
        character=names or ["White"] * count,
    )  # fmt: skip


def judged(first: list[float | None], names: list[str] | None = None) -> OpsVerdict:
    given = visits(first, names)
    return verdict(given, Baseline().learn(given))


def noisy(count: int, seed: int, level: float = 300.0, noise: float = 15.0) -> list[float | None]:
    dice = random.Random(seed)
    return [max(1.0, dice.gauss(level, noise)) for _ in range(count)]


def test_too_few_visits_say_nothing() -> None:
    """It tells how many there are and how many are needed."""
    found = judged([300.0] * 20)
    assert (found.state, found.text_key) == ("not_enough", "ops.verdict.not_enough")
    assert found.figures.needed == WARM_UP + BASELINE_VISITS
    assert found.figures.baseline_ms is None
    assert judged([None] * 500).state == "not_enough"


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_flat(seed: int) -> None:
    """Also with a slow visit now and then."""
    first = noisy(400, seed)
    for at in range(10, 400, 37):
        first[at] = 2500.0
    assert judged(first).state == "flat"


@pytest.mark.parametrize("seed", range(10))
def test_growth_is_seen(seed: int) -> None:
    """A reply that takes 1 ms longer with each visit grows, at that rate."""
    first = [(value or 0) + number for number, value in enumerate(noisy(300, seed))]
    found = judged([*first])
    assert found.state == "growing"
    assert found.figures.per_100_ms == pytest.approx(100, rel=0.15)
    assert found.figures.change_ms == pytest.approx(300, rel=0.2)
    assert found.figures.at is None


@pytest.mark.parametrize("seed", range(10))
def test_a_jump_is_a_step(seed: int) -> None:
    """It is named with the visit at which it happened."""
    first = noisy(200, seed) + noisy(150, seed + 99, level=500)
    found = judged(first)
    assert found.state == "step"
    assert found.figures.at == pytest.approx(201, abs=8)
    assert found.figures.change_ms == pytest.approx(200, rel=0.2)


def test_a_change_nobody_would_notice_is_flat() -> None:
    """Certain, but smaller than the margin."""
    first: list[float | None] = [300 + number * 0.05 for number in range(400)]
    found = judged(first)
    assert found.state == "flat"
    assert found.figures.margin_ms == pytest.approx(75, abs=1)


def test_getting_faster_is_no_fault() -> None:
    """Only a rise counts."""
    assert judged([600.0 - number for number in range(300)]).state == "flat"


def test_characters_are_not_mixed_up() -> None:
    """That visitors turn to a slower character makes nothing slower; the band is that of the first visits' one."""
    dice = random.Random(5)
    names = ["White" if number < 150 or dice.random() < 0.2 else "Sakura" for number in range(400)]
    first: list[float | None] = [dice.gauss(300 if name == "White" else 1200, 15) for name in names]
    found = judged(first, names)
    assert found.state == "flat"
    band = Baseline().learn(visits(first, names))
    assert band is not None
    assert band.character == "White"
    assert band.low_ms < 300 < band.high_ms < 500


def test_the_band_outlives_the_log() -> None:
    """What rose long ago, and has stayed there, is still told apart from how it was at first."""
    baseline = Baseline()
    first = baseline.learn(visits(noisy(100, 1)))
    later = visits(noisy(400, 2, level=900), begin=5000)
    assert baseline.learn(later) is first
    found = verdict(later, first)
    assert found.state == "step"
    assert found.figures.at is None
    assert found.figures.change_ms == pytest.approx(600, rel=0.05)


def test_a_band_of_equal_replies_has_a_width() -> None:
    """Else each reply would lie outside of it."""
    band = Baseline().learn(visits([300.0] * 60))
    assert band is not None
    assert band.low_ms < 295 < 305 < band.high_ms


def test_visits_without_a_reply_do_not_count() -> None:
    """Pages that were closed early have no reply that could be slow."""
    first: list[float | None] = []
    for value in noisy(200, 3):
        first += [value, None]
    assert judged(first).state == "flat"


@pytest.mark.usefixtures("no_garbage_collection")
def test_two_thousand_visits_are_judged_quickly() -> None:
    """The loop waits for it: a few milliseconds at most."""
    given = visits(noisy(2000, 4), [f"character {number % 3}" for number in range(2000)])
    band = Baseline().learn(given)
    took = []
    for _ in range(5):
        began = time.thread_time()
        verdict(given, band)
        took.append(time.thread_time() - began)
    assert min(took) < 0.02
