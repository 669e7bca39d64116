"""Dark mazes: one sees the cell where one stands; walls are felt, and the one reward lies as far away as can be.

Four actions: up, right, down, left; a wall holds one back. The goal brings 1 and ends the episode, nothing else
brings anything, and nothing on the way tells where it is: a walk at random hardly ever gets there. A task is a
layout, a cell to begin in, and for the goal the cell that is the most steps away from it. The observation is
the cell; cells are numbered row by row from the bottom left.

  opened    Prim's algorithm leaves one way between two cells; of the other walls this share is opened too:
            0 is a maze, 1 an empty grid
  slip      with this probability an action is any of the four instead, so that no way of actions leads
            there for certain

Layouts belong to one split, as those of `maze` do, all their turns and reflections together.

Letters: n cells along one side, C = n²; H horizon.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from gymnasium import spaces

from metarl.errors import require

from ..contract.environment import Environment, Oracle, Split, Step
from ..contract.setting_checks import real_number, whole_number
from .layouts import draw_layout, inner_walls
from .map import draw_dark_map
from .ways import ACTIONS, neighbours, one_step, steps_from

SMALLEST, LARGEST = 3, 31  # as of `maze`


class DarkMaze(NamedTuple):
    """A task."""

    walls: jax.Array  # [2, n + 1, n] bool, see `layouts`
    start: jax.Array  # [] int32, a cell
    goal: jax.Array  # [] int32, a cell


class DarkMazeState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a cell
    time: jax.Array  # [] int32


def dark_maze(
    size: int = 9, horizon: int | None = None, opened: float = 0.0, slip: float = 0.0
) -> Environment:
    """Returns dark mazes.

    Args:
      size: n, from 3 to 31.
      horizon: H; then an episode is truncated. None: C, within which any goal can be reached.
      opened: the share of the walls left by Prim's algorithm that is opened, from 0 to 1.
      slip: how often an action is any of the four instead, from 0 to 1.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    size = whole_number("size", size, SMALLEST)
    require(size <= LARGEST, f"size is {size}; at most {LARGEST} is accepted.")
    horizon = whole_number("horizon", size * size if horizon is None else horizon)
    opened, slip = _share("opened", opened), _share("slip", slip)
    require(
        opened < 1,
        f"opened is {opened:g}; without any wall all layouts are one, and there is nothing to be dealt out. "
        "Give less than 1.",
    )

    def draw_task(key: jax.Array, split: Split) -> DarkMaze:
        layout_key, start_key = jax.random.split(key)
        walls = draw_layout(layout_key, size, split, opened=opened)
        start = jax.random.randint(start_key, (), 0, size * size)
        return DarkMaze(walls, start, jnp.argmax(steps_from(start, neighbours(walls))))

    def reset(key: jax.Array, task: DarkMaze) -> tuple[jax.Array, DarkMazeState]:
        del key
        return task.start, DarkMazeState(task.start, jnp.zeros((), jnp.int32))

    def step(key: jax.Array, state: DarkMazeState, action: jax.Array, task: DarkMaze) -> Step:
        slip_key, any_key = jax.random.split(key)
        slips = jax.random.uniform(slip_key) < slip
        taken = jnp.where(slips, jax.random.randint(any_key, (), 0, ACTIONS), action)
        place, time = one_step(task.walls, state.place, taken), state.time + 1
        reached = place == task.goal
        truncated = (time >= horizon) & ~reached
        reward = reached.astype(jnp.float32)
        return Step(place, DarkMazeState(place, time), reward, reached, truncated, {})

    def mean_reward(state: DarkMazeState, action: jax.Array, task: DarkMaze) -> jax.Array:
        lead = jax.vmap(one_step, in_axes=(None, None, 0))
        reached = lead(task.walls, state.place, jnp.arange(ACTIONS)) == task.goal  # [4]
        return (1 - slip) * reached[action] + slip * jnp.mean(reached)

    def solve(task: DarkMaze) -> jax.Array:
        return probabilities_to_reach(task, horizon, slip)

    def value(values: jax.Array, state: DarkMazeState) -> jax.Array:
        return values[horizon - state.time, state.place]

    def task_features(task: DarkMaze) -> jax.Array:
        cells = jax.nn.one_hot(jnp.stack([task.start, task.goal]), size * size).ravel()
        return jnp.concatenate([inner_walls(task.walls).astype(jnp.float32), cells])

    return Environment(
        name="dark-maze",
        settings={"size": size, "horizon": horizon, "opened": opened, "slip": slip},
        observation_space=spaces.Discrete(size * size),
        action_space=spaces.Discrete(ACTIONS),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        optimal_return=lambda task: solve(task)[horizon, task.start],
        mean_reward=mean_reward,
        oracle=Oracle(solve, value),
        task_features=task_features,
        views={"top": draw_dark_map},
        description=f"dark mazes of {size} x {size} cells; the goal is as far away as can be, and nothing tells where",
    )


def probabilities_to_reach(task: DarkMaze, horizon: int, slip: float) -> jax.Array:
    """Returns how probably the goal is reached by the best actions [H + 1, C], by steps left and cell."""
    leads_to = neighbours(task.walls)

    def one_more(values: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        later = values.at[task.goal].set(1.0)[leads_to]  # [C, 4]
        best = (1 - slip) * jnp.max(later, axis=1) + slip * jnp.mean(later, axis=1)
        return best, best

    nothing = jnp.zeros(len(leads_to))
    return jnp.concatenate([nothing[None], jax.lax.scan(one_more, nothing, length=horizon)[1]])


def _share(name: str, value: float) -> float:
    value = real_number(name, value)
    require(0 <= value <= 1, f"{name} is {value:g}; it must lie between 0 and 1.")
    return value
