"""What worlds of other libraries are taken over by: their import, their types, their seeds as tasks."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.errors import InvalidInput

from ..contract.environment import Split

_OF_TWENTY: dict[Split, tuple[int, int]] = {
    "train": (0, 14),
    "validation": (14, 17),
    "test": (17, 20),
}


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


def draw_seed(key: jax.Array, split: Split) -> SeedTask:
    """Draws a seed; those of 20 in a row go 14 : 3 : 3 to train, validation and test."""
    low, high = _OF_TWENTY[split]
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
