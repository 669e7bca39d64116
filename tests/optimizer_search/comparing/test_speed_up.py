"""What a step is worth: exact without noise, and by simulation unbiased with intervals that hold what they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metarl.optimizer_search.comparing.speed_up import (
    falls_with_length,
    speed_up_interval,
    speed_up_rows,
    speed_ups,
)
from metarl.statistics import iqm

HORIZONS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
RIVALS = (1.0, 0.5, 1.25, 3.0)
Law = Callable[[Any], Any]  # horizon -> log loss


def power(slope: float) -> Law:
    return lambda h: -slope * np.log(h)


def bent(slope: float) -> Law:
    """A loss that falls ever faster."""
    return lambda h: -slope * np.log(h) - 0.1 * slope * np.log(h) ** 2


def drawn(rng: np.random.Generator, law: Law, noise: float, seeds: int, speed: float) -> np.ndarray:
    """Returns rows of a rival whose law is Adam's at `speed`; every run has a noise of its own."""
    lengths = np.exp(law(HORIZONS) + noise * rng.normal(size=(seeds, len(HORIZONS))))
    rival = np.exp(law(speed) + noise * rng.normal(size=seeds))
    return speed_up_rows(rival, lengths[:, 2], lengths)


@pytest.mark.parametrize("law", [power(0.3), power(0.01), bent(0.3)])
@pytest.mark.parametrize("speed", RIVALS)
def test_without_noise_a_speed_is_what_it_is(law, speed):
    rows = drawn(np.random.default_rng(0), law, 0.0, 8, speed)
    assert speed_up_interval(rows, HORIZONS) == pytest.approx((speed,) * 3, rel=1e-6)
    two = speed_up_interval(rows[:, [0, 1, 2, 6]], HORIZONS[[0, 4]])  # a line through two lengths
    slope = (law(4.0) - law(0.25)) / math.log(16.0)
    expected = math.exp((law(speed) - law(1.0)) / slope)
    assert two is not None and two.estimate == pytest.approx(min(expected, 4.0), rel=1e-6)


def test_it_is_the_root_of_the_fit_to_the_iqms():
    """Against a fit and a walk along it."""
    rng = np.random.default_rng(1)
    rows = np.exp(rng.normal(size=(24, 7)) * 0.05 + np.log([0.9, 1.0, 2.0, 1.4, 1.0, 0.8, 0.7]))
    logs = np.log(rows)
    fits = np.array([np.polyfit(np.log(HORIZONS), row[2:], 2) for row in logs])
    curvature, slope, _ = (float(iqm(column)) for column in fits.T)
    difference = float(iqm(logs[:, 0] - logs[:, 1]))
    walk = np.linspace(np.log(0.25), np.log(4.0), 200_001)
    gap = np.abs(slope * walk + curvature * walk**2 - difference)
    falling = slope + 2 * curvature * walk < 0
    expected = float(np.exp(walk[np.argmin(np.where(falling, gap, np.inf))]))
    assert float(speed_ups(rows, HORIZONS, 0)) == pytest.approx(expected, rel=1e-4)
    many = np.stack([rows, rows[::-1] ** 1.5])
    alone = [float(speed_ups(one, HORIZONS, 0)) for one in many]
    np.testing.assert_allclose(speed_ups(many, HORIZONS, 1), alone, rtol=1e-12)


def test_adam_itself_reads_one_however_noisy():
    for seed in range(20):
        rows = drawn(np.random.default_rng(seed), power(0.5), 0.3, 20, 1.0)
        rows[:, 0] = rows[:, 1]
        found = speed_up_interval(rows, HORIZONS)
        assert found is None or found == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("slope", [0.0, -0.3])
def test_a_loss_that_does_not_fall_with_length_says_nothing_of_steps(slope):
    worlds = [drawn(np.random.default_rng(seed), power(slope), 0.2, 20, 1.0) for seed in range(20)]
    falling = [speed_up_interval(rows, HORIZONS) is not None for rows in worlds]
    assert sum(falling) <= 2 and (slope == 0.0 or not any(falling))  # three of 20 once in 900,000
    assert falls_with_length(drawn(np.random.default_rng(0), power(0.3), 0.2, 20, 1.0), HORIZONS)
    assert not falls_with_length(worlds[0][:, :3], HORIZONS[:1])


