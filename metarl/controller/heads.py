"""Heads: from the hidden state to the parameters of a distribution.

A head names its distribution, and holds the function that computes the parameters; that function
runs inside a haiku transform and sees the inputs of the step too, since they may hold the mask of
the allowed actions. Output weights start small, so that the first actions are nearly uniform.

Letters: N rows (B, or B times T); H hidden units; A actions; D numbers in a continuous action.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import haiku as hk
import jax
import jax.numpy as jnp

from .distributions import (
    Categorical,
    DiagonalGaussian,
    Distribution,
    GaussianParameters,
    mask_logits,
)

Inputs = Any

SMALL = hk.initializers.VarianceScaling(1e-4, "fan_in", "truncated_normal")


class Bins(Protocol):
    """Bins that tell a value: K logits instead of a number."""

    @property
    def count(self) -> int:
        """K."""
        ...

    @property
    def told_by(self) -> Callable[[jax.Array], jax.Array]:
        """Logits [..., K] -> values [...]."""
        ...


@dataclass(frozen=True)
class Head:
    """The last layer of a policy."""

    distribution: Distribution
    parameters: Callable[[jax.Array, Inputs], Any]
    """(hidden [N, H], inputs [N, ...]) -> distribution parameters [N, ...]"""


def categorical_head(actions: int) -> Head:
    """Returns the head for actions 0 ... A - 1, all of them always allowed."""
    return Head(Categorical(), lambda hidden, inputs: _logits(hidden, actions))


def masked_categorical_head(actions: int, mask: Callable[[Inputs], jax.Array]) -> Head:
    """Returns the head for actions 0 ... A - 1 of which each step allows some.

    Args:
      actions: A.
      mask: takes the mask [N, A] bool out of the inputs; True where an action is allowed.
    """

    def parameters(hidden: jax.Array, inputs: Inputs) -> jax.Array:
        return mask_logits(_logits(hidden, actions), mask(inputs))

    return Head(Categorical(), parameters)


def gaussian_head(shape: int | tuple[int, ...], initial_deviation: float = 1.0) -> Head:
    """Returns the head for actions of D numbers; their deviations do not depend on the state.

    Args:
      shape: of an action: D, or a shape that holds D numbers.
      initial_deviation: of each number before training.
    """
    size = shape if isinstance(shape, int) else math.prod(shape)
    shaped = None if isinstance(shape, int) or shape == (size,) else shape

    def parameters(hidden: jax.Array, inputs: Inputs) -> GaussianParameters:
        del inputs
        mean = hk.Linear(size, w_init=SMALL, name="mean")(hidden)  # [N, D]
        initial = hk.initializers.Constant(jnp.log(initial_deviation))
        log_deviation = hk.get_parameter("log_deviation", (size,), init=initial)
        return GaussianParameters(mean, jnp.broadcast_to(log_deviation[None], mean.shape))

    return Head(DiagonalGaussian(shaped), parameters)


def _logits(hidden: jax.Array, actions: int) -> jax.Array:
    return hk.Linear(actions, w_init=SMALL, name="logits")(hidden)  # [N, A]
