"""Trends of made-up series, whose truth is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.lab.verdict.trend import MOST_POINTS, Point, scatter, start, trend

SEED = 20_260_101


def series(count: int, value, seed: int = SEED, noise: float = 0.01) -> list[Point]:
    """Points of one stratum with a little noise."""
    rng = random.Random(seed)
    return [Point(number, value(number) + rng.gauss(0, noise)) for number in range(1, count + 1)]


def test_noise_is_flat():
    """A level with noise is flat, and its level is found."""
    found = trend(series(60, lambda n: 1.0), 0.1)
    assert found.status == "flat"
    assert found.level == pytest.approx(1.0, abs=0.02)
    assert found.low < 0 < found.high


def test_a_line_is_growing_with_its_rate_and_interval():
    """The rate per 100 visits is found, and lies in its narrow interval."""
    found = trend(series(50, lambda n: 1 + 0.02 * n), 0.2)
    assert found.status == "growing"
    assert found.low <= found.per_100 <= found.high
    assert found.per_100 == pytest.approx(2.0, rel=0.05)
    assert found.high - found.low < 0.2


def test_growth_below_the_margin_is_flat():
    """What does not matter is no alarm, however certain it is."""
    assert trend(series(100, lambda n: 1 + 0.0005 * n, noise=0.0001), 0.2).status == "flat"


def test_an_exact_line_is_not_held_for_correlated_noise():
    """One more with each visit, without any noise, is growth."""
    found = trend([Point(n, n) for n in range(1, 51)], 3)
    assert (found.status, found.per_100) == ("growing", 100)


def test_one_jump_is_a_step_at_its_place():
    """A single change is told from growth, with the visit it came at."""
    found = trend(series(60, lambda n: 1.0 if n <= 25 else 2.0), 0.2)
    assert found.status == "step"
    assert found.at == pytest.approx(26, abs=1)
    assert found.change == pytest.approx(1.0, abs=0.05)


def test_what_rises_and_then_stays_is_saturated():
    """A cache that fills up is not called growing for ever."""
    assert trend(series(100, lambda n: min(n, 40) / 40), 0.1).status == "saturated"


@pytest.mark.parametrize("count", [0, 1, 4])
def test_few_points_decide_nothing(count: int):
    """With hardly any visit the answer is that there are not enough."""
    assert trend(series(count, lambda n: 1.0), 0.1).status == "not enough visits"


def test_wild_noise_decides_nothing():
    """Where the interval reaches beyond the margin, flat would be a guess."""
    assert trend(series(8, lambda n: 1.0, noise=0.5), 0.1).status == "not enough visits"


def test_strata_are_compared_with_themselves_only():
    """Visits of two manners, with levels far apart, whose share changes over the run, make no trend."""
    rng = random.Random(SEED)
    points = [
        Point(n, (5.0 if slow else 1.0) + rng.gauss(0, 0.01), "slow" if slow else "quick")
        for n in range(1, 81)
        for slow in [rng.random() < n / 80]
    ]
    assert trend(points, 0.1).status == "flat"


def test_outliers_do_not_make_a_trend():
    """A few visits that a busy machine delayed tenfold change nothing."""
    points = series(60, lambda n: 1.0)
    for index in (50, 55, 58):
        points[index] = Point(points[index].visit, 10.0)
    assert trend(points, 0.2).status == "flat"


def test_a_shrinking_figure_is_no_alarm():
    """Getting better is flat."""
    assert trend(series(60, lambda n: 2 - 0.02 * n), 0.1).status == "flat"


def test_long_runs_are_thinned_out():
    """Ten thousand visits are judged by a bounded number of pairs, at the same rate."""
    found = trend([Point(n, 0.001 * n) for n in range(10_000)], 0.5)
    assert found.points == MOST_POINTS
    assert (found.status, round(found.per_100, 6)) == ("growing", 0.1)


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.floats(0, 1e3))
def test_any_series_gets_an_answer(values: list[float], margin: float):
    """Ties, constants and wild numbers are judged without an error, and the interval is in order."""
    found = trend([Point(number, value) for number, value in enumerate(values)], margin)
    assert found.low <= found.high


def test_the_scatter_is_found_beside_a_trend():
    """The standard deviation between visits, whatever they rise by, and in spite of a few wild ones."""
    points = series(300, lambda n: 1 + 0.05 * n, noise=0.2)
    points[::20] = [Point(p.visit, p.value + 9) for p in points[::20]]
    assert scatter(points) == pytest.approx(0.2, rel=0.25)
    assert scatter([]) == 0.0


def test_the_start_is_the_level_before_the_trend():
    """The first quarter of a steep line is not taken for its beginning."""
    assert start(series(100, lambda n: 1 + 0.1 * n)) == pytest.approx(1.1, abs=0.1)
    assert start([]) == 0.0


def test_what_scatters_is_flat_within_its_tolerance():
    """Undecided by the margin alone, flat if so much may be tolerated; real growth is growth all the same."""
    points = series(12, lambda n: 1.0 + 3.0 * (n * 7 % 12) / 12)
    assert trend(points, 0.3).status == "not enough visits"
    assert trend(points, 0.3, tolerance=5.0).status == "flat"
    steep = series(40, lambda n: 2.0 + 0.2 * n, noise=0.8)
    assert trend(steep, 0.3, tolerance=2.0).status == "growing"


def test_what_settles_late_is_saturated_only_if_it_may():
    """A rise that ends before the last quarter is growth, except for a figure that is known to settle."""
    points = series(100, lambda n: min(n, 74) * 1.0)
    assert trend(points, 5).status == "growing"
    assert trend(points, 5, settles=True).status == "saturated"
    assert trend(series(100, lambda n: n * 1.0), 5, settles=True).status == "growing"
