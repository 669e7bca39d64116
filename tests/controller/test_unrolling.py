"""Cores that take many steps at once, against their own single steps."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import delta_rule, gru_below_delta_rule, lru, transformer, unroll

B, T, FEATURES, D = 2, 9, 3, 8
CUT, CONTEXT = 5, 4

CORES = {
    "lru": lru(D, layers=1),
    "delta-rule": delta_rule(D, layers=1, heads=2),
    "gru-delta-rule": gru_below_delta_rule(D, layers=1, heads=2),
    "transformer": transformer(D, layers=1, heads=2, context=CONTEXT),
}


class Results(NamedTuple):
    """What a core makes of T steps."""

    one_by_one: tuple[Any, Any]  # outputs, last state
    at_once: tuple[Any, Any]
    in_two_parts: tuple[Any, Any]
    gradients: tuple[Any, Any]  # one by one and at once, of parameters and inputs


@functools.cache
def results(name: str) -> Results:
    """The gradients are those of a random mixture of the last outputs."""
    make: Any = CORES[name]
    one = hk.without_apply_rng(hk.transform(lambda x, state: make()(x, state)))
    many = hk.without_apply_rng(hk.transform(lambda xs, state=None: unroll(make(), xs, state)))
    start = hk.transform(lambda: make().initial_state(B)).apply({}, None)
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(T, B, FEATURES)).astype(np.float32)
    mixture = rng.normal(size=(2, B, D)).astype(np.float32)

    def one_by_one(params: Any, xs: Any) -> Any:
        def advance(state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
            output, state = one.apply(params, x, state)
            return state, output

        state, outputs = jax.lax.scan(advance, start, xs)
        return outputs, state

    def mixed(way: Any, params: Any, xs: Any) -> Any:
        outputs, state = way(params, xs)
        return jnp.sum(outputs[-2:] * mixture), (outputs, state)

    @jax.jit
    def compute(params: Any) -> Results:
        (first, stepped), (second, whole) = (
            jax.grad(functools.partial(mixed, way), (0, 1), has_aux=True)(params, xs)
            for way in (one_by_one, many.apply)
        )
        before, state = many.apply(params, xs[:CUT])
        after, state = many.apply(params, xs[CUT:], state)
        parts = (jnp.concatenate([before, after]), state)
        return Results(stepped, whole, parts, (first, second))

    shapes = jax.eval_shape(one.init, jax.random.key(0), xs[0], start)
    params = jax.tree.map(lambda x: 0.5 * rng.normal(size=x.shape).astype(np.float32), shapes)
    return jax.device_get(compute(params))


def assert_close(found: Any, expected: Any, size: float = 1.0) -> None:
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a / size, b / size, atol=1e-5), found, expected
    )


@pytest.mark.parametrize("name", CORES)
def test_many_steps_at_once_are_single_steps_and_so_are_two_parts(name):
    outputs = results(name).one_by_one[0]
    assert outputs.shape == (T, B, D) and np.ptp(outputs) > 1
    assert_close(results(name).at_once, results(name).one_by_one)
    assert_close(results(name).in_two_parts, results(name).one_by_one)


@pytest.mark.parametrize("name", CORES)
def test_their_gradients_are_those_of_single_steps(name):
    expected, found = results(name).gradients
    assert_close(found, expected, size=max(np.abs(x).max() for x in jax.tree.leaves(expected)))


@pytest.mark.parametrize("name", CORES)
def test_all_that_was_seen_matters_and_nothing_beyond_the_context(name):
    first = T - 2 - (CONTEXT - 1) if name == "transformer" else 0  # that the last two outputs see
    for _, of_inputs in results(name).gradients:
        reached = np.abs(of_inputs).max(axis=(1, 2)) > 0  # [T]
        assert reached.tolist() == [False] * first + [True] * (T - first)
