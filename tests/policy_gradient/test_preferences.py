"""Preference losses against naive loops."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from metarl.policy_gradient import Preferences, bradley_terry_loss, direct_preference_loss

SCORES = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
MASK = np.array([1, 1, 0, 1, 0, 1], bool)


def test_bradley_terry_is_the_mean_surprise_at_the_preferences():
    first, second = SCORES[:2]
    surprise = [-math.log(1 / (1 + math.exp(b - a))) for a, b in zip(first, second, strict=True)]
    expected = np.mean([x for x, counts in zip(surprise, MASK, strict=True) if counts])
    found = bradley_terry_loss(jnp.asarray(first), jnp.asarray(second), jnp.asarray(MASK))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert bradley_terry_loss(jnp.asarray(first), jnp.asarray(second), jnp.zeros(6, bool)) == 0


def test_direct_preferences_are_those_of_the_log_ratio_to_the_reference():
    pairs = Preferences(*map(jnp.asarray, SCORES))
    expected = []
    for winner, loser, winner_before, loser_before in SCORES.T:
        score = 0.3 * math.log(math.exp(winner) / math.exp(winner_before))
        score -= 0.3 * math.log(math.exp(loser) / math.exp(loser_before))
        expected.append(-math.log(1 / (1 + math.exp(-score))))
    found = direct_preference_loss(pairs, jnp.asarray(MASK), 0.3)
    np.testing.assert_allclose(found, np.mean(np.array(expected)[MASK]), rtol=1e-5)


def test_the_gradient_raises_the_preferred_and_lowers_the_other_alike():
    pairs = Preferences(*map(jnp.asarray, SCORES))
    gradient = jax.grad(lambda p: direct_preference_loss(p, jnp.asarray(MASK), 0.3))(pairs)
    assert np.all(np.asarray(gradient.preferred)[MASK] < 0)
    np.testing.assert_allclose(gradient.preferred, -gradient.other, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(gradient.preferred)[~MASK], 0)
