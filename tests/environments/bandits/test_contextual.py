"""Contextual bandits: what who knows the task can still have before a pull."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from metarl.environments import load


def test_the_oracle_has_the_mean_of_the_best_arm_for_the_context_that_is_shown():
    environment = load("contextual-bandit", arms=3, dimension=2)
    oracle, mean_reward = environment.oracle, environment.mean_reward
    assert oracle is not None and mean_reward is not None
    values, best = [], []
    for seed in range(20):
        task_key, reset_key = jax.random.split(jax.random.key(seed))
        task = environment.sample_task(task_key)
        _, state = environment.reset(reset_key, task)
        values.append(oracle.value(oracle.solve(task), state))
        best.append(max(float(mean_reward(state, jnp.int32(arm), task)) for arm in range(3)))
    np.testing.assert_allclose(values, best, rtol=1e-5)
    assert min(best) < 0 < max(best)
