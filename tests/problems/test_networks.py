"""The building blocks against naive loops and against JAX's own convolution."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.problems import linear, mlp
from metarl.problems.convolutions import (
    Moments,
    batch_norm,
    conv3x3,
    conv_net,
    mean_pool,
)
from metarl.problems.networks import in_series
from metarl.problems.supervised import cross_entropy


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_convolution_by_shifted_slices_equals_the_convolution_of_jax(random):
    images = random.normal(size=(3, 6, 8, 2)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 2, 5)).astype(np.float32)
    expected = jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(conv3x3(images, kernel), expected, atol=1e-5)


def test_batch_norm_in_training_uses_the_batch_and_moves_the_running_moments(random):
    images = random.normal(2.0, 3.0, size=(4, 2, 2, 3)).astype(np.float32)
    scale, shift = np.array([1.0, 2.0, 3.0]), np.array([0.0, -1.0, 1.0])
    running = Moments(jnp.array([1.0, 1.0, 1.0]), jnp.array([2.0, 2.0, 2.0]))
    received, following = batch_norm(images, jnp.array(scale), jnp.array(shift), running, True)
    for channel in range(3):
        values = images[..., channel].astype(np.float64)
        normal = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
        expected = scale[channel] * normal + shift[channel]
        np.testing.assert_allclose(received[..., channel], expected, atol=1e-4)
        assert following.mean[channel] == pytest.approx(0.9 + 0.1 * values.mean(), rel=1e-5)
        assert following.variance[channel] == pytest.approx(1.8 + 0.1 * values.var(), rel=1e-5)


def test_batch_norm_in_evaluation_uses_the_running_moments_and_keeps_them(random):
    images = random.normal(size=(4, 2, 2, 3)).astype(np.float32)
    running = Moments(jnp.array([1.0, 0.0, -1.0]), jnp.array([2.0, 1.0, 0.5]))
    ones, zeros = jnp.ones(3), jnp.zeros(3)
    received, following = batch_norm(images, ones, zeros, running, False)
    for channel in range(3):
        mean, variance = float(running.mean[channel]), float(running.variance[channel])
        expected = (images[..., channel] - mean) / np.sqrt(variance + 1e-5)
        np.testing.assert_allclose(received[..., channel], expected, atol=1e-5)
    assert following is running


def test_the_convolutional_net_in_evaluation_treats_every_image_by_itself(random):
    network = conv_net()
    params, model_state = jax.jit(network.init)(jax.random.key(0))
    apply = jax.jit(network.apply, static_argnums=3)
    images = random.uniform(size=(5, 64)).astype(np.float32)
    together, following = apply(params, model_state, images, False)
    alone = [apply(params, model_state, images[i : i + 1], False)[0] for i in range(2)]
    np.testing.assert_allclose(together[:2], np.concatenate(alone), atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, following, model_state)
    trained, moved = apply(params, model_state, images, True)
    assert trained.shape == (5, 10)
    assert not np.allclose(moved["norm1"].mean, model_state["norm1"].mean)


def test_mean_pool_averages_squares():
    images = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(mean_pool(images)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])


def test_an_mlp_is_its_layers_one_after_the_other(random):
    network = mlp(4, 3, 2)
    params, model_state = jax.jit(network.init)(jax.random.key(0))
    rows = random.normal(size=(5, 4)).astype(np.float32)
    received, _ = jax.jit(network.apply, static_argnums=3)(params, model_state, rows, True)
    w = jax.tree.map(np.asarray, params)
    expected = np.maximum(rows @ w["w0"] + w["b0"], 0) @ w["w1"] + w["b1"]
    np.testing.assert_allclose(received, expected, atol=1e-6)
    assert model_state == ()


def test_networks_in_series_hand_outputs_on_and_keep_both_states(random):
    network = in_series(conv_net(2, 4), mlp(4, 2))
    params, model_state = jax.jit(network.init)(jax.random.key(0))
    images = random.uniform(size=(3, 64)).astype(np.float32)
    received, following = jax.jit(network.apply, static_argnums=3)(
        params, model_state, images, True
    )
    alone = jax.jit(conv_net(2, 4).apply, static_argnums=3)
    hidden, moved = alone(params["first"], model_state[0], images, True)
    w = jax.tree.map(np.asarray, params["second"])
    np.testing.assert_allclose(received, np.asarray(hidden) @ w["w0"] + w["b0"], atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, following, (moved, ()))


def test_weights_start_as_he_and_glorot_say():
    params, _ = mlp(200, 100, 300).init(jax.random.key(0))
    assert float(params["w0"].std()) == pytest.approx((2 / 200) ** 0.5, rel=0.03)
    assert float(params["w1"].std()) == pytest.approx((2 / 400) ** 0.5, rel=0.03)


def test_a_linear_map_starts_at_zero():
    params, _ = linear(3, 2).init(jax.random.key(0))
    assert params["w"].shape == (3, 2)
    assert all(not leaf.any() for leaf in jax.tree.leaves(params))


def test_cross_entropy_equals_a_loop_over_rows(random):
    logits, labels = random.normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 2, 3, 3, 1])
    terms = []
    for row, label in zip(logits.astype(np.float64), labels, strict=True):
        terms.append(-np.log(np.exp(row[label]) / np.exp(row).sum()))
    assert float(cross_entropy(jnp.array(logits), jnp.array(labels))) == pytest.approx(
        np.mean(terms), rel=1e-6
    )


def test_cross_entropy_stays_finite_for_huge_logits():
    logits = jnp.array([[1e4, -1e4]])
    assert float(cross_entropy(logits, jnp.array([1]))) == pytest.approx(2e4)


@pytest.mark.parametrize("sizes", [(), (4,), (4, 0), (4, 2.5)])
def test_an_mlp_refuses_sizes_it_cannot_have(sizes):
    with pytest.raises(InvalidInput, match="at least two whole numbers of units"):
        mlp(*sizes)
