"""Cells: an observation of whole numbers as one number.

Letters: C cells.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from metarl.environments import Environment


def count_cells(environment: Environment) -> int:
    """Returns C."""
    return math.prod(_sizes(environment))


def cell_of(environment: Environment, observation: Any) -> jax.Array:
    """Returns the number of an observation [] int32."""
    cell = jnp.zeros((), jnp.int32)
    for number, size in zip(jnp.ravel(observation), _sizes(environment), strict=True):
        cell = cell * size + number
    return cell.astype(jnp.int32)


def _sizes(environment: Environment) -> list[int]:
    """Returns how many values each number of an observation may have."""
    space: Any = environment.observation_space
    return space.nvec.ravel().tolist() if hasattr(space, "nvec") else [int(space.n)]
