"""Exploration of learners of action values: ε falls along a line over the first steps of a trial.

  ε[t] = ε_0 + min(t / t_1, 1) (ε_1 - ε_0),   t_1 = share · T

Letters: A actions; T steps of the trial.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metarl.environments import Trial

from .config import Exploration


def exploration_steps(config: Exploration, trial: Trial) -> float:
    """Returns t_1, over how many steps ε falls; at least one."""
    return max(config.exploration_share * trial.length, 1.0)


def explore(
    config: Exploration, key: jax.Array, step: jax.Array, steps: jax.Array, values: jax.Array
) -> jax.Array:
    """Returns an action: any at random with probability ε, else one of the highest value.

    Args:
      config: first and last ε.
      key: consumed.
      step: t, how many were taken before.
      steps: t_1.
      values: of the actions [A]; of equal ones any is taken.
    """
    luck_key, any_key, tie_key = jax.random.split(key, 3)
    fallen = jnp.minimum(step / steps, 1.0)
    epsilon = config.first_epsilon + fallen * (config.last_epsilon - config.first_epsilon)
    any_action = jax.random.randint(any_key, (), 0, values.shape[0])
    best = jax.random.categorical(tie_key, jnp.where(values == jnp.max(values), 0.0, -jnp.inf))
    return jnp.where(jax.random.uniform(luck_key) < epsilon, any_action, best)
