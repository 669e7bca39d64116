"""Dark rooms: one sees where one stands and nothing else; what is to be found is told by rewards alone.

Five actions: up, right, down, left, stay; the room's walls hold one back. The observation is the cell;
cells are numbered row by row from the bottom left. Two families:

  dark-room          a goal brings 1 in every step that ends on it, or once an episode if `hard`;
                     episodes begin in the middle
  dark-key-to-door   a key brings 1, once an episode; then a door brings 1 and ends it; episodes begin
                     anywhere. The door brings nothing to who has no key

Who has found them in one episode of a trial walks there in the next. There are finitely many tasks,
dealt 70 : 15 : 15 to train, validation and test: no goal, and no pair of key and door, of a test was
ever trained with.

Letters: D cells along one side; G things to find, 1 or 2; H horizon.

Reference: Laskin et al. (2022), "In-context reinforcement learning with algorithm distillation",
arXiv:2210.14215, section 4: rooms of 9 x 9 and episodes of 20 steps; 17 x 17 if hard; 50 steps for
key and door. Differs from it: no task has its goal in the middle, nor its key and door in one cell.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.dealing import deal_out
from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import whole_number, yes_or_no
from .gridworld import MOVES
from .pictures import draw_dark_room

MOST_CELLS_ALONG = 32  # a million pairs of key and door


class DarkRoomTask(NamedTuple):
    """A task."""

    targets: jax.Array  # [G] int32, cells: the goal, or key and door


class DarkRoomState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a cell
    found: jax.Array  # [] int32, how many of the targets, in their order
    time: jax.Array  # [] int32


def dark_room(
    size: int | None = None, horizon: int | None = None, hard: bool = False
) -> Environment:
    """Returns dark rooms with a goal.

    Args:
      size: D; 9, or 17 if hard.
      horizon: H; then an episode is truncated; 20.
      hard: the goal brings 1 once an episode, and not in every step on it.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    hard = yes_or_no("hard", hard)
    size = _checked_size((17 if hard else 9) if size is None else size)
    horizon = whole_number("horizon", 20 if horizon is None else horizon)
    cells = np.arange(size * size, dtype=np.int32)
    goals = deal_out(np.delete(cells, middle_of(size))[:, None])
    start = jnp.int32(middle_of(size))

    def reset(key: jax.Array, task: DarkRoomTask) -> tuple[jax.Array, DarkRoomState]:
        del key, task
        return _begin(start)

    def step(key: jax.Array, state: DarkRoomState, action: jax.Array, task: DarkRoomTask) -> Step:
        del key
        place, time = move(state.place, action, size), state.time + 1
        there = place == task.targets[0]
        reward = (there & ((state.found == 0) | (not hard))).astype(jnp.float32)
        found = jnp.maximum(state.found, there.astype(jnp.int32))
        following = DarkRoomState(place, found, time)
        return Step(place, following, reward, jnp.zeros((), bool), time >= horizon, {})

    def optimal_return(task: DarkRoomTask) -> jax.Array:
        on_goal = horizon + 1 - distance(start, task.targets[0], size)
        return jnp.clip(on_goal, 0, 1 if hard else horizon).astype(jnp.float32)

    return Environment(
        name="dark-room",
        settings={"size": size, "horizon": horizon, "hard": hard},
        observation_space=spaces.Discrete(size * size),
        action_space=spaces.Discrete(len(MOVES)),
        horizon=horizon,
        draw_task=_drawn_from(goals),
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=optimal_return,
        task_features=_features_in(size),
        views={"top": functools.partial(draw_dark_room, size)},
        description=f"dark rooms of {size} x {size} cells; the goal is told by reward alone",
    )


def dark_key_to_door(size: int = 9, horizon: int = 50) -> Environment:
    """Returns dark rooms with a key and a door.

    Args:
      size: D.
      horizon: H; then an episode is truncated.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    size, horizon = _checked_size(size), whole_number("horizon", horizon)
    cells = np.arange(size * size, dtype=np.int32)
    pairs = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
    tasks = deal_out(pairs[pairs[:, 0] != pairs[:, 1]])

    def reset(key: jax.Array, task: DarkRoomTask) -> tuple[jax.Array, DarkRoomState]:
        del task
        return _begin(jax.random.randint(key, (), 0, size * size))

    def step(key: jax.Array, state: DarkRoomState, action: jax.Array, task: DarkRoomTask) -> Step:
        del key
        place, time = move(state.place, action, size), state.time + 1
        finds = place == task.targets[state.found]
        found = state.found + finds
        opened = found == 2
        truncated = (time >= horizon) & ~opened
        following = DarkRoomState(place, found, time)
        return Step(place, following, finds.astype(jnp.float32), opened, truncated, {})

    def optimal_return(task: DarkRoomTask) -> jax.Array:
        key, door = task.targets
        to_key = jax.vmap(lambda cell: distance(cell, key, size))(jnp.arange(size * size))
        to_key = jnp.maximum(to_key, 1)  # who begins on the key must stay a step
        to_door = to_key + distance(key, door, size)
        return jnp.mean((to_key <= horizon) + (to_door <= horizon) * 1.0)

    return Environment(
        name="dark-key-to-door",
        settings={"size": size, "horizon": horizon},
        observation_space=spaces.Discrete(size * size),
        action_space=spaces.Discrete(len(MOVES)),
        horizon=horizon,
        draw_task=_drawn_from(tasks),
        reset=reset,
        step=step,
        optimal_return=optimal_return,
        task_features=_features_in(size),
        views={"top": functools.partial(draw_dark_room, size)},
        description=f"dark rooms of {size} x {size} cells; a key and a door, told by reward alone",
    )


def move(place: jax.Array, action: jax.Array, size: int) -> jax.Array:
    """Returns the cell that an action leads to."""
    x, y = place % size, place // size
    step = jnp.asarray(MOVES, jnp.int32)[action]
    x, y = jnp.clip(x + step[0], 0, size - 1), jnp.clip(y + step[1], 0, size - 1)
    return (y * size + x).astype(jnp.int32)


def distance(a: jax.Array, b: jax.Array, size: int) -> jax.Array:
    """Returns the steps between two cells."""
    return jnp.abs(a % size - b % size) + jnp.abs(a // size - b // size)


def middle_of(size: int) -> int:
    """Returns the cell in the middle of a room; of an even one the upper right of four."""
    return size // 2 * size + size // 2


def _begin(start: jax.Array) -> tuple[jax.Array, DarkRoomState]:
    zero = jnp.zeros((), jnp.int32)
    return start, DarkRoomState(start, zero, zero)


def _drawn_from(tasks: dict[Split, np.ndarray]) -> Any:
    def draw_task(key: jax.Array, split: Split) -> DarkRoomTask:
        dealt = jnp.asarray(tasks[split])  # [N, G]
        return DarkRoomTask(dealt[jax.random.randint(key, (), 0, len(dealt))])

    return draw_task


def _features_in(size: int) -> Any:
    def task_features(task: DarkRoomTask) -> jax.Array:
        return jax.nn.one_hot(task.targets, size * size).ravel()

    return task_features


def _checked_size(size: Any) -> int:
    size = whole_number("size", size, 2)
    require(
        size <= MOST_CELLS_ALONG,
        f"size is {size}; at most {MOST_CELLS_ALONG} are accepted, since the tasks are dealt out.",
    )
    return size
