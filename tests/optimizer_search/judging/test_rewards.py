"""Rewards against loops; what fails gets the floor and never NaN."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.optimizer_search.judging.candidates import Verdicts
from metarl.optimizer_search.judging.rewards import (
    FLOOR,
    loss_rewards,
    metric_floor,
    metric_rewards,
)

K, S = 6, 3


def verdicts(losses, metrics=None):
    losses = np.asarray(losses, np.float32)
    metrics = np.full_like(losses, np.nan) if metrics is None else np.asarray(metrics, np.float32)
    rules = len(losses)
    return Verdicts(
        np.zeros((rules, 1)),
        np.zeros((rules, 1)),
        np.zeros(rules),
        losses,
        metrics,
        np.zeros(rules, np.int32),
    )


def problem(
    name="one",
    metric: str | None = "accuracy",
    higher_is_better=True,
    chance: float | None = 0.1,
) -> Any:
    return SimpleNamespace(
        name=name, metric=metric, higher_is_better=higher_is_better, chance=chance
    )


def test_the_reward_is_minus_the_mean_log_of_the_loss_relative_to_adams():
    rng = np.random.default_rng(0)
    losses = {name: rng.uniform(0.1, 3.0, (K, S)) for name in ("one", "two")}
    adam = {name: rng.uniform(0.1, 3.0, S) for name in losses}
    rewards = loss_rewards({name: verdicts(rows) for name, rows in losses.items()}, adam)
    for rule in range(K):
        total = 0.0
        for name in losses:
            for replicate in range(S):
                total -= math.log(losses[name][rule, replicate] / adam[name][replicate])
        assert rewards[rule] == pytest.approx(total / (2 * S), rel=1e-5)


def test_as_good_as_adam_is_zero_and_less_loss_is_more():
    adam = {"one": np.array([0.2, 0.4, 0.8])}
    rows = np.stack([adam["one"], 0.5 * adam["one"], 2.0 * adam["one"]])
    np.testing.assert_allclose(
        loss_rewards({"one": verdicts(rows)}, adam), [0.0, np.log(2), -np.log(2)], atol=1e-6
    )


def test_one_diverged_run_on_one_problem_is_the_floor():
    good = np.full((2, S), 0.1)
    bad = good.copy()
    bad[1, 2] = np.inf
    adam = {"one": np.ones(S), "two": np.ones(S)}
    rewards = loss_rewards({"one": verdicts(good), "two": verdicts(bad)}, adam)
    assert rewards[0] == pytest.approx(np.log(10)) and rewards[1] == FLOOR


def test_a_cap_bounds_what_one_judge_adds_and_not_what_it_takes():
    adam = {"one": np.ones(S), "two": np.ones(S)}
    triumph = verdicts([[1e-2] * S, [1e-2] * S])
    other = verdicts([[1.0] * S, [np.e] * S])
    capped = loss_rewards({"one": triumph, "two": other}, adam, 0.5)
    np.testing.assert_allclose(capped, [(0.5 + 0.0) / 2, (0.5 - 1.0) / 2], atol=1e-6)
    free = loss_rewards({"one": triumph, "two": other}, adam)
    np.testing.assert_allclose(free, [np.log(1e2) / 2, (np.log(1e2) - 1.0) / 2], rtol=1e-5)


@pytest.mark.parametrize("loss", [np.inf, np.nan, 1e38, 0.0, -3.0, 1e-30])
def test_rewards_are_finite_and_within_the_floor_whatever_the_losses(loss):
    for adam in (1.0, 0.0, 1e-30, 1e30):
        reward = loss_rewards({"one": verdicts([[loss] * S])}, {"one": np.full(S, adam)})
        assert reward.dtype == np.float32 and np.isfinite(reward).all()
        assert FLOOR <= reward[0] <= -FLOOR


def test_a_loss_of_zero_equals_adams_loss_of_zero():
    reward = loss_rewards({"one": verdicts([[0.0] * S])}, {"one": np.zeros(S)})[0]
    assert reward == pytest.approx(0.0, abs=1e-5)


def test_under_accuracy_the_reward_is_the_mean_metric_and_diverged_runs_count_as_chance():
    found = verdicts(
        [[1.0, np.inf], [1.0, 2.0], [np.inf, np.inf]], [[0.9, 0.8], [0.6, 0.7], [np.nan, 1.0]]
    )
    rewards = metric_rewards({"one": found}, {"one": problem()})
    np.testing.assert_allclose(rewards, [(0.9 + 0.1) / 2, 0.65, 0.1], rtol=1e-6)
    assert metric_floor([problem()]) == pytest.approx(0.1)


def test_a_metric_that_falls_with_quality_is_negated_and_problems_are_averaged():
    suite = [problem(), problem("two", "bits", higher_is_better=False, chance=8.0)]
    found = {
        "one": verdicts([[1.0, 1.0]], [[0.5, 0.7]]),
        "two": verdicts([[1.0, np.inf]], [[2.0, 3.0]]),
    }
    np.testing.assert_allclose(
        metric_rewards(found, {p.name: p for p in suite}), [(0.6 + (-2.0 - 8.0) / 2) / 2]
    )
    assert metric_floor(suite) == pytest.approx((0.1 - 8.0) / 2)


def test_accuracy_cannot_judge_where_there_is_no_metric():
    with pytest.raises(InvalidInput, match=r"Problem 'one' has no metric.*Use `--reward loss`"):
        metric_floor([problem(metric=None)])
    with pytest.raises(InvalidInput, match="has no metric"):
        metric_floor([problem(chance=None)])


def test_rewards_of_a_rule_do_not_depend_on_its_neighbours():
    losses = np.random.default_rng(1).uniform(0.1, 2.0, (K, S))
    adam = {"one": np.ones(S)}
    together = loss_rewards({"one": verdicts(losses)}, adam)
    for rule in range(K):
        alone = loss_rewards({"one": verdicts(losses[rule : rule + 1])}, adam)
        np.testing.assert_array_equal(alone, together[rule : rule + 1])
