"""Multi-armed bandits: a pull is an episode of one step, and nothing is to be seen but rewards.

Letters: K arms.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.1.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from gymnasium import spaces

from metarl.errors import require

from .environment import Environment, Split, Step


class Bandit(NamedTuple):
    """A task."""

    means: jax.Array  # [K] mean reward of each arm


def bandit(arms: int = 5) -> Environment:
    """Returns the Bernoulli bandit whose means are drawn from U(0, 1).

    Args:
      arms: K.

    Raises:
      InvalidInput: `arms` is not positive.
    """
    require(arms >= 1, f"arms is {arms}; it must be at least 1.")

    def draw_task(key: jax.Array, split: Split) -> Bandit:
        del split
        return Bandit(jax.random.uniform(key, (arms,)))

    def reset(key: jax.Array, task: Bandit) -> tuple[jax.Array, tuple[()]]:
        del key, task
        return jnp.zeros((), jnp.int32), ()

    def step(key: jax.Array, state: tuple[()], action: jax.Array, task: Bandit) -> Step:
        luck = jax.random.uniform(key)
        reward = (luck < task.means[action]).astype(jnp.float32)
        ends = jnp.ones((), bool)
        return Step(jnp.zeros((), jnp.int32), state, reward, ends, ~ends, {})

    return Environment(
        name="bandit",
        settings={"arms": arms},
        observation_space=spaces.Discrete(1),
        action_space=spaces.Discrete(arms),
        horizon=1,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=lambda task: jnp.max(task.means),
        task_features=lambda task: 2 * task.means - 1,
        description="Bernoulli arms, means U(0, 1)",
    )
