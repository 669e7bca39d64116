"""What looks back in time, piece by piece: the linear recurrence, the delta rule, rotary positions."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import LinearRecurrentUnit
from metarl.controller.attention import turn
from metarl.controller.delta_memory import Write, write
from metarl.controller.linear import linear
from metarl.controller.linear_recurrence import recur, recur_at_once, recur_by_step


@pytest.mark.parametrize("compute", [recur, recur_by_step, recur_at_once])
def test_a_linear_recurrence_is_its_loop(compute):
    rng = np.random.default_rng(0)
    decay = 0.9 * np.exp(1j * rng.uniform(0, 3, size=4))
    driven = rng.normal(size=(6, 2, 4)) + 1j * rng.normal(size=(6, 2, 4))
    x, expected = np.zeros((2, 4), complex), []
    for v in driven:
        x = decay * x + v
        expected.append(x)
    found = jax.jit(compute)(decay.astype(np.complex64), driven.astype(np.complex64))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_ways_to_compute_a_linear_recurrence_have_the_same_gradients():
    rng = np.random.default_rng(1)
    decay = jnp.asarray(0.9 * np.exp(1j * rng.uniform(0, 3, size=4)), jnp.complex64)
    driven = rng.normal(size=(6, 2, 4)) + 1j * rng.normal(size=(6, 2, 4))
    driven = jnp.asarray(driven, jnp.complex64)

    def gradients(compute: Any) -> Any:
        def loss(decay: jax.Array, driven: jax.Array) -> jax.Array:
            return jnp.sum(jnp.abs(compute(decay, driven)) ** 2)

        return jax.jit(jax.grad(loss, (0, 1)))(decay, driven)

    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4),
        gradients(recur_by_step),
        gradients(recur_at_once),
    )


@pytest.mark.parametrize("leading", [(), (3,), (2, 3)])
def test_a_linear_layer_is_the_same_whatever_stands_before_the_features(leading):
    inputs = np.random.default_rng(2).normal(size=(*leading, 4)).astype(np.float32)
    layer = hk.without_apply_rng(hk.transform(lambda x: linear(x, 5, name="layer")))
    params = jax.jit(layer.init)(jax.random.key(0), inputs)
    matrix, bias = (np.asarray(params["layer"][name]) for name in "wb")
    expected = np.einsum("...f,fd->...d", inputs, matrix) + bias
    np.testing.assert_allclose(jax.jit(layer.apply)(params, inputs), expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def unit() -> tuple[Any, Any]:
    """A linear recurrent unit as step(params, u, x), and its first parameters."""
    size = 50
    network = hk.without_apply_rng(
        hk.transform(lambda u, x: LinearRecurrentUnit(size, ring=(0.8, 0.9), arc=0.5)(u, x))
    )
    start = jnp.zeros((1, size), jnp.complex64)
    params = jax.jit(network.init)(jax.random.key(0), jnp.ones((1, 3)), start)
    return network.apply, params


def test_a_linear_recurrent_unit_starts_on_its_ring_and_keeps_the_size_of_what_drives_it(unit):
    _, params = unit
    own = {name: np.asarray(x) for name, x in params["linear_recurrent_unit"].items()}
    sizes = np.exp(-np.exp(own["log_rate"]))
    assert 0.8 <= sizes.min() < 0.82 < 0.88 < sizes.max() <= 0.9
    assert 0 < np.exp(own["log_phase"]).min() < 0.05 < 0.45 < np.exp(own["log_phase"]).max() <= 0.5
    np.testing.assert_allclose(np.exp(own["log_scale"]), np.sqrt(1 - sizes**2), rtol=1e-4)


def test_a_linear_recurrent_unit_forgets_by_its_decay(unit):
    step, params = unit
    own = {name: np.asarray(x) for name, x in params["linear_recurrent_unit"].items()}
    decay = np.exp(-np.exp(own["log_rate"]) + 1j * np.exp(own["log_phase"]))
    before = jnp.full((1, 50), 2.0 + 1.0j, jnp.complex64)
    _, after = jax.jit(step)(params, jnp.zeros((1, 3)), before)
    np.testing.assert_allclose(after[0], decay * (2 + 1j), rtol=1e-4)


def written(steps: list[tuple[list[float], list[float], float]], query: list[float]) -> np.ndarray:
    """Returns what a memory of one head gives for a query after keys, values and strengths."""
    memory, read = jnp.zeros((1, 1, 2, 2)), jnp.zeros(0)
    for key, value, strength in steps:
        one = (np.asarray(x, np.float32)[None, None] for x in (key, value, strength, query))
        memory, read = write(memory, Write(*map(jnp.asarray, one)))
    return np.asarray(read)[0, 0]


ONE, OTHER = [1.0, 0.0], [0.0, 1.0]


@pytest.mark.parametrize(
    ("strength", "expected"), [(0.0, [3.0, 5.0]), (0.5, [5.0, 3.0]), (1.0, [7.0, 1.0])]
)
def test_the_delta_rule_replaces_what_a_key_held_by_its_strength(strength, expected):
    steps = [(ONE, [3.0, 5.0], 1.0), (OTHER, [9.0, 9.0], 1.0), (ONE, [7.0, 1.0], strength)]
    np.testing.assert_allclose(written(steps, ONE), expected)
    np.testing.assert_allclose(written(steps, OTHER), [9.0, 9.0])


def test_turned_keys_and_queries_tell_their_distance_alone():
    rng = np.random.default_rng(0)
    query, key = (jnp.asarray(rng.normal(size=(1, 1, 6)), jnp.float32) for _ in range(2))

    def product(t: int, s: int) -> float:
        return float(jnp.sum(turn(query, jnp.array([t])) * turn(key, jnp.array([s]))))

    assert product(0, 0) == pytest.approx(float(jnp.sum(query * key)), abs=1e-5)
    assert product(9, 4) == pytest.approx(product(505, 500), abs=1e-3)
    assert abs(product(9, 4) - product(9, 5)) > 1e-2
