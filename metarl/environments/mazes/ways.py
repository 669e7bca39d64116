"""The way from each cell of a maze to one of them: how long it is, and how often it turns.

A maze is given by its walls (`layouts`); cells are numbered row by row from the bottom left. An action
a leads up, right, down or left: a quarter-turn to the right from one to the next.

Letters: n cells along one side; C = n² cells.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

ACTIONS = 4  # up, right, down, left


class Ways(NamedTuple):
    """The shortest ways from every cell to one."""

    steps: jax.Array  # [C] int32, from cell to cell
    following: jax.Array  # [C] int32, the next cell on the way; any neighbour in the cell itself
    turns: jax.Array  # [C] int32, quarter-turns on the way from the middle of the next cell on


def neighbours(walls: jax.Array) -> jax.Array:
    """Returns where each action leads from each cell [C, 4] int32.

    Args:
      walls: [2, n + 1, n].
    """
    cells = jnp.arange(walls.shape[-1] ** 2)
    by_action = jax.vmap(one_step, in_axes=(None, None, 0))
    return jax.vmap(by_action, in_axes=(None, 0, None))(walls, cells, jnp.arange(ACTIONS))


def steps_from(start: jax.Array, leads_to: jax.Array) -> jax.Array:
    """Returns how many steps each cell is away from one [C] int32.

    Args:
      start: [] int32.
      leads_to: [C, 4] int32, see `neighbours`.
    """
    cells = len(leads_to)
    far = jnp.full(cells, cells, jnp.int32)

    def changes(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jnp.any(carry[0] != carry[1])

    def relax(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        _, steps = carry
        return steps, jnp.minimum(steps, 1 + jnp.min(steps[leads_to], axis=1))

    return jax.lax.while_loop(changes, relax, (far, far.at[start].set(0)))[1]


def ways_to(goal: jax.Array, walls: jax.Array) -> Ways:
    """Returns the shortest ways from every cell to a goal.

    Args:
      goal: [] int32, a cell.
      walls: [2, n + 1, n].
    """
    leads_to = neighbours(walls)
    steps = steps_from(goal, leads_to)
    first = jnp.argmin(steps[leads_to], axis=1).astype(jnp.int32)
    following = jnp.take_along_axis(leads_to, first[:, None], axis=1)[:, 0]  # [C]
    apart = jnp.abs(first - first[following])
    turned = jnp.where(following == goal, 0, jnp.minimum(apart, ACTIONS - apart))

    def one_cell_more(_: int, turns: jax.Array) -> jax.Array:
        return jnp.where(following == goal, 0, turned + turns[following])

    nothing = jnp.zeros_like(steps)
    return Ways(steps, following, jax.lax.fori_loop(0, len(steps), one_cell_more, nothing))


def one_step(walls: jax.Array, place: jax.Array, action: jax.Array) -> jax.Array:
    """Returns the cell [] int32 that an action leads to."""
    size = walls.shape[-1]
    x, y = place % size, place // size
    closed = jnp.stack([walls[1, y + 1, x], walls[0, x + 1, y], walls[1, y, x], walls[0, x, y]])
    led = place + jnp.asarray(np.array([size, 1, -size, -1], np.int32))[action]
    return jnp.where(closed[action], place, led).astype(jnp.int32)
