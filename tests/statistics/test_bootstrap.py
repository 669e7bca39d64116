"""Intervals: coverage by simulation, diverged runs, and what is refused.

Coverage: a test counts the data sets in which nothing was called something, and compares with the
binomial count at the share that a long simulation measured (experiments/coverage; the slow test
runs that simulation). A correct implementation is above it with probability below 5e-6.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from scipy import stats

from metarl.errors import InvalidInput
from metarl.statistics import (
    Interval,
    bootstrap_interval,
    extended_mean,
    fewest_runs,
    iqm,
    paired_difference,
    stratified_bootstrap,
)

INF = float("inf")
DATA_SETS = 1000
SIDE_ERROR = 5e-6


simulation = runpy.run_path(
    str(Path(__file__).parents[2] / "experiments" / "coverage" / "coverage.py")
)


@pytest.mark.parametrize("runs", [2, 3, 4, 5])
def test_few_runs_call_nothing(runs):
    """A bootstrap of two runs is wrong every other time, one of four in 12 %."""
    assert simulation["false_calls"]("normal", runs, 40) == 0
    assert simulation["false_calls"]("two kinds, 50 %", runs, 40) == 0


@pytest.mark.parametrize(
    ("law", "runs"),
    [("log-normal", 10), ("two kinds, 30 %", 10), ("Cauchy", 20), ("three problems", 10)],
)
def test_nothing_is_called_something_as_seldom_as_is_said(law, runs):
    called = simulation["false_calls"](law, runs, DATA_SETS)
    assert called <= stats.binom.isf(SIDE_ERROR, DATA_SETS, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("law", [*simulation["LAWS"], simulation["OVER_PROBLEMS"]])
def test_intervals_hold_what_they_say_under_every_law(law):
    """Nominal 5 %; of runs of two kinds eight are taken for one in 7 %."""
    for runs in simulation["RUNS"]:
        called = simulation["false_calls"](law, runs, 5_000)
        share = 0.08 if (law, runs) == ("two kinds, 30 %", 8) else 0.055
        assert called <= stats.binom.isf(SIDE_ERROR, 5_000, share), runs


def test_intervals_of_iqms_are_no_wider_than_they_need_be():
    called = simulation["false_calls"]("normal", 60, DATA_SETS)
    assert called >= stats.binom.ppf(SIDE_ERROR, DATA_SETS, 0.035)


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


@pytest.mark.parametrize("runs", range(1, 8))
def test_fewer_than_eight_runs_have_no_interval_however_alike(runs):
    assert bootstrap_interval([0.3] * runs) == Interval(0.3, -INF, INF)
    assert not paired_difference([0.3] * runs, [0.2] * runs).excludes(0)


def test_more_confidence_takes_more_runs():
    assert [fewest_runs(level) for level in (0.5, 0.95, 0.99, 0.999)] == [8, 8, 8, 11]
    assert bootstrap_interval([0.3] * 10, confidence=0.999) == Interval(0.3, -INF, INF)
    assert bootstrap_interval([0.3] * 11, confidence=0.999) == Interval(0.3, 0.3, 0.3)


def test_an_interval_lies_on_one_side_of_a_number_or_holds_it():
    assert [Interval(2.0, 1.0, 3.0).side(x) for x in (0.5, 1.0, 2.0, 3.0, 3.5)] == [1, 0, 0, 0, -1]


def test_equal_runs_give_an_interval_of_no_length():
    assert bootstrap_interval([0.3] * 8) == Interval(0.3, 0.3, 0.3)


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
    assert paired.estimate == pytest.approx(-0.02 + float(iqm(noise)))
    assert paired.excludes(0) and paired.high < 0
    assert not paired_difference(rng.permutation(shared) - 0.02 + noise, shared).excludes(0)


def test_a_pair_that_diverged_on_both_sides_is_a_tie():
    interval = paired_difference([0.1] * 4 + [INF] * 4, [0.2] * 4 + [INF] * 4)
    assert interval == (-0.05, -0.1, 0.0)


def test_runs_that_diverged_on_one_side_only_are_the_worst_there():
    few = paired_difference([0.1] * 9 + [INF], [0.2] * 10)
    assert few.estimate == pytest.approx(-0.1) and few.low == pytest.approx(-0.1)
    many = paired_difference([0.1] * 5 + [INF] * 5, [0.2] * 10)
    assert many.estimate == INF and many.high == INF and not many.excludes(0)
    assert paired_difference([0.2] * 10, [0.1] * 5 + [INF] * 5).estimate == -INF
    assert paired_difference([INF] * 10, [0.1] * 10) == (INF, INF, INF)
    assert paired_difference([INF] * 10, [INF] * 10) == (0.0, 0.0, 0.0)


def test_many_divergences_on_either_side_leave_everything_open():
    interval = paired_difference([INF] * 4 + [1.0] * 6, [1.0] * 6 + [INF] * 4)
    assert interval == (0.0, -INF, INF)


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
    assert stratified_bootstrap([*strata, [1.0] * 7], across=extended_mean).high == INF


def test_with_problems_drawn_anew_what_differs_between_them_counts():
    """Runs of a problem that are all equal: all spread is that of the problems."""
    levels = np.linspace(0.5, 2.0, 12)
    strata = [np.full(9, level) for level in levels]
    fixed = stratified_bootstrap(strata, iqm, iqm)
    drawn = stratified_bootstrap(strata, iqm, iqm, redraw_strata=True)
    assert fixed.low == fixed.high == fixed.estimate == drawn.estimate
    plain = bootstrap_interval(levels, iqm)  # of the problems as one draws runs
    assert drawn[1:] == pytest.approx(plain[1:], abs=0.05)
    few = stratified_bootstrap(strata[:7], iqm, iqm, redraw_strata=True)
    assert few[1:] == (-np.inf, np.inf)


def test_a_problem_that_is_drawn_twice_has_two_redraws():
    """With problems all alike, drawing them anew changes the interval little: it has 8 x 9 runs behind it."""
    rng = np.random.default_rng(0)
    strata = [rng.normal(size=9) for _ in range(8)]
    alike = [np.sort(strata[0])] * 8
    fixed = stratified_bootstrap(alike, np.mean, np.mean)
    drawn = stratified_bootstrap(alike, np.mean, np.mean, redraw_strata=True)
    assert (drawn.high - drawn.low) == pytest.approx(fixed.high - fixed.low, rel=0.4)


def test_one_stratum_is_the_plain_bootstrap():
    values = np.random.default_rng(9).gamma(2.0, size=15)
    assert stratified_bootstrap([values], across=extended_mean) == bootstrap_interval(values)


def test_rows_are_redrawn_whole():
    """A statistic of rows sees both sides of every pair, as `paired_difference` does."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(12, 2))

    def difference(pairs, axis):
        return iqm(pairs[..., 0] - pairs[..., 1], axis=axis)

    found = bootstrap_interval(rows, difference, seed=5)
    expected = paired_difference(rows[:, 0], rows[:, 1], seed=5)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def _middle(values, axis):
    """A mean of numbers, NaN where infinities of both signs are among them."""
    with np.errstate(invalid="ignore"):
        return np.mean(values, axis=axis)


