"""Samples of Beta and Gamma distributions, held against scipy's distribution functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from metarl.classical_agents.arm_posteriors import BetaArms
from metarl.classical_agents.beta_sampling import sample_beta, sample_gamma


@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 1.0), (0.5, 0.5), (1.0, 7.0), (30.0, 4.0), (260.0, 240.0)]
)
def test_samples_are_of_the_beta_distribution(a, b):
    drawn = sample_beta(jax.random.key(1), jnp.full(20_000, a), jnp.full(20_000, b))
    assert stats.kstest(np.asarray(drawn, np.float64), stats.beta(a, b).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("a", "b"), [(0.001, 0.001), (0.003, 0.003), (0.01, 0.002), (0.2, 3.0)])
def test_samples_of_small_shapes_are_of_the_distribution_too(a, b):
    # Most are 0 or 1 in float32, so shares are compared: four of 5 standard errors, error rate 3e-6.
    count = 40_000
    drawn = np.asarray(sample_beta(jax.random.key(5), jnp.full(count, a), jnp.full(count, b)))
    assert np.isfinite(drawn).all() and drawn.min() >= 0 and drawn.max() <= 1
    shares = [((drawn <= x).mean(), stats.beta(a, b).cdf(x)) for x in (1e-30, 1e-3, 0.5)]
    error = np.sqrt(stats.beta(a, b).var() / count)
    assert abs(drawn.mean() - a / (a + b)) < 5 * error
    for share, true in shares:
        assert abs(share - true) < 5 * np.sqrt(true * (1 - true) / count), (share, true)


@pytest.mark.parametrize("mean", [0.0, 1.0, 1e-30])
def test_the_density_of_a_posterior_is_finite_everywhere(mean):
    arms = BetaArms(jnp.full(3, 0.01), jnp.array([0.01, 1.0, 5.0]))
    assert np.isfinite(arms.log_density(jnp.full(3, mean)))


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5, 500.0])
def test_samples_are_of_the_gamma_distribution(shape):
    drawn = sample_gamma(jax.random.key(2), jnp.full(20_000, shape))
    assert stats.kstest(np.asarray(drawn, np.float64), stats.gamma(shape).cdf).pvalue > 1e-3


def test_samples_at_once_do_not_depend_on_each_other():
    drawn = np.asarray(sample_beta(jax.random.key(3), jnp.ones((5000, 3)), jnp.ones((5000, 3))))
    correlations = np.corrcoef(drawn.T)
    assert np.abs(correlations - np.eye(3)).max() < 4 / np.sqrt(5000)


def test_vmap_of_sampling_is_the_loop_of_it():
    a, b = jnp.arange(1.0, 10.0).reshape(3, 3), jnp.arange(10.0, 1.0, -1.0).reshape(3, 3)
    at_once = jax.vmap(sample_beta)(jax.random.split(jax.random.key(4), 3), a, b)
    keys = list(jax.random.split(jax.random.key(4), 3))
    for row in range(3):
        np.testing.assert_allclose(sample_beta(keys[row], a[row], b[row]), at_once[row], rtol=1e-6)
