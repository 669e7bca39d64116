"""Distributions against enumeration, scipy, and their own samples."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from metarl.controller import Categorical, DiagonalGaussian, GaussianParameters, mask_logits

LOGITS = jnp.array([[0.3, -1.0, 2.0, 0.0], [0.0, 0.0, 5.0, -3.0]])
OTHER = jnp.array([[0.1, 0.4, 1.0, -2.0], [1.0, -1.0, 0.0, 0.5]])
MASK = jnp.array([[True, False, True, True], [False, True, False, False]])
P = GaussianParameters(jnp.array([[0.5, -1.0]]), jnp.array([[-0.3, 0.2]]))
Q = GaussianParameters(jnp.array([[0.1, 0.3]]), jnp.array([[0.4, -0.6]]))


@pytest.mark.parametrize("mask", [jnp.ones_like(MASK), MASK])
def test_a_categorical_agrees_with_enumeration(mask):
    p, q = (np.asarray(jax.nn.softmax(mask_logits(x, mask))) for x in (LOGITS, OTHER))
    distribution, masked_p, masked_q = (
        Categorical(),
        mask_logits(LOGITS, mask),
        mask_logits(OTHER, mask),
    )
    for row in range(2):
        allowed = np.flatnonzero(mask[row])
        entropy = -sum(p[row, a] * np.log(p[row, a]) for a in allowed)
        kl = sum(p[row, a] * np.log(p[row, a] / q[row, a]) for a in allowed)
        np.testing.assert_allclose(distribution.entropy(masked_p)[row], entropy, atol=1e-6)
        np.testing.assert_allclose(distribution.kl(masked_p, masked_q)[row], kl, atol=1e-6)
        for a in allowed:
            log_prob = distribution.log_prob(masked_p, jnp.array([a, a]))[row]
            np.testing.assert_allclose(log_prob, np.log(p[row, a]), atol=1e-5)


def test_masked_actions_have_probability_exactly_zero():
    probabilities = np.asarray(jax.nn.softmax(mask_logits(LOGITS, MASK)))
    assert (probabilities[~np.asarray(MASK)] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-6)


@pytest.mark.parametrize("mask", [MASK, jnp.zeros_like(MASK)], ids=["some", "nothing allowed"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_masks_keep_values_and_gradients_finite(mask, dtype):
    def everything(logits, other):
        p, q = mask_logits(logits, mask), mask_logits(other, mask)
        distribution, action = Categorical(), jnp.argmax(p, axis=-1)
        terms = (
            distribution.entropy(p),
            distribution.kl(p, q),
            distribution.log_prob(p, action),
        )
        return sum(term.sum() for term in terms)

    gradient = jax.grad(everything, argnums=(0, 1))
    for x in (everything, gradient):
        result = x(LOGITS.astype(dtype), OTHER.astype(dtype))
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(result))


def test_the_gradient_does_not_reach_masked_logits():
    gradient = jax.grad(lambda x: Categorical().entropy(mask_logits(x, MASK)).sum())(LOGITS)
    assert (np.asarray(gradient)[~np.asarray(MASK)] == 0).all()


def test_samples_of_a_masked_categorical_are_allowed_and_as_frequent_as_they_should_be():
    logits = jnp.broadcast_to(mask_logits(LOGITS, MASK)[0], (20_000, 4))
    actions = np.asarray(Categorical().sample(jax.random.key(0), logits))
    frequencies = np.bincount(actions, minlength=4) / len(actions)
    assert frequencies[1] == 0
    np.testing.assert_allclose(frequencies, jax.nn.softmax(logits[0]), atol=0.015)


def test_a_gaussian_agrees_with_scipy():
    distribution, action = DiagonalGaussian(), jnp.array([[0.2, 0.9]])
    mean, deviation = np.asarray(P.mean), np.exp(np.asarray(P.log_deviation))
    log_density = scipy.stats.norm.logpdf(np.asarray(action), mean, deviation)
    entropy = np.asarray(scipy.stats.norm.entropy(mean, deviation))
    np.testing.assert_allclose(distribution.log_prob(P, action), log_density.sum(-1), atol=1e-5)
    np.testing.assert_allclose(distribution.entropy(P), entropy.sum(-1), atol=1e-5)


@pytest.mark.parametrize(
    ("distribution", "p", "q"),
    [
        (DiagonalGaussian(), P, Q),
        (Categorical(), mask_logits(LOGITS, MASK)[:1], mask_logits(OTHER, MASK)[:1]),
    ],
    ids=["gaussian", "categorical"],
)
def test_the_divergence_is_the_mean_log_ratio_of_samples(distribution, p, q):
    n = 100_000
    many_p, many_q = jax.tree.map(lambda x: jnp.repeat(x, n, axis=0), (p, q))
    action = distribution.sample(jax.random.key(0), many_p)
    log_ratio = distribution.log_prob(many_p, action) - distribution.log_prob(many_q, action)
    np.testing.assert_allclose(distribution.kl(p, q)[0], log_ratio.mean(), rtol=0.02)
    np.testing.assert_allclose(distribution.kl(p, p), 0, atol=1e-6)


def test_the_mode_is_the_likeliest_action():
    np.testing.assert_array_equal(Categorical().mode(mask_logits(LOGITS, MASK)), [2, 1])
    np.testing.assert_array_equal(DiagonalGaussian().mode(P), P.mean)


@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_actions_of_any_shape_are_the_numbers_in_a_row(shape):
    """A number and a matrix, one and in a batch: drawn, likeliest and as likely as the vector is."""
    size = int(np.prod(shape))
    plain, shaped = DiagonalGaussian(), DiagonalGaussian(shape)
    for leading in ((), (3,)):
        mean = jnp.arange(1.0, 1 + 3 * size).reshape(3, size)[(0,) * (not leading)]
        parameters = GaussianParameters(mean, jnp.full_like(mean, -0.5))
        drawn = shaped.sample(jax.random.key(0), parameters)
        flat = plain.sample(jax.random.key(0), parameters)
        assert drawn.shape == shaped.mode(parameters).shape == (*leading, *shape)
        np.testing.assert_array_equal(drawn.ravel(), flat.ravel())
        np.testing.assert_array_equal(
            shaped.log_prob(parameters, drawn), plain.log_prob(parameters, flat)
        )
