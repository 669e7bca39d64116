"""Running moments against the weighted moments of all numbers so far."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.policy_gradient.normalisation import RunningMoments, follow, no_moments, preserve


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
def test_running_moments_are_the_weighted_moments_of_all_batches(decay):
    rng = np.random.default_rng(0)
    batches = [rng.normal(loc=k, scale=1 + k, size=(4, 6)) for k in range(5)]
    masks = [rng.random((4, 6)) < 0.7 for _ in batches]
    moments = no_moments()
    for batch, mask in zip(batches, masks, strict=True):
        moments = follow(moments, jnp.asarray(batch), jnp.asarray(mask), decay)

    ages = range(len(batches) - 1, -1, -1)
    seen = np.concatenate([batch[mask] for batch, mask in zip(batches, masks, strict=True)])
    weights = np.concatenate(
        [
            np.full(mask.sum(), decay**age / mask.sum())
            for age, mask in zip(ages, masks, strict=True)
        ]
    )
    mean = np.average(seen, weights=weights)
    variance = np.average((seen - mean) ** 2, weights=weights)

    np.testing.assert_allclose(moments.mean, mean, rtol=1e-4)
    np.testing.assert_allclose(moments.variance, variance, rtol=1e-4)
    np.testing.assert_allclose(moments.weight, sum(decay**age for age in ages), rtol=1e-5)


def test_a_small_spread_around_a_large_mean_is_not_lost():
    spread = jnp.linspace(-1.0, 1.0, 101)[None]
    moments, mask = no_moments(), jnp.ones((1, 101), bool)
    for _ in range(20):
        moments = follow(moments, 1_000.0 + spread, mask, 0.9)
    np.testing.assert_allclose(moments.deviation, jnp.std(spread), rtol=0.01)


def test_moments_that_saw_nothing_leave_numbers_as_they_are():
    x = jnp.array([1.5, -2.0])
    np.testing.assert_array_equal(no_moments().normalise(x), x)
    np.testing.assert_array_equal(no_moments().restore(x), x)


def test_restore_undoes_normalise():
    x = jnp.array([[1.5, -2.0, 7.0]])
    moments = follow(no_moments(), x, jnp.ones((1, 3), bool), 0.99)
    np.testing.assert_allclose(moments.normalise(x).std(), 1, rtol=1e-5)
    np.testing.assert_allclose(moments.restore(moments.normalise(x)), x, rtol=1e-5)


def test_what_is_preserved_says_in_new_units_what_it_said_in_the_old(linear_policy, make_batch):
    params = linear_policy.init(jax.random.key(0))
    inputs = make_batch(0, params).inputs
    before, after = (RunningMoments(*map(jnp.float32, m)) for m in ((3, 4, 1), (-20, 900, 2)))
    policy_said, value_said = linear_policy.apply(params, inputs)
    policy_says, value_says = linear_policy.apply(
        preserve(linear_policy, params, before, after), inputs
    )
    np.testing.assert_array_equal(policy_says, policy_said)
    assert not np.allclose(value_says, value_said)
    np.testing.assert_allclose(after.restore(value_says), before.restore(value_said), rtol=1e-4)
