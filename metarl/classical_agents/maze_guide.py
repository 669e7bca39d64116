"""A guide in mazes: who knows the map, and walks the only way to the goal.

The guide reckons where it stands from what it has done. It heads for the middles of cells, so who
cuts corners is a little faster. It is a yardstick: a second episode cannot be much shorter than
the guide's.

Letters: n cells along one side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Environment, Maze, MazeState, Trial, make_agent
from metarl.errors import require

from .maze_steering import cell_of, distances_beyond, goal_cell, reckon, shut_sides, steer


class Memory(NamedTuple):
    """What a guide knows, and where it stands."""

    task: Maze
    ways: jax.Array  # [n, n] int32, at x, y: on which side the next cell is
    start: MazeState
    state: MazeState


def maze_guide(trial: Trial) -> Agent:
    """Returns the guide.

    Raises:
      InvalidInput: the environment is no maze of metarl's.
    """
    frames = frames_of_an_action("oracle", trial.environment)
    return make_agent(_know, _act, _reckon, frames, sees_task=True)


def frames_of_an_action(agent: str, environment: Environment) -> jax.Array:
    """Returns the number of frames.

    Raises:
      InvalidInput: the environment is no maze of metarl's.
    """
    require(
        "frame_skip" in environment.settings,
        f"Agent {agent!r} of mazes acts in metarl's own mazes, not in {environment.name!r}.",
    )
    return jnp.int32(environment.settings["frame_skip"])


def ways_to_goal(task: Maze) -> jax.Array:
    """Returns on which side of each cell the way to the goal goes on, [n, n] at x, y."""
    return distances_beyond(shut_sides(task), goal_cell(task)).argmin(axis=0)


def _know(frames: jax.Array, key: jax.Array, trial: Trial, task: Maze) -> Memory:
    del frames
    start = trial.environment.reset(key, task)[1]
    return Memory(task, ways_to_goal(task), start, start)


def _act(frames: jax.Array, key: jax.Array, memory: Memory, observation: Any):
    del key, observation
    x, y = cell_of(memory.state)
    arrived = goal_cell(memory.task)[x, y]
    return steer(memory.task, memory.state, memory.ways[x, y], arrived, frames), memory


def _reckon(
    frames: jax.Array,
    memory: Memory,
    observation: Any,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: Any,
) -> Memory:
    del observation, reward, next_observation
    walked = reckon(memory.task, memory.state, action, frames)
    over = terminated | truncated
    state = jax.tree.map(lambda new, old: jnp.where(over, old, new), walked, memory.start)
    return memory._replace(state=state)
