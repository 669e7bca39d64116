"""Variational bound, layer norm, attention, residual blocks and embeddings against naive loops."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.problems import load, variational
from metarl.problems.ngrams import embedding
from metarl.problems.residual import Block, residual_net, wide_blocks
from metarl.problems.transformer import attention, layer_norm


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_the_variational_bound_equals_its_formula_pixel_by_pixel(random):
    model = variational.autoencoder(pixels=5, hidden=3, code=2)
    params, _ = variational.start(model, jax.random.key(0))
    pixels = random.uniform(size=(4, 5)).astype(np.float32)
    noise = random.normal(size=(4, 2)).astype(np.float32)
    received = variational.bound(model, params, pixels, noise)
    w = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    surprises, divergences = [], []
    for row, draws in zip(pixels, noise, strict=True):
        moments = relu_net(w["encoder"], row)
        mean, log_variance = moments[:2], moments[2:]
        logits = relu_net(w["decoder"], mean + np.exp(log_variance / 2) * draws)
        shades = 1 / (1 + np.exp(-logits))
        surprises.append(-sum(row * np.log(shades) + (1 - row) * np.log(1 - shades)))
        variance = np.exp(log_variance)
        divergences.append(sum((mean**2 + variance - 1 - log_variance) / 2))
    assert float(received.reconstruction) == pytest.approx(np.mean(surprises), rel=1e-5)
    assert float(received.divergence) == pytest.approx(np.mean(divergences), rel=1e-4)


def applied(network, *given):
    """What a network answers to params, model state, inputs and whether it is trained; compiled."""
    return jax.jit(network.apply, static_argnums=3)(*given)


def relu_net(weights, row):
    return np.maximum(row @ weights["w0"] + weights["b0"], 0) @ weights["w1"] + weights["b1"]


def test_training_draws_noise_by_the_key_and_judging_draws_always_the_same():
    problem = load("digits-vae")
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    batch = {"inputs": problem.examples("train")["inputs"][:8]}
    keys = [jax.random.key(seed) for seed in (1, 1, 2)]
    losses = [float(problem.loss(params, model_state, batch, key)[0]) for key in keys]
    assert losses[0] == losses[1] != losses[2]
    judged = {float(problem.evaluate(params, model_state, batch)["loss"]) for _ in range(2)}
    assert len(judged) == 1


def test_layer_norm_equals_a_loop_over_rows(random):
    rows = random.normal(2.0, 3.0, size=(2, 3, 4)).astype(np.float32)
    scale, shift = random.normal(size=4), random.normal(size=4)
    received = layer_norm(jnp.array(rows), jnp.array(scale), jnp.array(shift))
    for i in range(2):
        for j in range(3):
            row = rows[i, j].astype(np.float64)
            expected = scale * (row - row.mean()) / np.sqrt(row.var() + 1e-5) + shift
            np.testing.assert_allclose(received[i, j], expected, atol=1e-5)


def test_attention_equals_a_loop_over_heads_and_places(random):
    rows = random.normal(size=(2, 5, 6)).astype(np.float32)
    look, out = random.normal(size=(6, 18)), random.normal(size=(6, 6))
    received = attention(
        jnp.array(rows), jnp.array(look, jnp.float32), jnp.array(out, jnp.float32), 2
    )
    for i in range(2):
        looked = rows[i] @ look  # [T, 3 H]: queries, keys, values, each head after head
        read = np.zeros((5, 6))
        for head in range(2):
            own = slice(3 * head, 3 * head + 3)
            queries, keys, values = (looked[:, 6 * part :][:, own] for part in range(3))
            for place in range(5):
                scores = [queries[place] @ keys[k] / np.sqrt(3) for k in range(place + 1)]
                weights = np.exp(scores) / np.exp(scores).sum()
                read[place, own] = sum(w * values[k] for k, w in enumerate(weights))
        np.testing.assert_allclose(received[i], read @ out, atol=1e-4)


def test_the_transformer_does_not_look_ahead():
    problem = load("python-docs-transformer")
    params, _ = jax.jit(problem.init)(jax.random.key(0))
    rows = jax.random.normal(jax.random.key(1), (1, 32, 32))
    block = params["blocks"][0]
    whole = attention(rows, block["look"], block["out"], 2)
    changed = attention(rows.at[:, 20:].add(1.0), block["look"], block["out"], 2)
    np.testing.assert_array_equal(whole[:, :20], changed[:, :20])
    assert not np.allclose(whole[:, 20:], changed[:, 20:])


def test_an_untrained_transformer_needs_about_as_many_bits_as_the_alphabet_has():
    problem = load("python-docs-transformer")
    batch = {"characters": problem.examples("test")["characters"][:16]}
    params, model_state = jax.jit(problem.init)(jax.random.key(0))
    scores = problem.evaluate(params, model_state, batch)
    assert float(scores["bits per character"]) == pytest.approx(problem.chance, abs=0.8)


def test_an_embedding_puts_the_rows_of_its_table_side_by_side():
    network = embedding(3, 2)
    params = {"table": jnp.array([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]])}
    received, _ = applied(network, params, (), jnp.array([[2, 0], [1, 1]]), True)
    np.testing.assert_array_equal(received, [[20, 21, 0, 1], [10, 11, 10, 11]])


def test_ngrams_are_the_beginnings_of_windows_of_their_split():
    beginnings = load("python-docs-ngram").examples("test")["characters"]
    known = {bytes(row) for row in load("python-docs-gru").examples("test")["characters"][:, :9]}
    assert beginnings.shape[1] == 9
    assert len({bytes(row) for row in beginnings} & known) > 0.5 * len(known)


def test_a_residual_block_that_adds_nothing_lets_images_pass(random):
    network = residual_net([Block(4, 4, False)], classes=3, side=4)
    params, model_state = jax.jit(network.init)(jax.random.key(0))
    params["blocks"][0]["conv1"] = jnp.zeros((3, 3, 4, 4))
    images = random.uniform(size=(5, 16)).astype(np.float32)
    received, _ = applied(network, params, model_state, images, False)
    without = dict(params, blocks=[dict(params["blocks"][0], conv0=jnp.zeros((3, 3, 4, 4)))])
    np.testing.assert_array_equal(
        received, applied(network, without, model_state, images, False)[0]
    )


def test_a_residual_block_equals_its_formula(random):
    network = residual_net([Block(2, 3, True)], classes=2, side=4)
    params, model_state = jax.jit(network.init)(jax.random.key(0))
    images = random.uniform(size=(3, 16)).astype(np.float32)
    received, _ = applied(
        network, params, model_state, images, False
    )  # running moments are 0 and 1
    w, block = params, params["blocks"][0]
    relu = lambda x: np.maximum(x, 0) / np.sqrt(1 + 1e-5)  # noqa: E731
    hidden = conv(images.reshape(3, 4, 4, 1), w["stem"]).reshape(3, 2, 2, 2, 2, 2).mean((2, 4))
    inner = relu(hidden)
    hidden = inner @ np.asarray(block["past"]) + conv(
        relu(conv(inner, block["conv0"])), block["conv1"]
    )
    expected = relu(hidden).mean(axis=(1, 2)) @ np.asarray(w["head"])
    np.testing.assert_allclose(received, expected, atol=1e-5)


def conv(images, kernel):
    """Returns the 3x3 convolution, place by place."""
    _, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    outputs = np.zeros((*images.shape[:3], kernel.shape[3]))
    for y in range(height):
        for x in range(width):
            square = padded[:, y : y + 3, x : x + 3]
            outputs[:, y, x] = np.einsum("bijc,ijcf->bf", square, np.asarray(kernel))
    return outputs


def test_a_wide_resnet_of_depth_16_has_six_blocks_that_widen_and_halve():
    assert wide_blocks(16, 4) == [
        Block(16, 64, False),
        Block(64, 64, False),
        Block(64, 128, True),
        Block(128, 128, False),
        Block(128, 256, True),
        Block(256, 256, False),
    ]


def test_running_moments_of_a_residual_net_move_in_training_alone(random):
    network = residual_net([Block(2, 2, True)], side=4)
    params, model_state = jax.jit(network.init)(jax.random.key(0))
    images = random.uniform(size=(4, 16)).astype(np.float32)
    moved = applied(network, params, model_state, images, True)[1]
    kept = applied(network, params, model_state, images, False)[1]
    assert not np.allclose(moved["blocks"][0]["norm0"].mean, 0)
    assert not np.allclose(moved["norm"].variance, 1)
    jax.tree.map(np.testing.assert_array_equal, kept, model_state)
