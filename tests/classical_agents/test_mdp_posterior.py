"""What is known of an MDP: counts, posterior mean, samples."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from metarl.classical_agents.mdp_posterior import (
    Counts,
    Prior,
    mean_model,
    sample_dirichlet,
    sample_model,
)

STATES, ACTIONS = 3, 2


@pytest.fixture
def steps():
    """Forty steps at random: state, action, reward, next state, whether the episode ended."""
    random = np.random.default_rng(0)
    return [
        (
            random.integers(STATES),
            random.integers(ACTIONS),
            random.normal(),
            random.integers(STATES),
            random.random() < 0.25,
        )
        for _ in range(40)
    ]


@pytest.fixture
def counts(steps):
    counts = Counts.none(STATES, ACTIONS)
    for state, action, reward, following, ended in steps:
        counts = counts.after(state, action, jnp.float32(reward), following, ended)
    return counts


def test_counts_are_those_of_a_list_of_steps(steps, counts):
    for state in range(STATES):
        for action in range(ACTIONS):
            here = [step for step in steps if step[:2] == (state, action)]
            led = [step[3] for step in here if not step[4]]
            assert counts.visits[state, action] == len(here)
            np.testing.assert_allclose(
                counts.reward_sums[state, action], sum(step[2] for step in here), rtol=1e-5
            )
            np.testing.assert_array_equal(
                counts.transitions[state, action], [led.count(s) for s in range(STATES)]
            )


def test_the_posterior_mean_is_that_of_bayes_rule_step_by_step(steps, counts):
    mean, precision = np.full((STATES, ACTIONS), 1.5), np.full((STATES, ACTIONS), 2.0)
    weights = np.full((STATES, ACTIONS, STATES), 2.0)
    for state, action, reward, following, ended in steps:
        pair = state, action
        mean[pair] = (precision[pair] * mean[pair] + reward) / (precision[pair] + 1)
        precision[pair] += 1
        weights[(*pair, following)] += not ended
    model = mean_model(Prior(1.5, 2.0, 2.0), counts)
    np.testing.assert_allclose(model.mean_rewards, mean, rtol=1e-5)
    np.testing.assert_allclose(
        model.transitions, weights / weights.sum(-1, keepdims=True), rtol=1e-5
    )


def test_samples_have_the_moments_of_the_posterior(counts):
    prior, count = Prior(1.0, 1.0, 0.5, noise=2.0), 20_000
    keys = jax.random.split(jax.random.key(1), count)
    sampled = jax.vmap(lambda key: sample_model(key, prior, counts))(keys)
    mean = mean_model(prior, counts)
    known = 1 + np.asarray(counts.visits)
    np.testing.assert_allclose(sampled.mean_rewards.mean(0), mean.mean_rewards, atol=0.06)
    np.testing.assert_allclose(sampled.mean_rewards.var(0), 4 / known, rtol=0.05)
    np.testing.assert_allclose(sampled.transitions.mean(0), mean.transitions, atol=0.01)
    total = 1 + np.asarray(0.5 + counts.transitions).sum(-1, keepdims=True)
    expected = mean.transitions * (1 - mean.transitions) / total
    np.testing.assert_allclose(sampled.transitions.var(0), expected, rtol=0.08, atol=1e-4)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, 2.0, 40.0), (0.3, 0.5, 5.0)])
def test_the_shares_of_a_dirichlet_draw_have_beta_distributions(weights):
    drawn = sample_dirichlet(jax.random.key(2), jnp.tile(jnp.array(weights), (40_000, 1)))
    for share, weight in zip(np.asarray(drawn, np.float64).T, weights, strict=True):
        beta = stats.beta(weight, sum(weights) - weight)
        assert stats.kstest(share, beta.cdf).statistic < 1.95 / np.sqrt(40_000)  # p = 0.001


def test_draws_with_hardly_any_weight_are_probabilities():
    weights = jnp.array([[1e-4, 1e-4, 1e-4], [1e-9, 1e-9, 3.0], [1e4, 1.0, 1e-4]])
    drawn = sample_dirichlet(jax.random.key(3), jnp.tile(weights, (1000, 1, 1)))
    assert jnp.all(jnp.isfinite(drawn)) and jnp.all(drawn >= 0)
    np.testing.assert_allclose(drawn.sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(drawn[:, 0].mean(0), 1 / 3, atol=0.06)  # all on one, at random
