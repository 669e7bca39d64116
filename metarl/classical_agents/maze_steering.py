"""How agents that reckon where they stand walk through a maze, from the middle of a cell to that of the next.

    turn, as long as that brings the next cell ahead; else walk

A maze is a tree of cells: between two of them there is one way. Cells are at x, y; a side of a cell is
one of `SIDES`.

Letters: n cells along one side.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metarl.environments import Maze, MazeState, act_in_maze

SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))  # x, y to the neighbours of a cell
_FORWARD = 2


def shut_sides(task: Maze) -> jax.Array:
    """Returns whether a wall stands on each side of each cell [4, n, n]."""
    across, along = task.walls[0], task.walls[1].T  # [n + 1, n], [n, n + 1], both at x, y
    return jnp.stack([across[1:], along[:, 1:], across[:-1], along[:, :-1]])


def goal_cell(task: Maze) -> jax.Array:
    """Returns where the goal is, [n, n] bool."""
    size = task.walls.shape[-1]
    return task.goal == jnp.arange(size * size).reshape(size, size).T


def cell_of(state: MazeState) -> jax.Array:
    """Returns the cell [2] int32 one stands in."""
    return jnp.floor(state.position).astype(jnp.int32)


def distances_beyond(shut: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns how many cells it is from what lies beyond each side [4, n, n] to the nearest target; inf behind walls.

    Args:
      shut: [4, n, n], as of `shut_sides`.
      targets: [n, n] bool.
    """

    def beyond(distances: jax.Array) -> jax.Array:
        beside = [jnp.roll(distances, (-x, -y), (0, 1)) for x, y in SIDES]
        return jnp.where(shut, jnp.inf, jnp.stack(beside))

    def relax(_: int, distances: jax.Array) -> jax.Array:
        return jnp.minimum(distances, 1 + beyond(distances).min(axis=0))

    start = jnp.where(targets, 0.0, jnp.inf)
    return beyond(jax.lax.fori_loop(0, targets.size, relax, start))


def steer(
    task: Maze, state: MazeState, side: jax.Array, arrived: jax.Array, frames: jax.Array
) -> jax.Array:
    """Returns the action that leads to the middle of the next cell.

    Args:
      task: the maze.
      state: where one stands.
      side: [] on which of the `SIDES` the next cell is.
      arrived: [] bool; if so, the middle of this cell is headed for.
      frames: of an action.
    """
    aside = jnp.where(arrived, 0, jnp.array(SIDES)[side])
    aim = cell_of(state) + aside + 0.5 - state.position
    actions = jnp.arange(_FORWARD + 1)
    heading = jax.vmap(lambda action: act_in_maze(state, action, task, frames)[1])(actions)
    away = 1 - jnp.cos(heading - jnp.arctan2(aim[1], aim[0]))  # 0 ahead, 2 behind
    turn = jnp.argmin(away[:_FORWARD])
    return jnp.where(away[turn] < away[_FORWARD], turn, _FORWARD)


def reckon(task: Maze, state: MazeState, action: jax.Array, frames: jax.Array) -> MazeState:
    """Returns where an action has led within the episode."""
    position, heading, *_ = act_in_maze(state, action, task, frames)
    return MazeState(position, heading, state.time + 1)