def _ratio_of_ranges(values, axis):
    """One, and NaN where all numbers are equal."""
    with np.errstate(invalid="ignore"):
        return np.ptp(values, axis=axis) / np.ptp(values, axis=axis)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([1.0, float("nan")]), "NaN"),
        (lambda: bootstrap_interval([]), "at least one number"),
        (lambda: bootstrap_interval(np.ones((2, 2, 2))), r"shapes \[\(2, 2, 2\)\]"),
        (lambda: bootstrap_interval([1.0, 2.0], confidence=95), "between 0 and 1"),
        (lambda: bootstrap_interval([1.0, 2.0], resamples=0), "at least 1; received 0"),
        (
            lambda: bootstrap_interval(np.ones((9, 3))),
            r"one number of the rows; received shape \(3,\)",
        ),
        (
            lambda: bootstrap_interval([1.0, 2.0], resamples=cast(int, 1.5)),
            "resamples is a whole number",
        ),
        (lambda: bootstrap_interval([1.0, 2.0], seed=-1), "seed is a whole number"),
        (lambda: paired_difference([1.0, 2.0], [1.0]), "equally many runs"),
        (lambda: paired_difference(np.ones((9, 3)), np.zeros((9, 3))), "vectors"),
        (lambda: stratified_bootstrap(cast(list, 1.0)), "problems' runs"),
        (lambda: stratified_bootstrap([]), "at least one problem"),
        (lambda: fewest_runs(1.0), "between 0 and 1"),
        (lambda: fewest_runs(float("nan")), "between 0 and 1"),
        (lambda: bootstrap_interval(np.arange(9.0), error=float("nan")), "errors are finite"),
        (lambda: bootstrap_interval(np.arange(9.0), error=-1.0), "errors are finite"),
        (lambda: bootstrap_interval([10**400] * 8), "real numbers"),
        (lambda: bootstrap_interval([np.inf, -np.inf] * 4, _middle), "NaN of these numbers"),
        (lambda: bootstrap_interval([0.0] * 8 + [1.0], _ratio_of_ranges), "NaN of some redraws"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
