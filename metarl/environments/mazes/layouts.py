"""Layouts of mazes: Prim's algorithm inside compiled programs, and the split each layout belongs to.

A maze of size n has n x n cells; between two neighbours there is a wall or a passage. Prim's
algorithm on random weights makes the passages a tree: it begins in one cell, and again and again
opens the lightest wall between a cell that is joined and one that is not. So every cell is reached
from every other, in one way.

Walls are [2, n + 1, n] bool: `walls[0, i, j]` on the line x = i beside row j, `walls[1, j, i]` on the
line y = j beside column i; the outer ones always stand. Cells are numbered row by row from the
bottom left.

A layout belongs to one split for ever: its walls are hashed, and of the hashes 70 % go to train, 15 %
to validation, 15 % to test. Layouts are drawn until one is of the split that is asked for, so no
layout of a test was ever trained in, however few there are (a 3 x 3 maze has 192).

Letters: n cells along one side; L = 2 n (n - 1) inner walls.

Reference: Prim (1957), Shortest connection networks and some generalizations.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..contract.environment import SPLITS, Split

SHARES = (70, 15, 15)  # percent of the hashes, in the order of SPLITS


def draw_layout(key: jax.Array, size: int, split: Split) -> jax.Array:
    """Draws the walls [2, n + 1, n] of a maze of a split.

    Args:
      key: consumed.
      size: n.
      split: "train", "validation" or "test".
    """
    wanted = SPLITS.index(split)

    def is_of_another(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return split_of(carry[1]) != wanted

    def draw_again(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        following, fresh = jax.random.split(carry[0])
        return following, grow(fresh, size)

    return jax.lax.while_loop(is_of_another, draw_again, draw_again((key, jnp.zeros(()))))[1]


def grow(key: jax.Array, size: int) -> jax.Array:
    """Returns the walls [2, n + 1, n] of a random maze, by Prim's algorithm on uniform weights."""
    low, high = _sides(size)  # [L] the cells on both sides of each inner wall
    weights = jax.random.uniform(key, low.shape)

    def join(_: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        joined, closed = carry
        between = joined[low] ^ joined[high]
        lightest = jnp.argmin(jnp.where(between, weights, jnp.inf))
        joined = joined.at[low[lightest]].set(True).at[high[lightest]].set(True)
        return joined, closed.at[lightest].set(False)

    first_cell = jnp.zeros(size * size, bool).at[0].set(True)
    start = (first_cell, jnp.ones(low.shape, bool))
    _, closed = jax.lax.fori_loop(0, size * size - 1, join, start)
    return with_outer_walls(closed, size)


def with_outer_walls(inner: jax.Array, size: int) -> jax.Array:
    """Returns inner walls [L] with those around them [2, n + 1, n]."""
    return jnp.pad(inner.reshape(2, size - 1, size), ((0, 0), (1, 1), (0, 0)), constant_values=True)


def inner_walls(walls: jax.Array) -> jax.Array:
    """Returns the inner ones of walls [2, n + 1, n] in a row [L]."""
    return walls[:, 1:-1].reshape(-1)


def split_of(walls: jax.Array) -> jax.Array:
    """Returns to which split a layout belongs, as an index of `SPLITS` [] int32."""
    inner = inner_walls(walls)
    # numpy promises RandomState's numbers for all versions, and these bits do not depend on jax's:
    # which layouts are held out never changes.
    factors = np.random.RandomState(0).randint(0, 2**32, inner.shape[0], np.uint32)
    code = jnp.sum(jnp.where(inner, jnp.asarray(factors), 0), dtype=jnp.uint32)
    for _ in range(2):  # every bit of the sum moves every bit of the hash
        code = (code ^ (code >> 16)) * jnp.uint32(0x45D9F3B)
    percent = (code ^ (code >> 16)) % 100
    return jnp.sum(percent >= np.cumsum(SHARES, dtype=np.uint32)[:2], dtype=jnp.int32)


def _sides(size: int) -> tuple[jax.Array, jax.Array]:
    """Returns the cells below and above each inner wall [L], those on lines x = i first."""
    cells = np.arange(size * size).reshape(size, size)  # [y, x]
    low = np.concatenate([cells[:, :-1].T.ravel(), cells[:-1].ravel()])
    high = np.concatenate([cells[:, 1:].T.ravel(), cells[1:].ravel()])
    return jnp.asarray(low), jnp.asarray(high)
