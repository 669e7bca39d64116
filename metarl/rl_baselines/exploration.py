"""Exploration of learners of action values: ε falls along a line over the first steps of a trial.

  ε[t] = ε_0 + min(t / t_1, 1) (ε_1 - ε_0),   t_1 = share · T

Letters: A actions; T steps of the trial.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp

from metarl.environments import Trial


class Epsilons(Protocol):
    """The part of the settings that an action needs; numbers, or traced ones."""

    @property
    def first_epsilon(self) -> Any: ...
    @property
    def last_epsilon(self) -> Any: ...


def exploration_steps(share: float | jax.Array, trial: Trial) -> jax.Array:
    """Returns t_1, over how many steps ε falls [] float32; at least one."""
    return jnp.maximum(jnp.float32(share) * trial.length, 1.0)


def explore(
    config: Epsilons, key: jax.Array, step: jax.Array, steps: jax.Array, values: jax.Array
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
