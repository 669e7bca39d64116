"""Tuning: the grid's points are the runs they say they are, and one learning rate for all problems."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl import problems as suite
from metarl.optimizer_search.comparing.contest import Contest, Crew
from metarl.optimizer_search.comparing.default_rates import (
    default_rates,
    found_multiples,
)
from metarl.optimizer_search.comparing.entrants import entrant
from metarl.optimizer_search.comparing.problem_results import log_relative_losses
from metarl.optimizer_search.comparing.settings_of_runs import PLAIN, Axes, Setting, runs_of
from metarl.optimizer_search.comparing.tuning import (
    FINER_POINTS,
    GRID,
    Tuned,
    finer_points,
    rates_of,
    sweep,
    tune,
)
from metarl.optimizer_search.settings.compare_config import CompareConfig
from metarl.optimizer_search.training.inner_training import (
    draw_fixture,
    held_out_score,
    optax_learner,
    start,
    train,
)

STEPS, SEEDS = 12, [3, 4]
AXES = Axes(("constant", "cosine"), (0.0, 0.1))


@pytest.fixture(scope="module")
def tuned(toy):
    contest = Contest(toy, STEPS, SEEDS, [9], axes=AXES)
    with Crew() as crew:
        return sweep(contest, [entrant("adam"), entrant("sgd")], crew.map, widen=False)


def test_the_grid_is_the_product_of_its_axes(tuned):
    assert {x.shape for x in tuned.losses.values()} == {(len(GRID), 2, 2, len(SEEDS))}
    np.testing.assert_allclose(tuned.learning_rates, rates_of(GRID))
    assert tuned.runs_spent == 2 * len(GRID) * 2 * 2 * len(SEEDS)


@pytest.mark.parametrize(("schedule", "decay"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_point_is_the_run_that_it_says(toy, tuned, schedule, decay):
    """Adam with optax's own cosine schedule and adamw's decay, on one seed, outside of any contest."""
    place, seed = 8, 1
    rate = float(tuned.learning_rates[place])
    given = optax.cosine_decay_schedule(rate, STEPS) if schedule else rate
    transform = optax.adamw(given, weight_decay=AXES.weight_decays[decay])
    fixture, layout = draw_fixture(toy, "search", SEEDS)

    @jax.jit
    def final(replicate):
        learner = optax_learner(transform)
        run = (toy, layout, learner, fixture, replicate)
        return held_out_score(
            *run, train(*run, start(learner, fixture, replicate), jnp.int32(STEPS))
        )[0]

    found = tuned.losses["adam"][place, schedule, decay, seed]
    assert found == pytest.approx(float(final(jnp.int32(seed))), rel=1e-4)


def test_the_best_point_is_that_of_the_lowest_mean(tuned):
    for label, losses in tuned.losses.items():
        lowest = (np.inf, None)
        for rate, by_rate in zip(tuned.learning_rates, losses.mean(axis=-1), strict=True):
            for schedule, by_schedule in zip(AXES.schedules, by_rate, strict=True):
                for decay, mean in zip(AXES.weight_decays, by_schedule, strict=True):
                    lowest = min(lowest, (mean, Setting(rate, schedule, decay)))
        assert tuned.best(label) == lowest[1]


def test_where_every_point_has_a_run_that_diverged_the_one_with_the_fewest_is_taken():
    losses = np.array([[9.0, np.inf, np.inf], [3.0, np.inf, 1.0], [np.inf, 2.0, 1.0]])
    found = Tuned(np.array([0.1, 1.0, 10.0]), PLAIN, {"rule": losses[:, None, None, :]})
    assert found.is_hopeless("rule") and found.best("rule").learning_rate == 10.0


class Recorded:
    """A contest whose loss is the distance of the learning rate from one that is best for each."""

    axes, tuning, other = PLAIN, np.arange(2), np.arange(2, 4)
    best: Mapping[str, float] = MappingProxyType(
        {"prodigy": 10**0.5, "sgd": 10**-1.15, "adam-shifted": 0.1, "adam-again": 0.1}
    )

    def __init__(self):
        self.asked: dict[str, list] = {label: [] for label in self.best}

    def tuning_of(self, entrant):
        return self.other if entrant.other_seeds else self.tuning

    def tune(self, entrant, runs, device):
        self.asked[entrant.label] += runs.replicates.tolist()
        return np.abs(np.log(runs.rates / self.best[entrant.label])) + 1e-3 * runs.replicates


@pytest.fixture(scope="module")
def recorded() -> Any:
    contest: Any = Recorded()
    field = list(map(entrant, contest.best))
    tuned = tune(contest, field, lambda work, items: [work(item, None) for item in items])
    return contest, tuned


def test_who_has_a_factor_has_as_many_points_around_one(recorded):
    _, found = recorded
    assert {x.shape for x in found.losses.values()} == {(15, 1, 1, 1)} and found.on_edge == ()
    assert {x.losses.shape for x in found.finer.values()} == {(FINER_POINTS, 2)}
    assert found.best("prodigy").learning_rate == pytest.approx(10**0.5)
    factors = found.learning_rates * found.scales["prodigy"]
    assert np.prod(factors[[0, -1]]) == pytest.approx(1.0) and factors[7] == pytest.approx(1.0)


def test_points_lie_an_eighth_of_a_decade_apart_around_the_best(recorded):
    _, found = recorded
    rates = [setting.learning_rate for setting in found.finer["sgd"].settings]
    expected = [-1.5, -1.375, -1.25, -1.125, -1.0, -0.75, -0.5]
    np.testing.assert_allclose(np.log10(rates), expected, atol=1e-9)
    assert found.best("sgd").learning_rate == pytest.approx(10**-1.125)


def test_everybody_has_as_many_extra_points_at_three_rates_each():
    contest: Any = Recorded()
    contest.axes = Axes(extra_points=2)
    field = [entrant("adam-again"), entrant("sgd")]
    found = tune(contest, field, lambda work, items: [work(item, None) for item in items])
    assert {x.losses.shape for x in found.finer.values()} == {(finer_points(2), 2)}
    extra = [x for x in found.finer["adam-again"].settings if x.extra]
    assert {x.extra for x in extra} == {1, 2} and len(extra) == 6
    np.testing.assert_allclose(
        sorted(np.log10([x.learning_rate for x in extra if x.extra == 2])), [-1.25, -1, -0.75]
    )
    rates = np.log10([x.learning_rate for x in found.finer["sgd"].settings])
    assert {x.extra for x in found.finer["sgd"].settings} == {0}
    sixteenths = [x for x in 16 * (rates + 1.125) if round(x) % 2]
    np.testing.assert_allclose(sixteenths, [-5, -3, -1, 1, 3, 5], atol=1e-6)


def test_the_null_rivals_are_tuned_at_points_half_way_and_on_other_seeds(recorded):
    contest, found = recorded
    shifted = np.log10(found.best("adam-shifted").learning_rate)
    assert abs(shifted + 1.0) == pytest.approx(1 / 16)
    assert set(contest.asked["adam-shifted"]) == {0, 1}
    assert set(contest.asked["adam-again"]) == {2, 3}
    assert contest.asked["adam-again"][:15] == [2] * 15  # half-decades on the first half


def test_a_setting_gives_a_run_on_each_replicate():
    runs = runs_of(Setting(0.3, AXES.schedules[1], 0.25, 2), AXES, np.array([4, 7, 5]))
    assert list(zip(*runs, strict=True)) == [
        (0.3, 1, 0.25, 2, 4),
        (0.3, 1, 0.25, 2, 7),
        (0.3, 1, 0.25, 2, 5),
    ]
    first = Setting(0.3, AXES.schedules[0], AXES.weight_decays[0])
    assert AXES.first(0.3) == first


def test_losses_relative_to_adams_are_clipped_and_divergence_is_the_worst():
    found = log_relative_losses(np.array([1.0, 2.0, 1e9, np.inf, 0.0]), 2.0)
    np.testing.assert_allclose(found, np.log([0.5, 1.0, 10.0, 10.0, 0.1]), atol=1e-12)


def test_a_default_rate_is_the_best_over_the_problems(toy, monkeypatch):
    """The toy's twin with losses times a hundred has equal ratios, so one rate serves both."""
    config = CompareConfig(tuning_seeds=2, seed=3)
    names = ["toy_problem:logistic", "toy_problem:gentle"]
    said: list[str] = []
    found = found_multiples([entrant("sgd"), entrant("adam")], names, config, said.append)
    assert set(found) == {"sgd", "adam"} and len(said) == 2
    for label, multiple in found.items():
        assert np.isclose(rates_of(GRID) / 1e-3, multiple).any(), label
    alone = [
        found_multiples([entrant("sgd")], [name], config, said.append)["sgd"] for name in names
    ]
    assert min(alone) <= found["sgd"] <= max(alone)


