"""Agents for dark rooms: one who knows where everything is, and one who searches and forgets nothing.

What is to be found is a list of targets, in their order: the goal, or key and door. A reward tells
that the next one was found.

Letters: D cells along one side; C = D² cells; G targets.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, DarkRoomTask, Trial, make_agent
from metarl.errors import require

UP, RIGHT, DOWN, LEFT, STAY = range(5)
UNKNOWN = -1


class Search(NamedTuple):
    """What is known of a room."""

    targets: jax.Array  # [G] int32, cells; UNKNOWN where not found yet
    passed: jax.Array  # [G, C] bool, cells where each target is not
    found: jax.Array  # [] int32, targets found in this episode


def dark_room_guide(trial: Trial) -> Agent:
    """Knows where the targets are, and walks from one to the next: nobody earns more.

    Raises:
      InvalidInput: the tasks are not those of a dark room.
    """
    _require_dark_room("oracle", trial)
    return make_agent(_know, _walk, _see, sees_task=True)


def dark_room_searcher(trial: Trial) -> Agent:
    """Goes to the nearest cell where the next target may be, or to the target once it was found.

    It forgets nothing within a trial, and nothing is known of where targets are but that each cell is
    as likely as another.

    Raises:
      InvalidInput: the tasks are not those of a dark room.
    """
    _require_dark_room("searcher", trial)
    return make_agent(_know_nothing, _walk, _see)


def _require_dark_room(name: str, trial: Trial) -> None:
    task = jax.eval_shape(trial.environment.sample_task, jax.random.key(0))
    require(
        isinstance(task, DarkRoomTask),
        f"Agent {name!r} needs tasks of a dark room; those of {trial.environment.name!r} are "
        f"{type(task).__name__}.",
    )


def _know(key: jax.Array, trial: Trial, task: DarkRoomTask) -> Search:
    return _know_nothing(key, trial, None)._replace(targets=task.targets)


def _know_nothing(key: jax.Array, trial: Trial, task: None) -> Search:
    del key, task
    shape = jax.eval_shape(trial.environment.sample_task, jax.random.key(0)).targets.shape
    cells = int(trial.environment.observation_space.n)  # pyright: ignore[reportAttributeAccessIssue]
    passed = jnp.zeros((*shape, cells), bool)
    if shape == (1,):  # one begins in the middle, where no goal is
        size = math.isqrt(cells)
        passed = passed.at[0, size // 2 * size + size // 2].set(True)
    targets = jnp.full(shape, UNKNOWN, jnp.int32)
    return Search(targets, passed, jnp.zeros((), jnp.int32))


def _walk(key: jax.Array, memory: Search, observation: jax.Array):
    cells = memory.passed.shape[1]
    size = math.isqrt(cells)
    wanted = jnp.minimum(memory.found, len(memory.targets) - 1)
    x, y = jnp.arange(cells) % size, jnp.arange(cells) // size
    away = jnp.abs(x - observation % size) + jnp.abs(y - observation // size)
    open_cells = jnp.where(memory.passed[wanted], cells, away)
    # of the nearest any, for a room has no better side
    nearest = jnp.argmin(open_cells + jax.random.uniform(key, (cells,)))
    target = memory.targets[wanted]
    goal = jnp.where(target == UNKNOWN, nearest, target)
    return towards(observation, goal, size), memory


def towards(place: jax.Array, goal: jax.Array, size: int) -> jax.Array:
    """Returns the action that leads from a cell towards another: first along x, then along y."""
    dx, dy = goal % size - place % size, goal // size - place // size
    along_y = jnp.where(dy > 0, UP, jnp.where(dy < 0, DOWN, STAY))
    return jnp.where(dx > 0, RIGHT, jnp.where(dx < 0, LEFT, along_y)).astype(jnp.int32)


def _see(
    memory: Search,
    observation: Any,
    action: Any,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: jax.Array,
) -> Search:
    del observation, action
    last = len(memory.targets) - 1
    wanted = jnp.minimum(memory.found, last)
    found = (reward > 0) & (memory.found <= last)
    # a goal that brings its reward in every step is found once
    passed = memory.passed.at[wanted, next_observation].set(True)
    known = memory.targets.at[wanted].set(next_observation)
    following = jnp.where(found, memory.found + 1, memory.found)
    return Search(
        targets=jnp.where(found, known, memory.targets),
        passed=passed,
        found=jnp.where(terminated | truncated, 0, following),
    )
