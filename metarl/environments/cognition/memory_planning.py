"""The memory and planning game: a map of symbols that one never sees, and a goal that moves on once it is collected.

D x D cells lie on a torus, with another symbol on each. One sees the symbol of the cell where one stands
and that of the goal, and nothing of how they lie. Five actions: up, right, down, left, which leave at one
edge and come in at the other; the fifth collects: on the goal it brings 1, and the goal is any other cell. So
who walks blindly finds a goal now and then; who remembers where symbols are walks back to them; who
plans goes the shortest way, also where it never went before.

    a task        a map, and the cell where its episodes begin; both stay through a trial
    the splits    maps are told apart by what lies where from symbol 0, since a shifted torus is the same
                  map; a hash of that sends 14, 3 and 3 of 20 to train, validation and test

Letters: D cells along one side; C = D² cells and symbols; H horizon.

Reference: Ritter, Faulkner, Sartran, Santoro, Botvinick, Raposo (2021), "Rapid Task-Solving in Novel
Environments", arXiv:2006.03662, and the code they published: 4 x 4 symbols on a torus, 100 steps, reward 1,
one goes on from where one collected, the new goal is any other cell. There a map lasts one episode, which
begins anywhere, and maps are drawn anew without splits. Ours are the splits, and that all episodes of a trial
begin in one cell, so that who has mapped in one knows where the next begins.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import require

from ..contract.dealing import OF_TWENTY
from ..contract.environment import Environment, Oracle, Split, Step
from ..contract.setting_checks import whole_number
from .pictures import draw_map

MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [0, 0]])  # up, right, down, left, collect
COLLECT = 4
SMALLEST, LARGEST = 3, 16  # on a torus of two, left is right


class MemoryPlanningTask(NamedTuple):
    """A task."""

    symbols: (
        jax.Array
    )  # [C] int32, of each cell, row by row from the bottom left; symbol 0 in cell 0
    start: jax.Array  # [] int32, a cell


class MemoryPlanningState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a cell
    goal: jax.Array  # [] int32, a cell
    time: jax.Array  # [] int32


def memory_planning(size: int = 4, horizon: int = 100) -> Environment:
    """Returns memory and planning games; the module's docstring tells their rules.

    Args:
      size: D, from 3 to 16.
      horizon: H; then an episode terminates.

    Raises:
      InvalidInput: a setting is not accepted.
    """
    size, horizon = whole_number("size", size, SMALLEST), whole_number("horizon", horizon)
    require(size <= LARGEST, f"size is {size}; at most {LARGEST} are accepted.")
    cells = size * size
    # steps from any cell to every other one [C - 1]; a torus looks alike from everywhere
    away = jax.vmap(lambda cell: torus_steps(jnp.int32(0), cell, size))(jnp.arange(1, cells))

    def draw_task(key: jax.Array, split: Split) -> MemoryPlanningTask:
        map_key, start_key = jax.random.split(key)
        low, high = OF_TWENTY[split]

        def draw(key: jax.Array) -> jax.Array:
            others = 1 + jax.random.permutation(key, cells - 1).astype(jnp.int32)
            return jnp.concatenate([jnp.zeros(1, jnp.int32), others])

        def held_elsewhere(drawn: tuple[jax.Array, jax.Array]) -> jax.Array:
            rest = rest_of(drawn[1])
            return (rest < low) | (rest >= high)

        def draw_again(drawn: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            following, own = jax.random.split(drawn[0])
            return following, draw(own)

        first = draw_again((map_key, jnp.zeros(cells, jnp.int32)))
        symbols = jax.lax.while_loop(held_elsewhere, draw_again, first)[1]
        return MemoryPlanningTask(symbols, jax.random.randint(start_key, (), 0, cells))

    def look(state: MemoryPlanningState, task: MemoryPlanningTask) -> jax.Array:
        return task.symbols[jnp.stack([state.place, state.goal])]

    def new_goal(key: jax.Array, place: jax.Array) -> jax.Array:
        return (place + jax.random.randint(key, (), 1, cells)) % cells

    def reset(key: jax.Array, task: MemoryPlanningTask) -> tuple[jax.Array, MemoryPlanningState]:
        goal = new_goal(key, task.start)
        state = MemoryPlanningState(task.start, goal, jnp.zeros((), jnp.int32))
        return look(state, task), state

    def collects(state: MemoryPlanningState, action: jax.Array) -> jax.Array:
        return (action == COLLECT) & (state.place == state.goal)

    def step(
        key: jax.Array, state: MemoryPlanningState, action: jax.Array, task: MemoryPlanningTask
    ) -> Step:
        got = collects(state, action)
        goal = jnp.where(got, new_goal(key, state.place), state.goal)
        following = MemoryPlanningState(torus_move(state.place, action, size), goal, state.time + 1)
        over = following.time >= horizon
        reward = got.astype(jnp.float32)
        return Step(look(following, task), following, reward, over, jnp.zeros((), bool), {})

    def solve(task: MemoryPlanningTask) -> jax.Array:
        """Returns V [H + 1], what is to be had from a new goal on, by the steps that are left."""
        del task

        def one_more(values: jax.Array, left: jax.Array):
            later = left - away - 1  # [C - 1], after the goal is collected
            value = jnp.mean(jnp.where(later >= 0, 1 + values[later], 0.0))
            return values.at[left].set(value), None

        return jax.lax.scan(one_more, jnp.zeros(horizon + 1), jnp.arange(1, horizon + 1))[0]

    def value(values: jax.Array, state: MemoryPlanningState) -> jax.Array:
        later = horizon - state.time - torus_steps(state.place, state.goal, size) - 1
        return jnp.where(later >= 0, 1 + values[later], 0.0)

    return Environment(
        name="memory-planning",
        settings={"size": size, "horizon": horizon},
        observation_space=spaces.MultiDiscrete([cells, cells], dtype=np.int32),
        action_space=spaces.Discrete(len(MOVES)),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=lambda task: solve(task)[-1],
        mean_reward=lambda state, action, task: collects(state, action) * 1.0,
        oracle=Oracle(solve, value),
        task_features=lambda task: jnp.concatenate(
            [jax.nn.one_hot(task.symbols, cells).ravel(), jax.nn.one_hot(task.start, cells)]
        ),
        views={"map": functools.partial(draw_map, size)},
        description=f"the memory and planning game: a torus of {size} x {size} symbols, to be mapped from within",
    )


def rest_of(symbols: jax.Array) -> jax.Array:
    """Returns a hash of a map [C], from 0 to 19: it decides on the split."""
    weights = _mixed(1 + jnp.arange(len(symbols), dtype=jnp.uint32)) | 1
    return _mixed(jnp.sum(weights * symbols.astype(jnp.uint32), dtype=jnp.uint32)) % 20


def _mixed(numbers: jax.Array) -> jax.Array:
    """Returns 32 bits of which each depends on all of the numbers' own (the end of MurmurHash3)."""
    numbers = (numbers ^ (numbers >> 16)) * jnp.uint32(0x85EBCA6B)
    numbers = (numbers ^ (numbers >> 13)) * jnp.uint32(0xC2B2AE35)
    return numbers ^ (numbers >> 16)


def torus_move(place: jax.Array, action: Any, size: int) -> jax.Array:
    """Returns the cell that an action leads to."""
    step = jnp.asarray(MOVES, jnp.int32)[action]
    x, y = (place % size + step[0]) % size, (place // size + step[1]) % size
    return (y * size + x).astype(jnp.int32)


def torus_steps(a: jax.Array, b: jax.Array, size: int) -> jax.Array:
    """Returns the steps between two cells."""
    across = jnp.stack([b % size - a % size, b // size - a // size]) % size
    return jnp.sum(jnp.minimum(across, size - across), axis=0)
