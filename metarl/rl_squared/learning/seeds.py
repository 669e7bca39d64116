"""Several agents trained side by side: one program for all, with a leading axis of seeds.

One agent alone has no such axis.

Letters: S seeds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def over_seeds(function: Callable[..., Any], seeds: int, in_axes: Any = 0) -> Callable[..., Any]:
    """Returns the function for all seeds at once."""
    return jax.vmap(function, in_axes) if seeds > 1 else function


def split_seeds(key: jax.Array, seeds: int) -> jax.Array:
    """Returns a key for each seed [S]; the key itself for one."""
    return jax.random.split(key, seeds) if seeds > 1 else key


def each_seed(tree: Tree, seeds: int) -> list[Tree]:
    """Returns what belongs to each seed."""
    if seeds == 1:
        return [tree]
    return [jax.tree.map(lambda x, i=i: x[i], tree) for i in range(seeds)]


def for_each_seed(tree: Tree, seeds: int) -> Tree:
    """Returns the tree once for each seed."""
    return jax.tree.map(lambda x: jnp.stack([x] * seeds), tree) if seeds > 1 else tree


def keys_of_updates(key: jax.Array, first: int, count: int, seeds: int) -> jax.Array:
    """Returns the keys of updates `first` to `first + count - 1`, each a row of seeds if many."""
    numbers = jnp.arange(first, first + count)
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(numbers)
    return jax.vmap(functools.partial(split_seeds, seeds=seeds))(keys)
