"""What worlds of other libraries are taken over by: their import, their types, their seeds as tasks."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.errors import InvalidInput

from ..contract.dealing import OF_TWENTY
from ..contract.environment import Split

CONTROL_COST = 0.05  # of Finn et al. (2017), times the squared length of an action


class SeedTask(NamedTuple):
    """A task that is the seed of a world's reset."""

    seed: jax.Array  # [] int32


def imported(library: str, what: str, install: str) -> Any:
    """Returns a library.

    Args:
      library: its name.
      what: what needs it, such as "navix:Navix-Empty-5x5-v0".
      install: what pip installs it by.

    Raises:
      InvalidInput: it cannot be imported.
    """
    try:
        return importlib.import_module(library)
    except Exception as error:  # libraries below it may fail otherwise than by ImportError
        why = f"{type(error).__name__}: {error}"
        raise InvalidInput(
            f"Environment {what!r}: {library} cannot be imported ({why}); pip install {install!r}."
        ) from error


def goal_reward(kind: str, goal: Any, velocity: Any, squared_action: Any, cost: float) -> Any:
    """Returns the reward of a body that is told by reward alone where to run, or how fast.

      direction   g v - c |a|²
      velocity    -|v - g| - c |a|²

    Args:
      kind: "direction" or "velocity".
      goal: g [], 1 or -1, or a velocity.
      velocity: v [], along x.
      squared_action: |a|² [].
      cost: c.

    Reference: Finn et al. (2017), arXiv:1703.03400, section 5.3.
    """
    run = goal * velocity if kind == "direction" else -abs(velocity - goal)
    return run - cost * squared_action


def draw_seed(key: jax.Array, split: Split) -> SeedTask:
    """Draws a seed; those of 20 in a row go 14 : 3 : 3 to train, validation and test."""
    low, high = OF_TWENTY[split]
    which, within = jax.random.split(key)
    score = jax.random.randint(which, (), 0, 10**8)
    return SeedTask((20 * score + jax.random.randint(within, (), low, high)).astype(jnp.int32))


def strong(tree: Any) -> Any:
    """Returns arrays of types of their own, where Python's numbers take on those of others."""
    arrays = jax.tree.map(jnp.asarray, tree)
    return jax.tree.map(lambda a: jax.lax.convert_element_type(a, a.dtype), arrays)


def as_before(before: Any, after: Any) -> Any:
    """Returns a state in the types of the one before, so that steps can be scanned."""
    return jax.tree.map(lambda a, b: jnp.asarray(b, a.dtype), before, after)
