"""Spread and noise are what they were made of; who is measured is measured on seeds and splits that no report sees."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
from scipy import stats

from metarl.cli import main
from metarl.errors import InvalidInput
from metarl.optimizer_search.comparing.contest import Contest
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.comparing.settings_of_runs import Runs
from metarl.optimizer_search.measuring import telling_apart
from metarl.optimizer_search.measuring.telling_apart import (
    components,
    measure_problems,
    require_ratios,
    share_at_half,
)
from metarl.optimizer_search.measuring.telling_apart_report import problems_table
from metarl.optimizer_search.training.inner_training import draw_fixture
from metarl.problems import load, registry


@pytest.fixture
def toy(monkeypatch):
    """Makes the toy problem known by name, and has two optimizers measured."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(telling_apart, "OPTIMIZERS", ("sgd", "adam"))
    return load("toy_problem:logistic")


def test_spread_and_noise_equal_a_loop_over_pairs():
    losses = np.exp(np.random.default_rng(0).normal(size=(4, 9)))
    squares, variances = [], []
    for first in range(4):
        for second in range(first):
            d = np.log(losses[first]) - np.log(losses[second])
            mean = sum(d) / 9
            variances.append(sum((d - mean) ** 2) / 8)
            squares.append(mean**2 - variances[-1] / 9)
    found = components(losses)
    assert found.spread == pytest.approx(max(0, np.median(squares)) ** 0.5)
    middle = stats.chi2.median(8) / 8
    assert found.noise == pytest.approx((np.median(variances) / 2 / middle) ** 0.5)


def test_spread_and_noise_are_those_that_losses_were_made_of():
    """Means over 1,000 data sets, whose standard errors are 0.0003 and 0.0006."""
    generator = np.random.default_rng(1)
    optimizer = np.linspace(0, 0.8, 9)[:, None]  # pairs are 0.1, 0.2 ... apart, the middle one 0.3
    found = []
    for _ in range(1000):
        seed, run = generator.standard_normal((1, 8)), generator.standard_normal((9, 8))
        found.append(components(np.exp(optimizer + seed + 0.1 * run)))
    spread, noise, _ = np.array(found).T
    assert np.mean(spread) == pytest.approx(0.3, abs=0.02)
    assert np.mean(noise) == pytest.approx(0.1, abs=0.005)


def test_what_all_seeds_share_is_no_noise_and_a_lone_winner_is_eight_pairs():
    seeds = np.exp(np.random.default_rng(0).normal(size=(1, 8)))
    losses = np.repeat(seeds, 9, axis=0)
    assert components(losses) == pytest.approx((0.0, 0.0, 0), abs=1e-12)
    losses[3] *= 0.9
    assert components(losses) == pytest.approx((0.0, 0.0, 8), abs=1e-12)


def test_one_optimizer_that_diverges_on_one_seed_changes_little():
    generator = np.random.default_rng(2)
    losses = np.exp(np.linspace(0, 0.8, 9)[:, None] + 0.1 * generator.standard_normal((9, 8)))
    before = components(losses)
    losses[4, 2] = np.inf
    assert components(losses)[:2] == pytest.approx(before[:2], rel=0.2)


def test_a_run_that_diverges_or_ends_at_nothing_counts_as_a_factor_of_ten():
    losses = np.ones((9, 8))
    losses[0], losses[1] = np.inf, 0.0
    tenfold = np.ones((9, 8))
    tenfold[0], tenfold[1] = 10.0, 0.1
    assert components(losses) == pytest.approx(components(tenfold))


def test_the_share_of_the_fall_at_half_the_steps_is_one_of_logarithms():
    start, half, end = (np.full(8, 10.0**power) for power in (0, -1, -4))
    assert share_at_half(start, half, end) == pytest.approx(0.25)
    assert share_at_half(start, end, end) == pytest.approx(1.0)
    assert share_at_half(end, half, start) == 1.0  # nothing falls


def test_curves_on_search_splits_end_where_tuning_ends(toy):
    contest = Contest(toy, 12, [1, 2], [3], points=3, devices=jax.local_devices()[:1])
    adam, device = entrant("adam"), contest.devices[0]
    runs = Runs(*map(np.asarray, ([0.1] * 2, [0] * 2, [0.0] * 2, [0] * 2, contest.tuning)))
    curves = contest.follow(adam, runs, device)
    assert curves.shape == (2, 3)
    np.testing.assert_array_equal(curves[:, -1], contest.tune(adam, runs, device))
    assert not np.array_equal(curves[:, 0], curves[:, -1])


def test_losses_at_the_start_are_those_of_each_seeds_own_search_split(toy):
    contest = Contest(toy, 12, [1, 2], [3], points=2, devices=jax.local_devices()[:1])
    fixture, layout = draw_fixture(toy, "search", [1, 2])
    for place, found in enumerate(contest.losses_at_start(contest.tuning)):
        rows = fixture.held[place * layout.held : (place + 1) * layout.held]
        start = jax.tree.map(lambda x, i=place: x[i], (fixture.params, fixture.model_state))
        judged = jax.tree.map(lambda x, i=rows: x[i], fixture.pool)
        assert found == pytest.approx(float(toy.evaluate(*start, judged)["loss"]), rel=1e-6)


def test_bench_problems_prints_one_row_a_problem_with_numbers_of_a_seed(toy, capsys, tmp_path):
    words = ["bench", "problems", "--problem", "toy_problem:logistic", "--tuning-seeds", "1"]
    place = tmp_path / "measured"
    assert main([*words, "--json", "-o", str(place)]) == 0
    document = json.loads(capsys.readouterr().out)
    row = document["measured_problems"]["toy"]
    losses = np.array([row["runs"][label]["losses"] for label in ("sgd", "adam")], float)
    losses = np.where(np.isnan(losses), np.inf, losses)
    assert losses.shape == (2, 8) and row["best"] in ("sgd", "adam")
    assert (row["spread"], row["noise"], row["pairs"]) == pytest.approx(components(losses))
    assert row["tells_apart"] == (row["spread"] > row["noise"] and row["at_half"] < 0.95)
    assert json.loads((place / "problems.json").read_text()) == document
    again = measure_problems(["toy_problem:logistic"], tuning_seeds=1)
    assert again["measured_problems"]["toy"]["runs"] == row["runs"]
    assert "of 1" in (place / "problems.csv").read_text()
    table = problems_table(document)
    assert table.rows[0]["problem"] == "toy" and table.title.startswith("1 problem, 2 optimizers")


def test_a_problem_that_ends_below_zero_is_refused():
    require_ratios("above", np.array([0.0, np.inf]))
    with pytest.raises(InvalidInput, match="Problem 'below' ends below zero; ratios of its losses"):
        require_ratios("below", np.array([1.0, -1.0]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["problems", "--seeds", "7"], "seeds is 7; it must be at least 8"),
        (["problems", "--problem", "wine"], "Unknown problem 'wine'. Did you mean 'wine-mlp'?"),
        (["search", "--problem", "beale", "quadratic"], "measures one problem; received beale, "),
    ],
)
def test_what_cannot_be_measured_is_one_clear_message(words, message, capsys):
    assert main(["bench", *words]) == 2
    assert message in capsys.readouterr().err
