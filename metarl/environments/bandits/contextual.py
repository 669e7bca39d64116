"""Contextual bandits: before each pull a context is seen, and which arm is best hangs on it.

    x ~ N(0, I / d)   the context of a pull, d numbers, shown
    θₖ ~ N(0, I)      of each arm; all θ together are the task
    r = x · θₖ + noise N(0, 1)

so an arm's mean reward has the variance 1, whatever d. A pull is an episode of one step.

Letters: K arms; d numbers of a context.

Reference: Li, Chu, Langford, Schapire (2010), "A contextual-bandit approach to personalized news article
recommendation", WWW, arXiv:1003.0146 (disjoint linear models).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from ..contract.environment import Environment, Oracle, Split, Step
from ..contract.setting_checks import real_number, refuse_huge, whole_number
from .picture import draw_arms_in_context


class ContextualBandit(NamedTuple):
    """A task."""

    weights: jax.Array  # θ [K, d]


class ContextState(NamedTuple):
    """What is to be seen before a pull."""

    context: jax.Array  # x [d]


def contextual_bandit(arms: int = 5, dimension: int = 4, noise: float = 0.3) -> Environment:
    """Returns contextual bandits; the module's docstring tells their rules.

    Args:
      arms: K.
      dimension: d.
      noise: deviation of a reward from its mean, at least 0.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    arms, dimension = whole_number("arms", arms), whole_number("dimension", dimension)
    noise = real_number("noise", noise, 0.0)
    refuse_huge("contextual bandit", arms * dimension)

    def draw_task(key: jax.Array, split: Split) -> ContextualBandit:
        del split
        return ContextualBandit(jax.random.normal(key, (arms, dimension)))

    def reset(key: jax.Array, task: ContextualBandit) -> tuple[jax.Array, ContextState]:
        del task
        context = jax.random.normal(key, (dimension,)) / math.sqrt(dimension)
        return context, ContextState(context)

    def mean_reward(state: ContextState, action: jax.Array, task: ContextualBandit) -> jax.Array:
        return state.context @ task.weights[action]

    def step(
        key: jax.Array, state: ContextState, action: jax.Array, task: ContextualBandit
    ) -> Step:
        reward = mean_reward(state, action, task) + noise * jax.random.normal(key)
        ends = jnp.ones((), bool)
        return Step(state.context, state, reward, ends, ~ends, {})

    return Environment(
        name="contextual-bandit",
        settings={"arms": arms, "dimension": dimension, "noise": noise},
        observation_space=spaces.Box(-np.inf, np.inf, (dimension,), np.float32),
        action_space=spaces.Discrete(arms),
        horizon=1,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        mean_reward=mean_reward,
        oracle=Oracle(
            solve=lambda task: task.weights,
            value=lambda weights, state: jnp.max(weights @ state.context),
        ),
        task_features=lambda task: task.weights.ravel(),
        views={"arms": draw_arms_in_context},
        description=f"{arms} arms, rewards linear in a context of {dimension} numbers, noise N(0, {noise:g}²)",
    )
