"""A core without memory: a policy that looks at the present step alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from metarl.controller import categorical_head, memoryless, recurrent_policy


def make_policy(sizes=(5, 4)):
    return recurrent_policy(
        jax.ShapeDtypeStruct((3,), jnp.float32),
        lambda inputs: inputs,
        memoryless(sizes),
        categorical_head(2),
        value="separate",
    )


def test_without_layers_the_head_reads_the_inputs():
    params = make_policy(sizes=()).init(jax.random.key(0))
    assert params["policy"]["head"]["logits"]["w"].shape == (3, 2)


def test_what_was_seen_before_changes_nothing():
    policy = make_policy()
    params = jax.jit(policy.init)(jax.random.key(0))
    inputs = jax.random.normal(jax.random.key(1), (2, 4, 3))
    logits, values = jax.jit(policy.apply)(params, inputs)
    again, values_again = jax.jit(policy.apply)(params, inputs[:, ::-1])
    np.testing.assert_allclose(again[:, ::-1], logits, rtol=1e-6)
    np.testing.assert_allclose(values_again[:, ::-1], values, rtol=1e-6)
    assert np.ptp(np.asarray(logits)) > 0


def test_acting_step_by_step_says_what_is_recomputed():
    policy = make_policy()
    params = jax.jit(policy.init)(jax.random.key(0))
    inputs = jax.random.normal(jax.random.key(1), (2, 4, 3))
    logits, values = jax.jit(policy.apply)(params, inputs)
    state = policy.initial_state(2)
    for step in range(4):
        state, now, value = policy.step(params, state, inputs[:, step])
        np.testing.assert_allclose(now, logits[:, step], rtol=1e-6)
        np.testing.assert_allclose(value, values[:, step], rtol=1e-6)
    assert not jax.tree.leaves(state)
