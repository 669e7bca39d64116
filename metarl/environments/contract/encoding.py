"""Members of gymnasium spaces inside compiled programs: as vectors, and drawn at random.

As a vector, a member of `Discrete` becomes a one-hot vector, one of `MultiDiscrete` the one-hot vectors side by
side, `MultiBinary` and `Box` their numbers in a row.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from metarl.errors import InvalidInput, require


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


def last_step_features(
    space: spaces.Space, action: Any, reward: jax.Array, ended: jax.Array, begun: jax.Array
) -> jax.Array:
    """Returns what RL² is told of the step before: action, reward, flag [A + 2] float32.

    Args:
      space: of actions.
      action: what was done; not shown where nothing was.
      reward: what it brought [].
      ended: whether an inner episode ended with it, and before the first step [] bool.
      begun: False before the first step, when there was no action [] bool.
    """
    done = features(space, action) * begun
    return jnp.concatenate([done, reward[None], ended.astype(jnp.float32)[None]])


def is_image(space: spaces.Space, least_side: int = 1) -> bool:
    """Whether members are images: a `Box` of height, width and at most four channels."""
    shape = tuple(space.shape or ()) if isinstance(space, spaces.Box) else ()
    return len(shape) == 3 and min(shape[:2]) >= least_side and shape[2] <= 4


def levels(space: spaces.Space, image: Any) -> Any:
    """Returns an image with bounds as levels 0 to 255 uint8, another as it is; numpy's or jax's.

    Args:
      space: of images.
      image: one of them.
    """
    assert isinstance(space, spaces.Box)
    low, high = np.min(space.low), np.max(space.high)
    if space.dtype == np.uint8 or not (np.isfinite(low) and np.isfinite(high)):
        return image
    share = (image.astype(np.float32) - low) / max(high - low, 1e-9)
    return (255 * share).round().astype(np.uint8)


def draw_member(key: jax.Array, space: spaces.Space) -> jax.Array:
    """Draws a member of a space: uniformly where it is bounded, as `space.sample()` does elsewhere.

    Args:
      key: consumed.
      space: of a supported kind.

    Raises:
      InvalidInput: the space is of a kind that is not supported.
    """
    if isinstance(space, spaces.Box) and not space.is_bounded():
        return _draw_from_unbounded(key, space)
    return uniform_drawer(space)(key)


def uniform_drawer(space: spaces.Space) -> jax.tree_util.Partial:
    """Returns key -> a member of a space, every one equally likely, as a PyTree of the space's numbers.

    So one compiled program serves all spaces of a kind and shape. Of whole numbers those that int32
    holds are drawn.

    Raises:
      InvalidInput: the space is unbounded, or of a kind that is not supported.
    """
    match space:
        case spaces.Discrete():
            return _whole_numbers(space.start, space.start + space.n, space.dtype)
        case spaces.MultiDiscrete():
            return _whole_numbers(space.start, space.start + space.nvec, space.dtype)
        case spaces.MultiBinary():
            nothing = np.zeros(space.shape, np.int8)
            return _whole_numbers(nothing, nothing + 2, space.dtype)
        case spaces.Box() if not space.is_bounded():
            raise InvalidInput(f"Nothing can be drawn uniformly from {space}, which has no bounds.")
        case spaces.Box() if np.issubdtype(space.dtype, np.floating):
            low, high = jnp.asarray(space.low), jnp.asarray(space.high)
            return jax.tree_util.Partial(_draw_real, low, high)
        case spaces.Box():
            return _whole_numbers(space.low, space.high.astype(np.int64) + 1, space.dtype)
        case _:
            raise unsupported(space)


def _whole_numbers(low: Any, beyond: Any, kind: Any) -> jax.tree_util.Partial:
    """Returns what draws whole numbers from `low` to less than `beyond`."""
    ends = (np.clip(end, -(2**31), 2**31 - 1).astype(np.int32) for end in (low, beyond))
    like = jnp.zeros((), jax.dtypes.canonicalize_dtype(kind))  # its type is what is meant
    return jax.tree_util.Partial(_draw_whole, *map(jnp.asarray, ends), like)


def _draw_whole(low: jax.Array, beyond: jax.Array, like: jax.Array, key: jax.Array) -> jax.Array:
    return jax.random.randint(key, low.shape, low, beyond).astype(like.dtype)


def _draw_real(low: jax.Array, high: jax.Array, key: jax.Array) -> jax.Array:
    return jax.random.uniform(key, low.shape, low.dtype, low, high)


def _draw_from_unbounded(key: jax.Array, space: spaces.Box) -> jax.Array:
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


def require_numbered(about: str, space: spaces.Space) -> None:
    """Raises unless a policy's actions are those of a space: numbers from 0 of a finite set, or real numbers.

    Args:
      about: whose they are, in the plural; the beginning of the message.
      space: of the actions.

    Raises:
      InvalidInput: they are counted from elsewhere, or a `Box` of whole numbers.
    """
    start = getattr(space, "start", 0)
    require(
        not np.any(start),
        f"{about} start at {start}; they are counted from 0. Number them so.",
    )
    require(
        not isinstance(space, spaces.Box) or np.issubdtype(space.dtype, np.floating),
        f"{about} are a Box of {space.dtype}; policies act by real numbers there. Make it a Box of float32 and "
        "round in the environment, or number the actions as Discrete.",
    )


def unsupported(space: Any) -> InvalidInput:
    """Returns the error for a space that no agent here can see or act in."""
    return InvalidInput(
        f"Space {type(space).__name__} is not supported; accepted are Discrete, MultiDiscrete, "
        "MultiBinary and Box. Wrap the environment (gymnasium.wrappers.FlattenObservation for what is seen, "
        "TransformAction for actions)."
    )