def test_beyond_the_lengths_that_were_run_the_last_stands_and_the_interval_is_open():
    rng = np.random.default_rng(0)
    fast = speed_up_interval(drawn(rng, power(0.5), 0.02, 20, 16.0), HORIZONS)
    slow = speed_up_interval(drawn(rng, power(0.5), 0.02, 20, 0.02), HORIZONS)
    assert fast == (4.0, 4.0, math.inf) and slow == (0.25, 0.0, 0.25)
    diverged = drawn(rng, power(0.5), 0.02, 20, 1.0)
    diverged[:, 0] = np.inf
    assert speed_up_interval(diverged, HORIZONS) == (0.25, 0.0, 0.25)
    solved = drawn(rng, power(0.5), 0.02, 20, 1.0)
    solved[:, 0] = 0.0
    assert speed_up_interval(solved, HORIZONS) == (4.0, 4.0, math.inf)


def test_a_loss_below_the_lowest_of_the_fit_is_worth_the_longest():
    """Adam's loss rises again: no length of it ends as low."""
    rows = drawn(np.random.default_rng(0), lambda h: 0.3 * (np.log(h) - 0.5) ** 2, 0.01, 20, 1.0)
    rows[:, 0] *= 0.8
    found = speed_up_interval(rows, HORIZONS)
    assert found is not None and found.estimate == 4.0 and found.high == math.inf


def test_few_seeds_have_no_interval():
    rows = drawn(np.random.default_rng(0), power(0.5), 0.001, 5, 3.0)
    found = speed_up_interval(rows, HORIZONS)
    assert found is not None and found[1:] == (0.0, math.inf)
    assert found.estimate == pytest.approx(3.0, rel=0.05)


def simulated(
    law: Law, noise: float, seeds: int, speed: float, count: int
) -> tuple[float, float, float]:
    """Returns of so many data sets the geometric mean, the median width, and the share that is covered.

    Those without a speed-up are left out, as in a comparison.
    """
    rng = np.random.default_rng(round(1000 * noise) + seeds)
    found = [
        speed_up_interval(drawn(rng, law, noise, seeds, speed), HORIZONS) for _ in range(count)
    ]
    intervals = [one for one in found if one is not None]
    assert len(intervals) >= count / 2
    estimates = np.log([one.estimate for one in intervals])
    widths = [one.high / one.low if one.low > 0 else math.inf for one in intervals]
    covered = np.mean([one.low <= speed <= one.high for one in intervals])
    return float(np.exp(estimates.mean())), float(np.median(widths)), float(covered)


@pytest.mark.parametrize("speed", RIVALS)
def test_speeds_read_what_they_are(speed):
    """The mean of 100 varies by 0.5 %; of 100 intervals that cover in 93 %, 78 or fewer do once in 300,000 times."""
    mean, width, covered = simulated(power(0.5), 0.05, 20, speed, 100)
    assert width < 1.5 and mean == pytest.approx(speed, rel=0.05)
    assert covered > 0.78


WORLDS = {
    "gentle": (power(0.05), 0.01, 20),
    "usual": (power(0.2), 0.05, 60),
    "steep and noisy": (power(1.0), 0.3, 60),
    "bent": (bent(0.5), 0.05, 20),
    "noisy": (power(0.2), 0.3, 60),
    "very noisy": (power(1.0), 1.0, 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("speed", RIVALS)
@pytest.mark.parametrize("world", WORLDS)
def test_in_every_world_speeds_are_unbiased_and_intervals_cover(world, speed):
    """With 3,000 data sets a coverage of 93 to 97 % is found between 91.1 and 98.3 %, but once in 30,000 times."""
    mean, width, covered = simulated(*WORLDS[world], speed, 3000)
    if width < 1.5:
        assert mean == pytest.approx(speed, rel=0.05)
    assert 0.911 < covered < 0.983
