"""The outer-product memory: what it recalls of an action is what followed that action."""

from __future__ import annotations

from typing import Any, cast

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import ActionLayout, outer_product_memory, recurrent_policy, scored_head

STATES, ACTIONS, KEYS, VALUES, HIDDEN = 3, 2, 8, 4, 5
ALONE = ActionLayout(slice(1, 1 + ACTIONS), None, ACTIONS)
PAIRS = ActionLayout(slice(STATES, STATES + STATES * ACTIONS), slice(0, STATES), ACTIONS)


def memory(layout):
    """Returns the core as pure functions: init(key, x, state), step(params, x, state)."""
    make = outer_product_memory(HIDDEN, layout, KEYS, VALUES)
    stepping = hk.without_apply_rng(hk.transform(lambda x, state: make()(x, state)))
    recalling = hk.without_apply_rng(
        hk.transform(
            lambda x, state: (core := cast(Any, make()))._recall(core._embedding(), x, state)
        )
    )
    return _compiled(stepping), _compiled(recalling)


def _compiled(module):
    return hk.Transformed(jax.jit(module.init), jax.jit(module.apply))


def values_of(params, x):
    """Returns what one step adds under its key, written out."""
    module = {name.split("/")[-1]: jax.device_get(weights) for name, weights in params.items()}
    value = x @ module["value"]["w"] + module["value"]["b"]
    gate = x @ module["gate"]["w"] + module["gate"]["b"]
    return value / (1 + np.exp(-gate))


def test_each_action_recalls_the_sum_of_what_followed_it():
    """Keys start orthonormal, so nothing is confused."""
    stepping, recalling = memory(ALONE)
    generator = np.random.default_rng(0)
    done = generator.integers(ACTIONS, size=20)
    xs = np.concatenate(
        [np.ones((20, 1)), np.eye(ACTIONS)[done], generator.normal(size=(20, 1))], axis=1
    ).astype(np.float32)
    state = jnp.zeros((1, KEYS, VALUES))
    params = stepping.init(jax.random.key(0), xs[:1], state)
    for x in xs:
        _, state = stepping.apply(params, x[None], state)
    recalled = recalling.apply(params, xs[-1:], state)[0]  # [A, V]
    added = values_of(params, xs)
    expected = np.stack([added[done == action].sum(axis=0) for action in range(ACTIONS)])
    np.testing.assert_allclose(recalled, expected, rtol=1e-4, atol=1e-4)


def test_with_pairs_it_recalls_what_followed_in_the_state_that_is_seen_now():
    stepping, recalling = memory(PAIRS)
    pair = np.zeros((STATES, ACTIONS))
    pair[2, 1] = 1
    x = np.concatenate([[0, 1, 0], pair.ravel(), [0.5]]).astype(np.float32)[None]
    state = jnp.zeros((1, KEYS, VALUES))
    params = stepping.init(jax.random.key(0), x, state)
    _, state = stepping.apply(params, x, state)
    for seen in range(STATES):
        now = x.copy()
        now[0, :STATES] = np.eye(STATES)[seen]
        recalled = recalling.apply(params, now, state)[0]
        expected = np.zeros((ACTIONS, VALUES))
        expected[1] = values_of(params, x)[0] if seen == 2 else 0
        np.testing.assert_allclose(recalled, expected, atol=1e-5)


def test_without_scores_the_output_is_the_rest_of_it():
    stepping, _ = memory(ALONE)
    make = outer_product_memory(HIDDEN, ALONE, KEYS, VALUES, scored=False)
    plain = _compiled(hk.without_apply_rng(hk.transform(lambda x, state: make()(x, state))))
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    state = jnp.ones((2, KEYS, VALUES))
    params = stepping.init(jax.random.key(0), x, state)
    kept = plain.init(jax.random.key(1), x, state)
    assert len(kept) < len(params)
    params_of_both = {name: params[name] for name in kept}
    output, after = plain.apply(params_of_both, x, state)
    scored_output, scored_after = stepping.apply(params, x, state)
    assert output.shape == (2, HIDDEN) and scored_output.shape == (2, ACTIONS + HIDDEN)
    np.testing.assert_allclose(output, scored_output[:, ACTIONS:], rtol=1e-6)
    np.testing.assert_array_equal(after, scored_after)


@pytest.mark.parametrize("layout", [ALONE, PAIRS])
def test_its_policy_over_a_sequence_is_that_step_by_step(layout):
    features = layout.done.stop + 1
    policy = recurrent_policy(
        jax.ShapeDtypeStruct((features,), jnp.float32),
        lambda x: x,
        outer_product_memory(HIDDEN, layout, KEYS, VALUES),
        scored_head(ACTIONS),
        value="separate",
    )
    params, step = jax.jit(policy.init)(jax.random.key(0)), jax.jit(policy.step)
    xs = jax.random.normal(jax.random.key(1), (3, 6, features))
    state, logits, values = policy.initial_state(3), [], []
    for time in range(6):
        state, parameters, value = step(params, state, xs[:, time])
        logits.append(parameters)
        values.append(value)
    parameters, value = jax.jit(policy.apply)(params, xs)
    np.testing.assert_allclose(parameters, jnp.stack(logits, 1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(value, jnp.stack(values, 1), rtol=1e-4, atol=1e-6)
