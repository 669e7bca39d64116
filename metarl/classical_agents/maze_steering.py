"""How agents that reckon where they stand walk through a maze, from the middle of a cell to that of the next.

    turn, as long as that brings the next cell ahead; else walk

A maze is a tree of cells: between two of them there is one way. Cells are at x, y; a side of a cell is
one of `SIDES`.

Letters: n cells along one side.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metarl.environments import (
    MAZE_ACTIONS,
    MAZE_SIDES,
    Environment,
    Maze,
    MazeState,
    act_in_maze,
    cells_beyond,
    edges_by_side,
)
from metarl.errors import require

SIDES = MAZE_SIDES
LEFT, RIGHT, FORWARD = MAZE_ACTIONS


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


def shut_sides(task: Maze) -> jax.Array:
    """Returns whether a wall stands on each side of each cell [4, n, n]."""
    return edges_by_side(task.walls)


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
        return jnp.where(shut, jnp.inf, cells_beyond(distances))

    def relax(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        distances, _ = carry
        shorter = jnp.minimum(distances, 1 + beyond(distances).min(axis=0))
        return shorter, (shorter < distances).any()

    start = (jnp.where(targets, 0.0, jnp.inf), jnp.array(True))
    return beyond(jax.lax.while_loop(lambda carry: carry[1], relax, start)[0])


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
    aim = aim_from(state, side, arrived)
    actions = jnp.arange(FORWARD + 1)
    heading = jax.vmap(lambda action: act_in_maze(state, action, task, frames)[1])(actions)
    away = 1 - jnp.cos(heading - jnp.arctan2(aim[1], aim[0]))  # 0 ahead, 2 behind
    turn = jnp.argmin(away[:FORWARD])
    return jnp.where(away[turn] < away[FORWARD], turn, FORWARD)


def aim_from(state: MazeState, side: jax.Array, arrived: jax.Array) -> jax.Array:
    """Returns the way [2], in cells, to the middle of the next cell, or of this one if `arrived`; see `steer`."""
    aside = jnp.where(arrived, 0, jnp.array(SIDES)[side])
    return cell_of(state) + aside + 0.5 - state.position


def reckon(task: Maze, state: MazeState, action: jax.Array, frames: jax.Array) -> MazeState:
    """Returns where an action has led within the episode."""
    position, heading, *_ = act_in_maze(state, action, task, frames)
    return MazeState(position, heading, state.time + 1)


def start_again(over: jax.Array, state: MazeState, start: MazeState) -> MazeState:
    """Returns where one stands then: at the start if the episode is over."""
    return jax.tree.map(lambda new, old: jnp.where(over, old, new), state, start)
