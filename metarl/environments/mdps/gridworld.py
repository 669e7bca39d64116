"""Grids with a goal that is not shown: where it is must be found out, and then remembered.

Five actions: up, right, down, left, stay; a wall holds one back. A step costs 0.1, a step that ends
on the goal brings 1 instead. Reaching the goal does not end the episode, so one who knows it walks
there and stays. The observation is the cell; cells are numbered row by row from the bottom left. With
`pixels` it is a picture of the grid from above instead, the cell one is in dark, for learners that want
pictures; the goal is not in it.

There are finitely many tasks, so they are dealt out, once and for all:

  start="random"   a task is a start and a goal; the pairs are dealt 70 : 15 : 15 to train, validation
                   and test, so a test task was never trained on
  start="corner"   as in VariBAD: start at the bottom left, any goal but in the four cells around it;
                   21 goals on a 5 x 5 grid, shared by all splits

Letters: D cells along one side; H horizon; P pixels along a cell.

Reference: Zintgraf et al. (2020), arXiv:1910.08348, section 5.1.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.canvas import BODY, GROUND
from ..contract.dealing import deal_out
from ..contract.environment import SPLITS, Environment, Oracle, Split, Step
from ..contract.setting_checks import one_of, whole_number
from .pictures import draw_grid

STARTS = {
    "random": "random starts and goals, disjoint splits",
    "corner": "starts in a corner, all splits share the goals",
}
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [0, 0]])  # up, right, down, left, stay
STEP_REWARD, GOAL_REWARD = -0.1, 1.0
MOST_CELLS_ALONG = 32  # a million starts and goals
MOST_PIXELS_ALONG = 512


class GridTask(NamedTuple):
    """A task."""

    start: jax.Array  # [] int32, a cell
    goal: jax.Array  # [] int32, a cell


class GridState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a cell
    time: jax.Array  # [] int32


def gridworld(
    size: int = 5, horizon: int = 15, start: str = "random", pixels: int = 0
) -> Environment:
    """Returns grids of unknown goal.

    Args:
      size: D.
      horizon: H; then an episode is truncated.
      start: "random" or "corner"; see the module's docstring.
      pixels: P; the observation is then a picture [D P, D P, 3] of numbers from -1 to 1. 0: it is the cell.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    start = one_of("start", start, STARTS)
    size = whole_number("size", size, 3 if start == "corner" else 2)
    horizon, pixels = whole_number("horizon", horizon), whole_number("pixels", pixels, 0)
    require(
        size <= MOST_CELLS_ALONG,
        f"size is {size}; at most {MOST_CELLS_ALONG} are accepted, since the tasks are dealt out.",
    )
    along = size * pixels
    require(
        along <= MOST_PIXELS_ALONG,
        f"size is {size} and pixels {pixels}, which makes pictures of {along} x {along} pixels; at most "
        f"{MOST_PIXELS_ALONG} along a side are accepted.",
    )
    tasks = deal(size, start)

    def draw_task(key: jax.Array, split: Split) -> GridTask:
        pairs = jnp.asarray(tasks[split])  # [N, 2]
        pair = pairs[jax.random.randint(key, (), 0, len(pairs))]
        return GridTask(pair[0], pair[1])

    def destination(place: jax.Array, action: jax.Array) -> jax.Array:
        moved = _coordinates(place, size) + jnp.asarray(MOVES, jnp.int32)[action]
        column, row = jnp.clip(moved, 0, size - 1)
        return row * size + column

    def reward_at(place: jax.Array, task: GridTask) -> jax.Array:
        return jnp.where(place == task.goal, GOAL_REWARD, STEP_REWARD)

    def look(place: jax.Array) -> jax.Array:
        return picture(place, size, pixels) if pixels else place

    def reset(key: jax.Array, task: GridTask) -> tuple[jax.Array, GridState]:
        del key
        return look(task.start), GridState(task.start, jnp.zeros((), jnp.int32))

    def step(key: jax.Array, state: GridState, action: jax.Array, task: GridTask) -> Step:
        del key
        place, time = destination(state.place, action), state.time + 1
        reward = reward_at(place, task)
        state = GridState(place, time)
        return Step(look(place), state, reward, jnp.zeros((), bool), time >= horizon, {})

    def mean_reward(state: GridState, action: jax.Array, task: GridTask) -> jax.Array:
        return reward_at(destination(state.place, action), task)

    def value(goal: jax.Array, state: GridState) -> jax.Array:
        between = _coordinates(goal, size) - _coordinates(state.place, size)
        away = jnp.maximum(jnp.sum(jnp.abs(between)), 1)  # who is on the goal stays
        left = horizon - state.time
        on_goal = jnp.maximum(left - away + 1, 0)
        return GOAL_REWARD * on_goal + STEP_REWARD * (left - on_goal)

    def optimal_return(task: GridTask) -> jax.Array:
        return value(task.goal, GridState(task.start, jnp.zeros((), jnp.int32)))

    def task_features(task: GridTask) -> jax.Array:
        return jax.nn.one_hot(jnp.stack([task.start, task.goal]), size * size).ravel()

    return Environment(
        name="gridworld",
        settings={
            "size": size,
            "horizon": horizon,
            "start": start,
            **({"pixels": pixels} if pixels else {}),
        },
        observation_space=spaces.Box(-1.0, 1.0, (along, along, 3), np.float32)
        if pixels
        else spaces.Discrete(size * size),
        action_space=spaces.Discrete(len(MOVES)),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        shared_tasks=start == "corner",
        optimal_return=optimal_return,
        mean_reward=mean_reward,
        oracle=Oracle(lambda task: task.goal, value),
        task_features=task_features,
        views={"top": functools.partial(draw_grid, size)},
        description=f"{size} x {size} grids, the goal not shown; {STARTS[start]}",
    )


def picture(place: jax.Array, size: int, pixels: int) -> jax.Array:
    """Returns the grid from above [D P, D P, 3], its uppermost row first, the cell one is in dark.

    Args:
      place: a cell [].
      size: D.
      pixels: P.
    """
    column, row = _coordinates(place, size)
    cells = jnp.arange(size * pixels) // pixels
    here = (cells == column)[None] & (size - 1 - cells == row)[:, None]
    seen, ground = (
        jnp.asarray(level / 127.5 - 1, jnp.float32)[None, None] for level in (BODY, GROUND)
    )
    return jnp.where(here[..., None], seen, ground)


def cell_in_picture(seen: jax.Array, size: int) -> jax.Array:
    """Returns the cell [] int32 that a `picture` [D P, D P, 3] shows in dark.

    Args:
      seen: the picture.
      size: D.
    """
    pixels = seen.shape[0] // size
    cells = seen[::pixels, ::pixels, 0][::-1]  # [D, D], the lowest row first
    return jnp.argmin(cells).astype(jnp.int32)


def deal(size: int, start: str) -> dict[Split, Any]:
    """Returns the tasks of each split: rows of start and goal [N, 2] int32."""
    cells = np.arange(size * size)
    if start == "corner":
        column, row = _coordinates(cells, size)
        goals = cells[(column > 1) | (row > 1)]
        pairs = np.stack([np.zeros_like(goals), goals], axis=-1).astype(np.int32)
        return dict.fromkeys(SPLITS, pairs)
    pairs = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]].astype(np.int32)
    return deal_out(pairs)


def _coordinates(cell: Any, size: int) -> Any:
    """Returns column and row [2, ...]."""
    return (np if isinstance(cell, np.ndarray) else jnp).stack([cell % size, cell // size])
