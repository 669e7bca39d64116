"""Intervals: coverage by simulation, diverged runs, and what is refused.

Coverage: a test counts the data sets that were covered, of many, and compares with binomial counts
at bounds around the coverage that a long simulation measured. A correct implementation leaves them
with probability below 5e-6 a side, so the six tests together fail by chance less than once in 1e4.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metarl.errors import InvalidInput
from metarl.statistics import (
    Interval,
    bootstrap_interval,
    extended_mean,
    iqm,
    paired_difference,
    stratified_bootstrap,
)

INF = float("inf")
DATA_SETS = 1000
SIDE_ERROR = 5e-6


def covered_count(statistic, runs: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    intervals = (
        bootstrap_interval(rng.normal(size=runs), statistic, resamples=400, seed=index)
        for index in range(DATA_SETS)
    )
    return sum(interval.low <= 0 <= interval.high for interval in intervals)


@pytest.mark.parametrize(
    ("statistic", "runs", "least", "most"),
    [
        (extended_mean, 10, 0.935, 0.960),
        (extended_mean, 60, 0.940, 0.965),
        (iqm, 10, 0.950, 0.980),
        (iqm, 60, 0.940, 0.965),
    ],
)
def test_intervals_of_95_percent_cover_as_often_as_they_say(statistic, runs, least, most):
    count = covered_count(statistic, runs, seed=runs)
    assert count >= stats.binom.ppf(SIDE_ERROR, DATA_SETS, least)
    assert count <= stats.binom.isf(SIDE_ERROR, DATA_SETS, most)


def test_intervals_of_normal_means_are_as_long_as_those_of_student():
    rng = np.random.default_rng(0)
    for runs, tolerance in ((10, 0.08), (60, 0.04)):
        ratios = []
        for seed in range(60):
            values = rng.normal(size=runs)
            ours = bootstrap_interval(values, extended_mean, seed=seed)
            low, high = stats.t.interval(0.95, runs - 1, np.mean(values), stats.sem(values))
            ratios.append((ours.high - ours.low) / (high - low))
        assert np.mean(ratios) == pytest.approx(1.0, abs=tolerance)


def test_intervals_move_and_stretch_with_the_data():
    values = np.random.default_rng(3).normal(size=12)
    interval = bootstrap_interval(values)
    moved = bootstrap_interval(2 * values + 5)
    np.testing.assert_allclose(moved, 2 * np.array(interval) + 5, rtol=1e-12)
    assert interval.low < interval.estimate < interval.high


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not():
    values = np.random.default_rng(4).normal(size=20)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_a_wider_confidence_gives_a_wider_interval():
    values = np.random.default_rng(5).normal(size=20)
    narrow, wide = (bootstrap_interval(values, confidence=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_one_run_says_nothing_of_its_spread():
    assert bootstrap_interval([0.3]) == Interval(0.3, -INF, INF)


def test_equal_runs_give_an_interval_of_no_length():
    assert bootstrap_interval([0.3] * 7) == Interval(0.3, 0.3, 0.3)


def test_a_diverged_run_keeps_the_iqm_finite_but_not_always_its_upper_bound():
    losses = [*np.linspace(0.1, 0.2, 9), INF]
    interval = bootstrap_interval(losses)
    assert np.isfinite(interval.estimate) and np.isfinite(interval.low)
    assert interval.high == INF
    assert bootstrap_interval([INF] * 10) == Interval(INF, INF, INF)


def test_pairs_cancel_what_both_sides_share():
    rng = np.random.default_rng(6)
    shared, noise = rng.normal(size=60), 0.01 * rng.normal(size=60)
    paired = paired_difference(shared - 0.02 + noise, shared)
    assert paired.estimate == pytest.approx(-0.02 + noise.mean())
    assert paired.excludes(0) and paired.high < 0
    assert not paired_difference(rng.permutation(shared) - 0.02 + noise, shared).excludes(0)


@pytest.mark.parametrize("runs", [10, 60])
def test_paired_differences_have_the_stated_error_rate(runs):
    """Without a difference, 95 % intervals exclude zero about 5 % of the time."""
    rng = np.random.default_rng(runs + 1)
    false_alarms = 0
    for index in range(DATA_SETS):
        shared = rng.gamma(2.0, size=runs)
        left, right = shared + rng.normal(size=(2, runs))
        false_alarms += paired_difference(left, right, resamples=400, seed=index).excludes(0)
    assert stats.binom.ppf(SIDE_ERROR, DATA_SETS, 0.04) <= false_alarms
    assert false_alarms <= stats.binom.isf(SIDE_ERROR, DATA_SETS, 0.065)


def test_a_pair_that_diverged_on_both_sides_is_a_tie():
    interval = paired_difference([0.1, 0.1, 0.1, INF], [0.2, 0.2, 0.2, INF])
    assert interval.estimate == pytest.approx(-0.075)
    assert np.all(np.isfinite(interval))


def test_a_run_that_diverged_on_one_side_only_decides_the_mean():
    ours_diverged = paired_difference([0.1] * 9 + [INF], [0.2] * 10)
    assert ours_diverged.estimate == INF and not ours_diverged.excludes(0)
    assert ours_diverged.low == pytest.approx(-0.1) and ours_diverged.high == INF
    assert paired_difference([0.2] * 10, [0.1] * 9 + [INF]).estimate == -INF


def test_one_divergence_on_either_side_leaves_everything_open():
    interval = paired_difference([INF, 1.0] + [0.5] * 8, [1.0, INF] + [0.7] * 8)
    assert interval.estimate == pytest.approx(-0.16)
    assert (interval.low, interval.high) == (-INF, INF)


def test_problems_count_once_however_many_runs_they_have():
    quick, slow = [2.0] * 60, [8.0] * 10
    interval = stratified_bootstrap([quick, slow])
    np.testing.assert_allclose(interval, 4.0)


def test_strata_are_redrawn_apart():
    """The spread between problems is no uncertainty: only the spread within them is."""
    rng = np.random.default_rng(8)
    strata = [level + 0.01 * rng.normal(size=10) for level in (1.0, 100.0, 1000.0)]
    interval = stratified_bootstrap(strata, across=extended_mean)
    assert interval.high - interval.low < 0.05
    assert stratified_bootstrap([*strata, [1.0]], across=extended_mean).high == INF


def test_one_stratum_is_the_plain_bootstrap():
    values = np.random.default_rng(9).gamma(2.0, size=15)
    assert stratified_bootstrap([values], across=extended_mean) == bootstrap_interval(values)


def test_rows_are_redrawn_whole():
    """A statistic of rows sees both sides of every pair, as `paired_difference` does."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(12, 2))

    def mean_difference(pairs, axis):
        sides = np.mean(pairs, axis=axis)
        return sides[..., 0] - sides[..., 1]

    found = bootstrap_interval(rows, mean_difference, seed=5)
    expected = paired_difference(rows[:, 0], rows[:, 1], seed=5)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([1.0, float("nan")]), "NaN"),
        (lambda: bootstrap_interval([]), "at least one number"),
        (lambda: bootstrap_interval(np.ones((2, 2, 2))), r"shapes \[\(2, 2, 2\)\]"),
        (lambda: bootstrap_interval([1.0, 2.0], confidence=95), "between 0 and 1"),
        (lambda: bootstrap_interval([1.0, 2.0], resamples=0), "at least 1; received 0"),
        (lambda: paired_difference([1.0, 2.0], [1.0]), "equally many runs"),
        (lambda: stratified_bootstrap([]), "at least one problem"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
