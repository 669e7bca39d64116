"""An explorer of mazes that keeps to what it has decided until it stands in another cell, so that it can be imitated.

`maze_explorer` weighs all ways anew in every step. Where two are about as long, what it does next depends on
exactly where it stands, and who imitates it from pictures turns to and fro. This one decides when it enters a
cell, as an episode begins, and when what it heads for is no longer worth it:

    the goal not yet seen    the side beyond which a cell not yet seen is nearest, in steps, turns counted by
                             quarters; of equal ones the first of ahead, right, left, back
    seen                     the side on which the way to it goes on

and then turns towards the middle of the next cell, to the left if that is behind it, and walks as soon as that lies
roughly ahead, for walls are slid along; where it was blocked it turns on. Beyond a side lies what is reached
through it alone; a maze is a tree, so that is no part of what lies beyond another.

Letters: n cells along one side.

Reference: Yamauchi (1997), A frontier-based approach for autonomous exploration.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Maze, MazeState, Trial, make_agent, reach_in_maze

from .maze_explorer import cells_in_view
from .maze_steering import (
    FORWARD,
    LEFT,
    RIGHT,
    SIDES,
    aim_from,
    cell_of,
    distances_beyond,
    frames_of_an_action,
    goal_cell,
    reckon,
    shut_sides,
    start_again,
)

# Of a side that lies so many quarters to the left of ahead: quarters to turn, and its place among equal ones.
_QUARTERS, _ORDER = (0, 1, 2, 1), (0, 2, 3, 1)
_TIE = 0.1  # steps by which an earlier one of equal sides is preferred
_AHEAD = 0.45  # radians off what is headed for, within which it walks
_BEHIND = jnp.pi * 7 / 6  # radians to the left, up to which it turns left
_MOVED = 0.05  # cells


class Memory(NamedTuple):
    """What the explorer has seen, where it stands, and what it has decided."""

    task: Maze
    seen: jax.Array  # [n, n] bool, at x, y
    start: MazeState
    state: MazeState
    side: jax.Array  # [] int32, of the cell, through which it will leave
    blocked: jax.Array  # [] bool: it has just walked against a wall, and hardly moved


def maze_steady_explorer(trial: Trial) -> Agent:
    """Returns the explorer.

    Raises:
      InvalidInput: the environment is no maze of metarl's.
    """
    frames = frames_of_an_action("steady-frontier", trial.environment)
    return make_agent(_begin, _act, _look_around, frames, sees_task=True)


def beyond_each(shut: jax.Array, cell: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns how many cells it is to the nearest target beyond each side of a cell [4]; inf where there is none.

    Args:
      shut: [4, n, n], as of `shut_sides`, of a tree.
      cell: [2] int32.
      targets: [n, n] bool.
    """
    here = jnp.zeros_like(targets).at[cell[0], cell[1]].set(True)
    entering = jnp.stack([jnp.roll(here, (-x, -y), (0, 1)) for x, y in SIDES])  # [4, n, n]
    away = distances_beyond(shut | entering, targets & ~here)
    return 1 + away[:, cell[0], cell[1]]


def _decide(
    frames: jax.Array, task: Maze, seen: jax.Array, state: MazeState
) -> tuple[jax.Array, jax.Array]:
    """Returns through which side to leave the cell, and which sides are worth it [4] bool."""
    goal = goal_cell(task)
    targets = jnp.where((goal & seen).any(), goal, ~seen)
    cells = beyond_each(shut_sides(task), cell_of(state), targets)
    walked, turned = reach_in_maze(frames)
    ahead = jnp.round(state.heading / (jnp.pi / 2)).astype(jnp.int32)
    quarters = (jnp.arange(len(SIDES)) - ahead) % len(SIDES)  # to the left
    turning = jnp.array(_QUARTERS)[quarters] * (jnp.pi / 2) / turned
    steps = cells / walked + turning + _TIE * jnp.array(_ORDER)[quarters]
    return jnp.argmin(steps).astype(jnp.int32), jnp.isfinite(cells)


def _begin(frames: jax.Array, key: jax.Array, trial: Trial, task: Maze) -> Memory:
    start = trial.environment.reset(key, task)[1]
    seen = cells_in_view(shut_sides(task), start)
    side, _ = _decide(frames, task, seen, start)
    return Memory(task, seen, start, start, side, jnp.zeros((), bool))


def _act(frames: jax.Array, key: jax.Array, memory: Memory, observation: Any):
    del frames, key, observation
    task, state = memory.task, memory.state
    arrived = (goal_cell(task) & memory.seen)[*cell_of(state)]
    aim = aim_from(state, memory.side, arrived)
    left = (jnp.arctan2(aim[1], aim[0]) - state.heading) % (2 * jnp.pi)
    ahead = jnp.minimum(left, 2 * jnp.pi - left) < _AHEAD
    turn = jnp.where(left < _BEHIND, LEFT, RIGHT)
    return jnp.where(ahead & ~memory.blocked, FORWARD, turn), memory


def _look_around(
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
    task, before = memory.task, memory.state
    walked = reckon(task, before, action, frames)
    seen = memory.seen | cells_in_view(shut_sides(task), walked)
    over = terminated | truncated
    state = start_again(over, walked, memory.start)
    best, worth = _decide(frames, task, seen, state)
    elsewhere = over | (cell_of(state) != cell_of(before)).any()
    side = jnp.where(elsewhere | ~worth[memory.side], best, memory.side)
    moved = jnp.sum((walked.position - before.position) ** 2) > _MOVED**2
    blocked = (action == FORWARD) & ~moved & ~over
    return Memory(task, seen, memory.start, state, side, blocked)
