"""Samples of Beta and Gamma distributions, held against scipy's distribution functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from metarl.classical_agents.beta_sampling import sample_beta, sample_gamma


@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 1.0), (0.5, 0.5), (1.0, 7.0), (30.0, 4.0), (260.0, 240.0)]
)
def test_samples_are_of_the_beta_distribution(a, b):
    drawn = sample_beta(jax.random.key(1), jnp.full(20_000, a), jnp.full(20_000, b))
    assert stats.kstest(np.asarray(drawn, np.float64), stats.beta(a, b).cdf).pvalue > 1e-3


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
