"""Worlds played together: a branch that none of them needs is not computed.

An agent is written for one world and vmapped over many. A condition of its own in each world makes
`lax.cond` a select, which computes both sides always; one answer for all of them keeps it a branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


@jax.custom_batching.custom_vmap
def in_any_world(condition: jax.Array) -> jax.Array:
    """Returns whether a condition holds in any of the worlds that are vmapped together.

    The answer is one for all of them, so `lax.cond` on it stays a branch under `vmap`, and what no
    world asks for is not computed; a condition per world would make it a select, which computes
    both sides always. Who asks must still select by its own condition.

    Args:
      condition: [] bool.
    """
    return condition


@in_any_world.def_vmap
def _reduce_worlds(axis_size: int, in_batched: list[bool], condition: jax.Array):
    del axis_size, in_batched
    return in_any_world(jnp.any(condition)), False


def computed_where(wanted: jax.Array, compute: Callable[[], Tree], otherwise: Tree) -> Tree:
    """Returns what is computed where it is wanted, and something else where it is not.

    It is computed only if any of the worlds that are vmapped together wants it; see `in_any_world`.

    Args:
      wanted: [] bool.
      compute: gives a tree.
      otherwise: a tree of the same shapes and types.
    """

    def chosen() -> Tree:
        return jax.tree.map(lambda new, old: jnp.where(wanted, new, old), compute(), otherwise)

    return jax.lax.cond(in_any_world(wanted), chosen, lambda: otherwise)
