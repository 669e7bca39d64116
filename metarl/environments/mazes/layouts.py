"""Layouts of mazes: Prim's algorithm inside compiled programs, and the split each layout belongs to.

A maze of size n has n x n cells; between two neighbours there is a wall or a passage. Prim's
algorithm on random weights makes the passages a tree: it begins in one cell, and again and again
opens the lightest wall between a cell that is joined and one that is not. So every cell is reached
from every other, in one way; in several, if a share of the other walls is opened too.

Walls are [2, n + 1, n] bool: `walls[0, i, j]` on the line x = i beside row j, `walls[1, j, i]` on the
line y = j beside column i; the outer ones always stand. Cells are numbered row by row from the
bottom left.

A layout belongs to one split for ever: it is hashed, and of the hashes 70 % go to train, 15 % to
validation, 15 % to test. Layouts are drawn until one is of the split that is asked for, so no layout
of a test was ever trained in, however few there are (a 3 x 3 maze has 192). What is hashed is

  shape     the layout's shape, the same for all that it becomes by turns and reflections: who sees no
            compass cannot tell a layout from its half-turn, and a mirror image is hardly another
  layout    its walls as they stand, as it was before: most layouts of a test have a twin in training

Letters: n cells along one side; L = 2 n (n - 1) inner walls.

Reference: Prim (1957), Shortest connection networks and some generalizations.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ..contract.environment import SPLITS, Split

SHARES = (70, 15, 15)  # percent of the hashes, in the order of SPLITS


SPLIT_BY = ("shape", "layout")


def draw_layout(
    key: jax.Array, size: int, split: Split, by: str = "shape", opened: float = 0.0
) -> jax.Array:
    """Draws the walls [2, n + 1, n] of a maze of a split.

    Args:
      key: consumed.
      size: n.
      split: "train", "validation" or "test".
      by: of `SPLIT_BY`.
      opened: with which probability a wall that Prim's algorithm left is opened.
    """
    wanted = SPLITS.index(split)

    def is_of_another(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return split_of(carry[1], by) != wanted

    def draw_again(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        following, fresh = jax.random.split(carry[0])
        return following, opened_walls(fresh, grow(fresh, size), opened)

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


def opened_walls(key: jax.Array, walls: jax.Array, share: float) -> jax.Array:
    """Returns walls [2, n + 1, n] of which each inner one was opened with a probability; unchanged if it is 0.

    Args:
      key: not consumed: another is derived from it.
      walls: [2, n + 1, n].
      share: from 0 to 1.
    """
    if share == 0:
        return walls
    inner = inner_walls(walls)
    stays = jax.random.uniform(jax.random.fold_in(key, 1), inner.shape) >= share
    return with_outer_walls(inner & stays, walls.shape[-1])


def with_outer_walls(inner: jax.Array, size: int) -> jax.Array:
    """Returns inner walls [L] with those around them [2, n + 1, n]."""
    return jnp.pad(inner.reshape(2, size - 1, size), ((0, 0), (1, 1), (0, 0)), constant_values=True)


def inner_walls(walls: jax.Array) -> jax.Array:
    """Returns the inner ones of walls [2, n + 1, n] in a row [L]."""
    return walls[:, 1:-1].reshape(-1)


def split_of(walls: jax.Array, by: str = "shape") -> jax.Array:
    """Returns to which split a layout belongs, as an index of `SPLITS` [] int32.

    Args:
      walls: [2, n + 1, n].
      by: of `SPLIT_BY`.
    """
    code = _mixed(_code(walls)) if by == "layout" else _mixed(shape_of(walls))
    percent = code % 100
    return jnp.sum(percent >= np.cumsum(SHARES, dtype=np.uint32)[:2], dtype=jnp.int32)


def shape_of(walls: jax.Array) -> jax.Array:
    """Returns a number of a layout's shape [] uint32: that of all its turns and reflections."""
    return jnp.min(jnp.stack([_mixed(_code(twin)) for twin in twins(walls)]))


def twins(walls: jax.Array) -> list[jax.Array]:
    """Returns what walls [2, n + 1, n] become by the eight symmetries of the square, themselves first."""
    found = []
    for turned in (walls, walls[::-1]):  # x and y change places
        for along_x in (turned, _mirrored(turned)):
            found += [along_x, _mirrored(along_x[::-1])[::-1]]
    return found


def _mirrored(walls: jax.Array) -> jax.Array:
    """Returns walls with x from right to left."""
    return jnp.stack([walls[0, ::-1], walls[1, :, ::-1]])


def _code(walls: jax.Array) -> jax.Array:
    """Returns a sum of random numbers, one for each wall that stands, [] uint32."""
    inner = inner_walls(walls)
    # numpy promises RandomState's numbers for all versions, and these bits do not depend on jax's:
    # which layouts are held out never changes.
    factors = np.random.RandomState(0).randint(0, 2**32, inner.shape[0], np.uint32)
    return jnp.sum(jnp.where(inner, jnp.asarray(factors), 0), dtype=jnp.uint32)


def _mixed(code: jax.Array) -> jax.Array:
    """Returns a number of which every bit depends on every bit of another [] uint32."""
    for _ in range(2):
        code = (code ^ (code >> 16)) * jnp.uint32(0x45D9F3B)
    return code ^ (code >> 16)


def _sides(size: int) -> tuple[jax.Array, jax.Array]:
    """Returns the cells below and above each inner wall [L], those on lines x = i first."""
    cells = np.arange(size * size).reshape(size, size)  # [y, x]
    low = np.concatenate([cells[:, :-1].T.ravel(), cells[:-1].ravel()])
    high = np.concatenate([cells[:, 1:].T.ravel(), cells[1:].ravel()])
    return jnp.asarray(low), jnp.asarray(high)
