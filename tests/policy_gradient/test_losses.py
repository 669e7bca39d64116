"""Losses against naive loops over the unmasked steps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.policy_gradient import clipped_surrogate, masked_mean, surrogate
from metarl.policy_gradient.losses import (
    explained_variance,
    kl_from_samples,
    prediction_loss,
    standardise,
)

B, T = 4, 5
RNG = np.random.default_rng(0)
NEW, OLD = jnp.asarray(np.log(RNG.uniform(0.1, 0.9, size=(2, B, T))))
ADVANTAGES = jnp.asarray(RNG.normal(size=(B, T)))
MASK = jnp.asarray(RNG.random((B, T)) < 0.6)
STEPS = list(zip(*np.nonzero(np.asarray(MASK)), strict=True))


def test_the_surrogate_agrees_with_a_naive_loop():
    terms = [np.exp(NEW[i] - OLD[i]) * ADVANTAGES[i] for i in STEPS]
    np.testing.assert_allclose(surrogate(NEW, OLD, ADVANTAGES, MASK), np.mean(terms), rtol=1e-5)


def test_the_clipped_surrogate_agrees_with_a_naive_loop():
    terms = []
    for i in STEPS:
        ratio = np.exp(NEW[i] - OLD[i])
        clipped = min(max(ratio, 0.8), 1.2)
        terms.append(min(ratio * ADVANTAGES[i], clipped * ADVANTAGES[i]))
    loss = clipped_surrogate(NEW, OLD, ADVANTAGES, MASK, 0.2)
    np.testing.assert_allclose(loss, np.mean(terms), rtol=1e-5)


def test_going_further_than_the_clip_earns_nothing_and_coming_back_does():
    def gradient(log_ratio, advantage):
        one = jnp.ones((1, 1))
        return jax.grad(
            lambda x: clipped_surrogate(x * one, 0 * one, advantage * one, one > 0, 0.2)
        )(log_ratio)

    assert gradient(0.5, 1.0) == 0  # already likelier by more than the clip
    assert gradient(-0.5, -1.0) == 0
    assert gradient(0.1, 1.0) > 0
    assert gradient(0.5, -1.0) < 0


def test_padding_of_any_kind_stays_out_of_values_and_gradients():
    rubbish = jnp.where(MASK, OLD, -1e38)
    value, gradient = jax.value_and_grad(
        lambda new: surrogate(new, rubbish, jnp.where(MASK, ADVANTAGES, 0.0), MASK)
    )(NEW)
    np.testing.assert_allclose(value, surrogate(NEW, OLD, ADVANTAGES, MASK), rtol=1e-5)
    assert jnp.isfinite(gradient).all()
    assert (np.asarray(gradient)[~np.asarray(MASK)] == 0).all()


def test_the_sampled_divergence_is_right_on_average():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
    actions = np.random.default_rng(1).choice(3, p=p, size=(100, 2_000))
    new, old = jnp.asarray(np.log(q)[actions]), jnp.asarray(np.log(p)[actions])
    estimate = kl_from_samples(new, old, jnp.ones(new.shape, bool))
    np.testing.assert_allclose(estimate, np.sum(p * np.log(p / q)), rtol=0.02)


def test_a_mean_without_steps_is_zero():
    assert masked_mean(jnp.full((2, 2), jnp.nan), jnp.zeros((2, 2), bool)) == 0
    np.testing.assert_array_equal(
        masked_mean(jnp.array([[1.0, 5.0], [3.0, 7.0]]), jnp.array([[1, 0], [1, 0]]) > 0, axis=0),
        [2.0, 0.0],
    )


def test_standardised_numbers_have_mean_zero_and_deviation_one():
    x = np.asarray(standardise(ADVANTAGES, MASK, ADVANTAGES))[np.asarray(MASK)]
    np.testing.assert_allclose([x.mean(), x.std()], [0, 1], atol=1e-5)
    constant = jnp.full((2, 2), 3.0)
    assert not standardise(constant, jnp.ones((2, 2), bool), constant).any()


def test_rounding_is_not_brought_to_the_size_of_news():
    """Returns of some hundred that the values know to the last bits."""
    returns = 300 + 100 * jax.random.normal(jax.random.key(0), (8, 20))
    values, mask = jnp.nextafter(returns, returns[:, ::-1]), jnp.ones((8, 20), bool)
    left = returns - values
    assert 0 < jnp.abs(left).max() < 1e-4
    assert jnp.abs(standardise(left, mask, returns)).max() < 0.02
    news = left.at[3, 4].set(1.0)
    x = standardise(news, mask, returns)
    assert x[3, 4] == pytest.approx(159**0.5, rel=1e-3)


def test_explained_variance_is_one_for_the_truth_and_zero_for_a_constant():
    returns, mask = ADVANTAGES, MASK
    np.testing.assert_allclose(explained_variance(returns + 3, returns, mask), 1, atol=1e-5)
    np.testing.assert_allclose(explained_variance(0 * returns, returns, mask), 0, atol=1e-5)
    assert explained_variance(returns, 0 * returns, mask) == 0


def test_the_loss_of_predictions_agrees_with_a_naive_loop():
    logits = {"place": RNG.normal(size=(B, T, 5)), "way": RNG.normal(size=(B, T, 3))}
    labels = {name: RNG.integers(0, x.shape[-1], (B, T)) for name, x in logits.items()}
    loss, metrics = prediction_loss(
        jax.tree.map(jnp.asarray, logits), jax.tree.map(jnp.asarray, labels), MASK
    )
    expected = 0.0
    for name, x in logits.items():
        right = {i: labels[name][i] for i in STEPS}
        p = {i: np.exp(x[i]) / np.exp(x[i]).sum() for i in STEPS}
        expected -= np.mean([np.log(p[i][right[i]]) for i in STEPS])
        share = np.mean([p[i].argmax() == right[i] for i in STEPS])
        np.testing.assert_allclose(metrics[f"accuracy_{name}"], share, rtol=1e-6)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert metrics["auxiliary_loss"] == loss
