"""How the constants of a physical system are drawn: each by itself, about what it usually is.

With a range r a constant c is drawn log-uniformly from [c / (1 + r), c (1 + r)], so twice as heavy is
as likely as half as heavy. With r = 0 every task is the usual system.
"""

from __future__ import annotations

import math
from typing import TypeVar

import jax
import jax.numpy as jnp

Constants = TypeVar("Constants", bound=tuple)


def draw_constants(key: jax.Array, usual: Constants, physics_range: float) -> Constants:
    """Draws the constants of one task.

    Args:
      key: consumed.
      usual: a NamedTuple of numbers, all positive.
      physics_range: r, at least 0.

    Returns:
      A NamedTuple of the same kind, of arrays [].
    """
    exponents = jax.random.uniform(key, (len(usual),), minval=-1.0, maxval=1.0)
    factors = jnp.exp(exponents * math.log1p(physics_range))
    return type(usual)(*(jnp.asarray(c * factors[i]) for i, c in enumerate(usual)))


def constant_features(constants: Constants, usual: Constants, physics_range: float) -> jax.Array:
    """Returns where in their range the constants lie [F], each from -1 to 1."""
    ratios = jnp.stack([drawn / c for drawn, c in zip(constants, usual, strict=True)])
    return jnp.log(ratios) / (math.log1p(physics_range) or 1.0)


def told(physics_range: float) -> str:
    """Returns what a family's description says of its range."""
    if physics_range == 0:
        return "as in gymnasium; physics_range=1 draws its constants"
    return f"constants drawn within a factor of {1 + physics_range:g}"
