"""Who knows a dark maze: it takes the action that most probably leads to the goal in the steps that are left.

Of actions that are as good it takes the one by which the goal is reached sooner: the probabilities of all shorter
deadlines count too, so little that they decide nothing else.

Letters: n cells along one side, C = n²; H horizon.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import (
    Agent,
    DarkMaze,
    Trial,
    make_agent,
    neighbours,
    probabilities_to_reach,
)

_SOONER = 1e-4  # what a goal reached at once is worth more than one at the last moment


class Known(NamedTuple):
    """A maze as who knows it sees it."""

    leads_to: jax.Array  # [C, 4] int32
    values: jax.Array  # [H + 1, C] of standing in a cell with so many steps left
    left: jax.Array  # [] int32, steps


def is_dark_maze(trial: Trial) -> bool:
    """Whether the tasks are those of `dark-maze`."""
    task = jax.eval_shape(trial.environment.sample_task, jax.random.key(0))
    return isinstance(task, DarkMaze)


def dark_maze_guide() -> Agent:
    """Returns the agent that knows walls and goal: nobody earns more by expectation."""
    return make_agent(_know, _walk, _watch_the_clock, sees_task=True)


def _know(key: jax.Array, trial: Trial, task: DarkMaze) -> Known:
    del key
    horizon = trial.environment.horizon
    reached = probabilities_to_reach(task, horizon, trial.environment.settings["slip"])
    reached = reached.at[:, task.goal].set(1.0)
    values = reached + _SOONER * jnp.cumsum(reached, axis=0) / (horizon + 1)
    return Known(neighbours(task.walls), values, jnp.int32(horizon))


def _walk(key: jax.Array, known: Known, observation: jax.Array):
    del key
    values = known.values[known.left - 1]
    return jnp.argmax(values[known.leads_to[observation]]).astype(jnp.int32), known


def _watch_the_clock(
    known: Known,
    observation: Any,
    action: Any,
    reward: Any,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: Any,
) -> Known:
    del observation, action, reward, next_observation
    horizon = len(known.values) - 1
    return known._replace(left=jnp.where(terminated | truncated, horizon, known.left - 1))
