"""Who knows where the goal of a grid is: it walks there and stays.

Letters: D cells along one side.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax

from metarl.environments import Agent, GridTask, Trial, cell_in_picture, make_agent

from .dark_room_agents import towards


def is_grid(trial: Trial) -> bool:
    """Whether the tasks are those of `gridworld`."""
    task = jax.eval_shape(trial.environment.sample_task, jax.random.key(0))
    return isinstance(task, GridTask)


def grid_guide(trial: Trial) -> Agent:
    """Returns the agent that walks the shortest way to the goal and stays there: nobody earns more.

    Where the grid is seen as a picture, it finds in it the cell where it is.
    """
    space = trial.environment.observation_space
    pictured = space.shape != ()
    size = trial.environment.settings["size"] if pictured else math.isqrt(int(space.n))  # pyright: ignore[reportAttributeAccessIssue]
    return make_agent(_know, _walker(size, pictured), _forget, sees_task=True)


@functools.cache
def _walker(size: int, pictured: bool) -> Any:
    def walk(key: jax.Array, goal: jax.Array, observation: jax.Array):
        del key
        place = cell_in_picture(observation, size) if pictured else observation
        return towards(place, goal, size), goal

    return walk


def _know(key: jax.Array, trial: Trial, task: GridTask) -> jax.Array:
    del key, trial
    return task.goal


def _forget(goal: jax.Array, *transition: Any) -> jax.Array:
    del transition
    return goal
