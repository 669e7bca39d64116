"""The four sides of the cells of a maze, each a quarter-turn to the left of the one before.

Letters: n cells along one side.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

MAZE_SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))  # x, y to the neighbours of a cell


def edges_by_side(edges: jax.Array) -> jax.Array:
    """Returns what holds on each side of each cell [4, n, n], at x, y.

    Args:
      edges: [2, n + 1, n], laid as `Maze.walls`.
    """
    across, along = edges[0], edges[1].T  # [n + 1, n], [n, n + 1], both at x, y
    return jnp.stack([across[1:], along[:, 1:], across[:-1], along[:, :-1]])


def cells_beyond(cells: jax.Array) -> jax.Array:
    """Returns the neighbours on each side of cells [4, n, n]; beyond the last are the first.

    Args:
      cells: [n, n], at x, y.
    """
    return jnp.stack([jnp.roll(cells, (-x, -y), (0, 1)) for x, y in MAZE_SIDES])
