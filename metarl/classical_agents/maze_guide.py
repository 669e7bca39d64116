"""A guide in mazes: who knows the map, and walks the only way to the goal.

    turn, as long as that brings the next cell of the way ahead; else walk

A maze is a tree of cells, so there is one way. The guide reckons where it stands from what it has
done. It heads for the middles of cells, so who cuts corners is a little faster. It is a yardstick: a
second episode cannot be much shorter than the guide's.

Letters: n cells along one side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Maze, MazeState, Trial, act_in_maze, make_agent
from metarl.errors import require

_SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))  # x, y to the neighbours of a cell
_FORWARD = 2


class Memory(NamedTuple):
    """What a guide knows, and where it stands."""

    task: Maze
    ways: jax.Array  # [n, n] int32, at x, y: on which of the `_SIDES` the next cell is
    start: MazeState
    state: MazeState


def maze_guide(trial: Trial) -> Agent:
    """Returns the guide.

    Raises:
      InvalidInput: the environment is no maze of metarl's.
    """
    environment = trial.environment
    require(
        "frame_skip" in environment.settings,
        f"Agent 'oracle' of mazes acts in metarl's own mazes, not in {environment.name!r}.",
    )
    frames = jnp.int32(environment.settings["frame_skip"])
    return make_agent(_know, _act, _reckon, frames, sees_task=True)


def ways_to_goal(task: Maze) -> jax.Array:
    """Returns on which side of each cell the way to the goal goes on, [n, n] at x, y."""
    across, along = task.walls[0], task.walls[1].T  # [n + 1, n], [n, n + 1], both at x, y
    shut = jnp.stack([across[1:], along[:, 1:], across[:-1], along[:, :-1]])  # [4, n, n]
    size = shut.shape[-1]
    goal = task.goal == jnp.arange(size * size).reshape(size, size).T

    def of_neighbours(distances: jax.Array) -> jax.Array:
        beside = [jnp.roll(distances, (-x, -y), (0, 1)) for x, y in _SIDES]
        return jnp.where(shut, jnp.inf, jnp.stack(beside))

    def relax(_: int, distances: jax.Array) -> jax.Array:
        return jnp.minimum(distances, 1 + of_neighbours(distances).min(axis=0))

    distances = jax.lax.fori_loop(0, size * size, relax, jnp.where(goal, 0.0, jnp.inf))
    return of_neighbours(distances).argmin(axis=0)


def _know(frames: jax.Array, key: jax.Array, trial: Trial, task: Maze) -> Memory:
    del frames
    start = trial.environment.reset(key, task)[1]
    return Memory(task, ways_to_goal(task), start, start)


def _act(frames: jax.Array, key: jax.Array, memory: Memory, observation: Any):
    del key, observation
    task, state = memory.task, memory.state
    size = task.walls.shape[-1]
    cell = jnp.floor(state.position).astype(jnp.int32)
    here = cell[0] + size * cell[1] == task.goal
    aside = jnp.array(_SIDES)[memory.ways[cell[0], cell[1]]]
    aim = cell + jnp.where(here, 0, aside) + 0.5 - state.position
    actions = jnp.arange(_FORWARD + 1)
    heading = jax.vmap(lambda action: act_in_maze(state, action, task, frames)[1])(actions)
    away = 1 - jnp.cos(heading - jnp.arctan2(aim[1], aim[0]))  # 0 ahead, 2 behind
    turn = jnp.argmin(away[:_FORWARD])
    return jnp.where(away[turn] < away[_FORWARD], turn, _FORWARD), memory


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
    position, heading, *_ = act_in_maze(memory.state, action, memory.task, frames)
    walked = MazeState(position, heading, memory.state.time + 1)
    over = terminated | truncated
    state = jax.tree.map(lambda new, old: jnp.where(over, old, new), walked, memory.start)
    return memory._replace(state=state)