def test_a_default_rate_is_found_under_the_schedule_of_the_report(toy, monkeypatch):
    class Seen(Exception):
        pass

    def contest(*args, axes, **settings):
        raise Seen(axes)

    monkeypatch.setattr("metarl.optimizer_search.comparing.default_rates.Contest", contest)
    config = CompareConfig(schedules=("cosine", "constant"), weight_decays=(0.1, 0.0))
    with pytest.raises(Seen) as seen:
        found_multiples([entrant("adam")], ["toy_problem:logistic"], config, lambda text: None)
    assert seen.value.args[0] == Axes(("cosine",), (0.1,))


def test_a_multiple_that_a_rule_brings_is_taken_and_kept(tmp_path):
    config = CompareConfig(tuning_seeds=1)
    field = [entrant("adam")._replace(learning_rate_multiple=3.0)]
    found = default_rates(field, config, lambda text: None, tmp_path)
    assert found == {"adam": pytest.approx(3e-3)}
    changed = [entrant("adam")._replace(learning_rate_multiple=5.0)]
    assert default_rates(changed, config, lambda text: None, tmp_path) == found


def test_the_search_problems_are_where_default_rates_are_found():
    searched = suite.suite("search")
    assert "digits-mlp" in searched and "wine-mlp" not in searched
