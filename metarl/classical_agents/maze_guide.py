"""A guide in mazes: who knows the map, and walks the only way to the goal.

The guide reckons where it stands from what it has done. It heads for the middles of cells, so who
cuts corners is a little faster. It is a yardstick: a second episode cannot be much shorter than
the guide's.

Letters: n cells along one side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from metarl.environments import Agent, Maze, MazeState, Trial, make_agent

from .maze_steering import (
    cell_of,
    distances_beyond,
    frames_of_an_action,
    goal_cell,
    reckon,
    shut_sides,
    start_again,
    steer,
)


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
    return memory._replace(state=start_again(terminated | truncated, walked, memory.start))
