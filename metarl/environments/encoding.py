"""Members of gymnasium spaces as vectors, inside compiled programs.

A member of `Discrete` becomes a one-hot vector, one of `MultiDiscrete` the one-hot vectors side by
side, `MultiBinary` and `Box` their numbers in a row.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from gymnasium import spaces

from metarl.errors import InvalidInput


def feature_size(space: spaces.Space) -> int:
    """Returns how many numbers `features` gives for a member of the space.

    Raises:
      InvalidInput: the space is of a kind that is not supported.
    """
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return int(sum(space.nvec.ravel()))
        case spaces.Box() | spaces.MultiBinary():
            return math.prod(space.shape or ())
        case _:
            raise unsupported(space)


def features(space: spaces.Space, member: Any) -> jax.Array:
    """Returns a member of a space as a vector [F] of float32.

    Args:
      space: of a supported kind.
      member: one member, without leading axes.

    Raises:
      InvalidInput: the space is of a kind that is not supported.
    """
    match space:
        case spaces.Discrete():
            return jax.nn.one_hot(member - int(space.start), int(space.n), dtype=jnp.float32)
        case spaces.MultiDiscrete():
            parts = zip(member.ravel(), space.nvec.ravel(), strict=True)
            return jnp.concatenate([jax.nn.one_hot(x, int(n)) for x, n in parts])
        case spaces.Box() | spaces.MultiBinary():
            return jnp.asarray(member, jnp.float32).ravel()
        case _:
            raise unsupported(space)


def unsupported(space: Any) -> InvalidInput:
    """Returns the error for a space that no agent here can see or act in."""
    return InvalidInput(
        f"Space {type(space).__name__} is not supported; accepted are Discrete, MultiDiscrete, "
        "MultiBinary and Box. Wrap the environment (gymnasium.wrappers.FlattenObservation, say)."
    )
