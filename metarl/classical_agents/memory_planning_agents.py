"""Agents for the memory and planning game: one that knows the map, and one that draws it as it goes.

The mapper counts its own steps, on a torus whose size it knows, from the cell where all episodes begin, and
writes down the symbol of every cell that it passes. It walks the shortest way to the goal where it has
seen its symbol, and else to the nearest cell that it has not passed.

Letters: D cells along one side; C = D² cells and symbols.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import (
    Agent,
    MemoryPlanningTask,
    Trial,
    make_agent,
    torus_move,
    torus_steps,
)

from .row import Row

UP, RIGHT, DOWN, LEFT, COLLECT = range(5)
UNKNOWN = -1


class Chart(NamedTuple):
    """What is known of a map."""

    symbols: jax.Array  # [C] int32, by cell; UNKNOWN where none was seen
    start: jax.Array  # [] int32, a cell
    place: jax.Array  # [] int32, a cell


def memory_planning_oracle() -> Agent:
    """Knows the map, walks the shortest way to the goal and collects: nobody earns more by expectation."""
    return make_agent(_know, _walk, _follow, sees_task=True)


def mapper() -> Agent:
    """Draws the map as it goes, and forgets nothing within a trial."""
    return make_agent(_know_nothing, _walk, _follow)


def _know(key: jax.Array, trial: Trial, task: MemoryPlanningTask) -> Chart:
    del key, trial
    return Chart(task.symbols, task.start, task.start)


def _know_nothing(key: jax.Array, trial: Trial, task: None) -> Chart:
    del key, task
    cells = trial.environment.settings["size"] ** 2
    here = jnp.zeros((), jnp.int32)  # where one begins is cell 0 of one's own map
    return Chart(jnp.full(cells, UNKNOWN, jnp.int32), here, here)


def _walk(key: jax.Array, chart: Chart, observation: jax.Array):
    cells = len(chart.symbols)
    size = math.isqrt(cells)
    symbols = chart.symbols.at[chart.place].set(observation[0])
    is_goal = symbols == observation[1]  # [C]
    away = jax.vmap(lambda cell: torus_steps(chart.place, cell, size))(jnp.arange(cells))
    unseen = jnp.where(symbols == UNKNOWN, away, cells)
    # of the nearest any, for a torus has no better side
    nearest = jnp.argmin(unseen + jax.random.uniform(key, (cells,)))
    goal = jnp.where(jnp.any(is_goal), jnp.argmax(is_goal), nearest)
    return towards_on_torus(chart.place, goal, size), chart._replace(symbols=symbols)


def towards_on_torus(place: jax.Array, goal: jax.Array, size: int) -> jax.Array:
    """Returns the action that leads the shortest way to a cell, first along x; there, to collect."""
    right, up = (goal % size - place % size) % size, (goal // size - place // size) % size
    along_y = jnp.where(up == 0, COLLECT, jnp.where(2 * up <= size, UP, DOWN))
    along_x = jnp.where(2 * right <= size, RIGHT, LEFT)
    return jnp.where(right == 0, along_y, along_x).astype(jnp.int32)


def _follow(
    chart: Chart,
    observation: Any,
    action: jax.Array,
    reward: Any,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: Any,
) -> Chart:
    del observation, reward, next_observation
    moved = torus_move(chart.place, action, math.isqrt(len(chart.symbols)))
    return chart._replace(place=jnp.where(terminated | truncated, chart.start, moved))


MEMORY_PLANNING_ROWS: tuple[Row, ...] = (
    Row(
        name="oracle",
        world="memory-planning",
        caption="knows the map, and walks the shortest way to each goal",
        formula="towards the goal, then collect",
        paper="",
        build=lambda values, trial: memory_planning_oracle(),
    ),
    Row(
        name="mapper",
        world="memory-planning",
        caption="draws the map as it goes, and walks the shortest way to a goal that is on it",
        formula="to the nearest cell not yet passed; to the goal once its symbol was seen",
        paper="Yamauchi 1997",
        build=lambda values, trial: mapper(),
    ),
)
