"""Returns and advantages against naive loops."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from metarl.policy_gradient import discounted_returns, generalised_advantages

B, T = 3, 7
RNG = np.random.default_rng(0)
REWARDS, VALUES = jnp.asarray(RNG.normal(size=(2, B, T)))
DISCOUNTS = jnp.asarray(0.9 * (RNG.random((B, T)) < 0.7))  # some returns end inside


def naive_returns(rewards, discounts):
    returns = np.zeros_like(rewards)
    for b in range(len(rewards)):
        for t in range(rewards.shape[1]):
            weight = 1.0
            for k in range(t, rewards.shape[1]):
                returns[b, t] += weight * rewards[b, k]
                weight *= discounts[b, k]
    return returns


def naive_advantages(rewards, discounts, values, gae_lambda):
    """Sums discounted errors forwards from each step; the value after the last step is 0."""
    advantages = np.zeros_like(rewards)
    for b in range(len(rewards)):
        later = np.append(values[b, 1:], 0)
        errors = rewards[b] + discounts[b] * later - values[b]
        for t in range(rewards.shape[1]):
            weight = 1.0
            for k in range(t, rewards.shape[1]):
                advantages[b, t] += weight * errors[k]
                weight *= gae_lambda * discounts[b, k]
    return advantages


def test_returns_agree_with_a_naive_loop():
    expected = naive_returns(np.asarray(REWARDS), np.asarray(DISCOUNTS))
    np.testing.assert_allclose(discounted_returns(REWARDS, DISCOUNTS), expected, atol=1e-5)


def test_a_return_ends_where_the_discount_is_zero():
    rewards = jnp.array([[1.0, 2.0, 4.0, 8.0]])
    discounts = jnp.array([[0.5, 0.0, 0.5, 0.5]])
    np.testing.assert_allclose(discounted_returns(rewards, discounts), [[2.0, 2.0, 8.0, 8.0]])


@pytest.mark.parametrize("gae_lambda", [0.0, 0.3, 0.95, 1.0])
def test_advantages_agree_with_a_naive_loop(gae_lambda):
    rewards, discounts, values = map(np.asarray, (REWARDS, DISCOUNTS, VALUES))
    expected = naive_advantages(rewards, discounts, values, gae_lambda)
    advantages = generalised_advantages(REWARDS, DISCOUNTS, VALUES, gae_lambda)
    np.testing.assert_allclose(advantages, expected, atol=1e-5)


def test_with_lambda_one_an_advantage_is_the_return_less_the_value():
    advantages = generalised_advantages(REWARDS, DISCOUNTS, VALUES, 1.0)
    expected = discounted_returns(REWARDS, DISCOUNTS) - VALUES
    np.testing.assert_allclose(advantages, expected, atol=1e-5)


def test_with_lambda_zero_an_advantage_is_the_error_of_one_step():
    rewards, values = jnp.array([[1.0, 0.0, 2.0]]), jnp.array([[3.0, 5.0, 7.0]])
    advantages = generalised_advantages(rewards, jnp.full((1, 3), 0.5), values, 0.0)
    #                                      1 + 5/2 - 3, 0 + 7/2 - 5, 2 + 0 - 7
    np.testing.assert_allclose(advantages, [[0.5, -1.5, -5.0]])
