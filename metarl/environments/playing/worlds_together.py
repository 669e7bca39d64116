"""Worlds played together: a branch that none of them needs is not computed.

An agent is written for one world and vmapped over many. A condition of its own in each world makes
`lax.cond` a select, which computes both sides always; one answer for all of them keeps it a branch.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


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
