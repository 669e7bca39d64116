"""The GRU against the same equations, written out in numpy."""

from __future__ import annotations

import haiku as hk
import jax
import numpy as np
import pytest

from metarl.controller import gru

B, F, H = 2, 3, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def run(core, key=0):
    network = hk.without_apply_rng(hk.transform(lambda inputs, state: core()(inputs, state)))
    rng = np.random.default_rng(key)
    inputs = rng.normal(size=(B, F)).astype(np.float32)
    state = rng.normal(size=(B, H)).astype(np.float32)
    params = jax.jit(network.init)(jax.random.key(key), inputs, state)
    return params["gru"], inputs, state, jax.jit(network.apply)(params, inputs, state)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_gru_follows_its_equations(activation):
    f = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}[activation]
    params, x, h, (output, state) = run(
        gru(H, {"tanh": jax.numpy.tanh, "relu": jax.nn.relu}[activation])
    )

    w, u, b = (np.asarray(params[name]) for name in ("input_weights", "hidden_weights", "bias"))
    gate = [slice(0, H), slice(H, 2 * H), slice(2 * H, 3 * H)]
    r = sigmoid(x @ w[:, gate[0]] + h @ u[:, gate[0]] + b[gate[0]])
    z = sigmoid(x @ w[:, gate[1]] + h @ u[:, gate[1]] + b[gate[1]])
    c = f(x @ w[:, gate[2]] + r * (h @ u[:, gate[2]]) + b[gate[2]])

    np.testing.assert_allclose(state, (1 - z) * h + z * c, atol=1e-5)
    np.testing.assert_array_equal(output, state)


def test_each_recurrent_matrix_of_a_gru_starts_orthogonal():
    params = run(gru(H))[0]
    for matrix in np.split(np.asarray(params["hidden_weights"]), 3, axis=1):
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(H), atol=1e-5)


def test_normalised_weights_do_not_depend_on_the_length_of_their_columns():
    core = gru(H, normalise_weights=True)
    network = hk.without_apply_rng(hk.transform(lambda inputs, state: core()(inputs, state)))
    params, x, h, (output, _) = run(core)
    longer = dict(params, hidden_weights=3 * params["hidden_weights"])
    np.testing.assert_allclose(jax.jit(network.apply)({"gru": longer}, x, h)[0], output, atol=1e-5)
    stretched = dict(params, hidden_weights_length=3 * params["hidden_weights_length"])
    assert not np.allclose(jax.jit(network.apply)({"gru": stretched}, x, h)[0], output, atol=1e-3)
