"""Agents for arms whose means are linear in features: the posterior by hand, and what it is worth."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import doubts, make
from metarl.classical_agents.linear_agents import linear_ucb
from metarl.classical_agents.linear_arms import LinearArms
from metarl.classical_agents.scoring_agent import Memory
from metarl.environments import Trial, load, play_split
from metarl.errors import InvalidInput

FEATURES = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, -1.0], [1.0, 1.0, 1.0], [-0.5, 0.2, 0.0]])


@pytest.fixture(scope="module")
def learnt():
    """A posterior after six pulls, and its θ's mean and covariance by hand."""
    arms = LinearArms.of(jnp.asarray(FEATURES, jnp.float32), 0.5, 2.0, 0.3)
    precision, weighted = np.eye(3) / 4, np.full(3, 0.5 / 4)
    for action, reward in [(0, 1.0), (1, -0.4), (1, 0.1), (2, 2.0), (3, 0.0), (0, 1.5)]:
        arms = arms.after(jnp.int32(action), jnp.float32(reward))
        precision += np.outer(FEATURES[action], FEATURES[action]) / 0.09
        weighted += FEATURES[action] * reward / 0.09
    covariance = np.linalg.inv(precision)
    return arms, covariance @ weighted, covariance


def test_the_posterior_is_that_of_bayes_rule(learnt):
    arms, theta, covariance = learnt
    np.testing.assert_allclose(arms.mean, FEATURES @ theta, rtol=1e-3, atol=1e-4)
    deviation = np.sqrt(np.einsum("ki,ij,kj->k", FEATURES, covariance, FEATURES))
    np.testing.assert_allclose(arms.deviation, deviation, rtol=1e-3)
    memory = Memory(arms, jnp.int32(6), jnp.int32(4))
    scoring = linear_ucb(0.7)
    scores = scoring.score(scoring.numbers, jax.random.key(0), memory)
    np.testing.assert_allclose(scores, FEATURES @ theta + 0.7 * deviation, rtol=1e-3, atol=1e-4)


def test_draws_have_the_moments_of_the_posterior(learnt):
    arms, theta, covariance = learnt
    drawn = np.asarray(jax.vmap(arms.sample)(jax.random.split(jax.random.key(1), 20_000)))
    expected = FEATURES @ covariance @ FEATURES.T
    error = 5 * np.sqrt(np.diag(expected) / 20_000)  # error rate below 1e-5
    assert np.all(np.abs(drawn.mean(0) - FEATURES @ theta) < error + 1e-4)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.06 * expected.max())


def test_who_knows_the_features_earns_more_and_who_does_not_is_pointed_out():
    trial = Trial(load("bandit", rewards="linear", arms=20), episodes=25)
    linear, upper, thompson = (
        np.asarray(play_split(make(text, trial), trial, 0, 1000, "test").totals)
        for text in ("linear-thompson", "linear-ucb", "thompson")
    )
    for totals in (linear, upper):
        gain = totals - thompson  # 4 standard errors: error rate below 1e-4
        assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    assert doubts("linear-thompson", trial) == ()
    assert doubts("thompson", trial) == ("assumes arms that tell nothing of each other",)


def test_arms_without_features_are_refused():
    trial = Trial(load("bandit", rewards="gaussian"), episodes=2)
    with pytest.raises(InvalidInput, match="needs arms with features"):
        make("linear-thompson", trial)
