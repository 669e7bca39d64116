"""What a search would take: networks are counted by hand, times follow from a speed that is given."""

from __future__ import annotations

import dataclasses

import jax
import pytest

from metarl import problems
from metarl.optimizer_search.comparing.standard import STANDARD
from metarl.optimizer_search.comparing.tuning import FINER_POINTS, GRID
from metarl.optimizer_search.running import forecast
from metarl.optimizer_search.settings.config import FinalistConfig, SearchConfig

MICROSECONDS = {"beale": 2.0, "quadratic": 5.0, "wine-mlp": 30.0}
CONFIG = SearchConfig(
    problem=("beale", "quadratic"),
    budget=10,
    finalists=3,
    final=FinalistConfig(held_out=("wine-mlp",), tuning_seeds=4),
)


@pytest.fixture(autouse=True)
def known_speeds(monkeypatch):
    monkeypatch.setattr(
        forecast, "_microseconds", lambda problem, steps: MICROSECONDS[problem.name]
    )


def by_hand(seeds: int) -> int:
    """Returns the networks on one problem: three finalists, random search's best and the references.

    Of four tuning seeds half-decades take two; of the report's points there are at most four.
    """
    classic = sum(row.is_classic for row in STANDARD.values())
    return (3 + 1 + classic) * (len(GRID) * 2 + FINER_POINTS * 4 + 4 * seeds)


def test_every_problem_of_the_comparison_is_counted():
    found = forecast.estimate(CONFIG)
    assert found["comparison_networks"] == 3 * by_hand(60) and found["schedule"] == "constant"
    steps = {name: problems.load(name).steps for name in MICROSECONDS}
    seconds = sum(by_hand(60) * steps[name] * MICROSECONDS[name] * 1e-6 for name in MICROSECONDS)
    expected = forecast._COMPILE_SECONDS + seconds / jax.local_device_count()
    assert found["comparison_seconds"] == pytest.approx(expected)


def test_racing_runs_most_rules_for_a_quarter_of_the_steps():
    """Three rates and two half-decades for 1/4, and one rule in six twice in full on each replicate."""
    config = dataclasses.replace(CONFIG, problem=("quadratic",), racing=True)
    cost, steps = (
        forecast.estimate(config)["problems"]["quadratic"],
        problems.load("quadratic").steps,
    )
    full = 2 * config.training.seeds / 6
    assert cost["runs_per_rule"] == pytest.approx(5 + full)
    assert cost["steps_per_rule"] == pytest.approx((5 / 4 + full) * steps, rel=0.02)
    plain = forecast.estimate(dataclasses.replace(config, racing=False))["problems"]["quadratic"]
    assert cost["steps_per_rule"] < plain["steps_per_rule"] / 2


def test_a_held_out_problem_that_was_searched_on_is_counted_once():
    final = dataclasses.replace(CONFIG.final, held_out=("quadratic", "wine-mlp"), report_seeds=7)
    found = forecast.estimate(dataclasses.replace(CONFIG, final=final))
    assert found["comparison_networks"] == 3 * by_hand(7)
