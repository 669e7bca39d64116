"""Tabular Q-learning, with a rate that falls as a state and action is met again.

  Q(s, a) ← Q(s, a) + α / n(s, a)^ω (r + γ max Q(s', ·) - Q(s, a))

After a terminated step the maximum is 0; a truncated episode goes on in thought. An action is any at
random with probability ε, else the one of the highest value.

Letters: S states; A actions.

Reference: Watkins (1989), Learning from delayed rewards; Even-Dar & Mansour (2003), Learning rates
for Q-learning (the power ω).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Environment, Trial, make_agent

from .config import QLearningConfig
from .exploration import exploration_steps, explore


class Settings(NamedTuple):
    """Those of `QLearningConfig`, in its order; traced, so one program serves a whole grid."""

    first_epsilon: float
    last_epsilon: float
    exploration_share: float
    discount: float
    learning_rate: float
    learning_rate_power: float
    first_value: float


class Memory(NamedTuple):
    """What a learner knows of one task."""

    values: jax.Array  # [S, A] Q
    visits: jax.Array  # [S, A] n
    step: jax.Array  # [] int32, taken in the trial
    exploration_steps: jax.Array  # [] over which ε falls


def q_learning(environment: Environment, config: QLearningConfig) -> Agent:
    """Returns tabular Q-learning for an environment of finitely many observations and actions."""
    return make_agent(*_functions(environment), Settings(**dataclasses.asdict(config)))


@functools.cache
def _functions(environment: Environment) -> tuple[Callable, Callable, Callable]:
    states, actions = environment.observation_space, environment.action_space
    first = int(states.start)  # type: ignore[attr-defined]
    shape = (int(states.n), int(actions.n))  # type: ignore[attr-defined]

    def init(settings: Settings, key: jax.Array, trial: Trial, task: None) -> Memory:
        del key, task
        return Memory(
            values=jnp.full(shape, settings.first_value, jnp.float32),
            visits=jnp.zeros(shape),
            step=jnp.zeros((), jnp.int32),
            exploration_steps=exploration_steps(settings.exploration_share, trial),
        )

    def act(settings: Settings, key: jax.Array, memory: Memory, observation: jax.Array):
        values = memory.values[observation - first]
        action = explore(settings, key, memory.step, memory.exploration_steps, values)
        return action, memory

    def observe(
        settings: Settings,
        memory: Memory,
        observation: jax.Array,
        action: jax.Array,
        reward: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        next_observation: jax.Array,
    ) -> Memory:
        del truncated
        place = (observation - first, action)
        following = jnp.max(memory.values[next_observation - first])
        target = reward + settings.discount * jnp.where(terminated, 0.0, following)
        visits = memory.visits.at[place].add(1.0)
        rate = settings.learning_rate / visits[place] ** settings.learning_rate_power
        error = target - memory.values[place]
        return memory._replace(
            values=memory.values.at[place].add(rate * error), visits=visits, step=memory.step + 1
        )

    return init, act, observe
