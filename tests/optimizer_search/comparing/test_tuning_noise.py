"""Tuning noise: what is averaged and how uncertain it is, against loops and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tuned_losses import draw

from metarl.optimizer_search.comparing.problem_results import (
    exponential,
    log_relative_losses,
    versus,
)
from metarl.optimizer_search.comparing.tuning_noise import (
    REDRAWS,
    Finals,
    certain,
    likely_choices,
    lowest,
    smoothed,
)
from metarl.statistics import bootstrap_interval, iqm, paired_differences

INF = float("inf")


def two(rng, settings=(2, 3), seeds=12, tuned=6, noise=0.1):
    """Returns the runs of two entrants at a few settings that tuning can hardly tell apart, and the report can."""
    sides = []
    for count in settings:
        offsets = 0.1 * np.arange(count)[:, None]
        report = rng.normal(0, 0.3, seeds) + offsets + rng.normal(0, noise / 10, (count, seeds))
        tuning = rng.normal(0, 0.3, tuned) + rng.normal(0, noise, (count, tuned))
        sides.append(Finals(np.exp(report), np.exp(tuning), other_seeds=bool(sides)))
    return sides


def test_the_lowest_has_the_fewest_divergences_and_then_the_lowest_mean():
    losses = np.array([[9.0, INF, INF], [3.0, INF, 1.0], [INF, 2.0, 1.0], [5.0, INF, 0.0]])
    assert lowest(losses) == 2 and lowest(losses[[0, 0]]) == 0
    np.testing.assert_array_equal(lowest(np.stack([losses, losses[::-1]])), [2, 1])


def test_every_seed_is_averaged_over_the_pairs_that_redraws_choose():
    """Against a loop over redraws, each with its own choice on both sides."""
    ours, others = two(np.random.default_rng(0))
    found = smoothed(log_relative_losses, ours, others, 3)
    total, redraws = np.zeros(12), []
    sides = []
    for one in (ours, others):
        rng = np.random.default_rng([3, int(one.other_seeds)])
        sides.append((one, rng.integers(0, 6, size=(REDRAWS, 6))))
    for b in range(REDRAWS):
        ends = [one.losses[np.argmin(one.tuning[:, drawn[b]].mean(1))] for one, drawn in sides]
        redraws.append(log_relative_losses(*ends))
        total += redraws[-1]
    np.testing.assert_allclose(found.values, total / REDRAWS, rtol=1e-9)

    values, squares = iqm(np.array(redraws)), 0.0
    for _, drawn in sides:
        for q in range(6):
            held = (drawn == q).sum(axis=1)
            squares += np.mean((held - held.mean()) * (values - values.mean())) ** 2
    few_redraws = 12 * values.var() / REDRAWS
    assert (
        found.error**2 < squares - few_redraws
    )  # less the report's own noise, which is small here
    assert found.error**2 == pytest.approx(squares - few_redraws, rel=0.05)


def test_what_is_not_in_doubt_is_as_it_was():
    ours, others = (certain(np.linspace(1, x, 10)) for x in (2.0, 3.0))
    found = smoothed(paired_differences, ours, others)
    np.testing.assert_array_equal(found.values, ours.end - others.end)
    assert found.error == 0.0
    doubtful, _ = two(np.random.default_rng(1))
    itself = versus(doubtful, doubtful)
    assert itself.difference == (0, 0, 0) and itself.ratio == (1, 1, 1)


def test_where_a_setting_diverges_the_chosen_one_counts_alone_in_differences():
    ours, others = two(np.random.default_rng(2))
    ours.losses[1, 0] = INF
    found = smoothed(paired_differences, ours, others)
    np.testing.assert_array_equal(found.values, ours.end - others.end)
    assert np.isfinite(smoothed(log_relative_losses, ours, others).values).all()


def test_the_report_runs_the_chosen_point_first_and_no_point_that_is_clearly_worse():
    rng = np.random.default_rng(3)
    seeds = rng.normal(1.0, 0.2, 10)
    close = seeds + np.array([[0.02], [0.0], [3.0], [0.01]]) + rng.normal(0, 0.02, (4, 10))
    places = likely_choices(close)
    assert places[0] == lowest(close) and 2 not in places and 2 <= len(places) <= 3
    assert likely_choices(seeds + np.array([[0.0], [3.0]])) == [0]
    assert likely_choices(np.full((3, 4), INF)) == [0]
    assert len(likely_choices(rng.normal(0, 1, (9, 10)))) == 4


CASES = tuple(itertools.product((0.5, 2.0), (0.06, 0.2), (20, 60)))


def intervals(rng, curvature, noise, seeds, ratio, tuned=10):
    """Returns the interval of one optimizer's loss over another's, both tuned, with and without the noise of tuning."""
    sides, levels = [], (rng.normal(0, 0.3, seeds), rng.normal(0, 0.3, tuned))
    for level in (np.log(ratio), 0.0):
        report, tuning = draw(rng, level, curvature, noise, levels)
        places = likely_choices(tuning)
        sides.append(Finals(report[places], tuning[places]))
    values, error = smoothed(log_relative_losses, *sides)
    whole = exponential(bootstrap_interval(values, iqm, error=error))
    return whole, bootstrap_interval(log_relative_losses(*(x.end for x in sides)), iqm)


@pytest.mark.parametrize(
    ("cases", "data_sets"),
    [
        pytest.param(((2.0, 0.2, 20),), 100, id="quick"),
        pytest.param(CASES, 1500, id="long", marks=pytest.mark.slow),
    ],
)
def test_intervals_hold_the_noise_of_tuning(cases, data_sets):
    """94 to 98 % in the long run, by simulation; those of seeds alone 81 to 94 %.

    Quick: of 100 intervals that hold the truth 93 % of the time fewer than 81 do so once in 30,000 times. Long: a share
    of 1,500 is further than 0.027 from the truth once in 10,000 times.
    """
    for curvature, noise, seeds in cases:
        rng = np.random.default_rng([int(100 * noise), seeds])
        held = alone = 0
        for _ in range(data_sets):
            whole, of_seeds = intervals(rng, curvature, noise, seeds, 0.8)
            held += not whole.excludes(0.8)
            alone += not of_seeds.excludes(np.log(0.8))
        where = f"{curvature}, {noise}, {seeds}: {held / data_sets:.3f}, by seeds {alone / data_sets:.3f}"
        print(where)
        assert held >= (81 if data_sets == 100 else 0.903 * data_sets), where
        assert data_sets == 100 or held <= 0.994 * data_sets, where
        assert data_sets == 100 or alone < held, where
