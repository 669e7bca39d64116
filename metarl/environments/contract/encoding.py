"""Members of gymnasium spaces inside compiled programs: as vectors, and drawn at random.

As a vector, a member of `Discrete` becomes a one-hot vector, one of `MultiDiscrete` the one-hot vectors side by
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
            parts = zip((member - space.start).ravel(), space.nvec.ravel(), strict=True)
            return jnp.concatenate([jax.nn.one_hot(x, int(n)) for x, n in parts])
        case spaces.Box() | spaces.MultiBinary():
            return jnp.asarray(member, jnp.float32).ravel()
        case _:
            raise unsupported(space)


def draw_member(key: jax.Array, space: spaces.Space) -> jax.Array:
    """Draws a member of a space: uniformly where it is bounded, as `space.sample()` does elsewhere.

    Args:
      key: consumed.
      space: of a supported kind.

    Raises:
      InvalidInput: the space is of a kind that is not supported.
    """
    match space:
        case spaces.Discrete():
            return int(space.start) + jax.random.randint(key, (), 0, int(space.n))
        case spaces.MultiDiscrete():
            return jnp.asarray(space.start) + jax.random.randint(
                key, space.shape, 0, jnp.asarray(space.nvec)
            )
        case spaces.MultiBinary():
            return jax.random.bernoulli(key, shape=space.shape).astype(jnp.int8)
        case spaces.Box():
            return _draw_from_box(key, space)
        case _:
            raise unsupported(space)


def _draw_from_box(key: jax.Array, space: spaces.Box) -> jax.Array:
    """Uniform between two bounds, exponential beyond one, normal without any."""
    low, high = jnp.asarray(space.low, jnp.float32), jnp.asarray(space.high, jnp.float32)
    below, above = space.bounded_below, space.bounded_above
    uniform_key, exponential_key, normal_key = jax.random.split(key, 3)
    whole = not jnp.issubdtype(space.dtype, jnp.floating)
    between = jax.random.uniform(uniform_key, space.shape)
    width = jnp.where(below & above, high - low + whole, 1.0)
    beyond = jax.random.exponential(exponential_key, space.shape)
    one_sided = jnp.where(below, low + beyond, high - beyond)
    unbounded = jax.random.normal(normal_key, space.shape)
    drawn = jnp.where(below | above, one_sided, unbounded)
    drawn = jnp.where(below & above, low + width * between, drawn)
    return (jnp.floor(drawn) if whole else drawn).astype(space.dtype)


def unsupported(space: Any) -> InvalidInput:
    """Returns the error for a space that no agent here can see or act in."""
    return InvalidInput(
        f"Space {type(space).__name__} is not supported; accepted are Discrete, MultiDiscrete, "
        "MultiBinary and Box. Wrap the environment (gymnasium.wrappers.FlattenObservation, say)."
    )
