"""Running moments: the units in which a value speaks, and a moving baseline.

Returns may be of any size, and a value that shares its network with the policy drowns the policy's
gradient when they are large. So the network says (return - mean) / deviation, with moments that
follow the returns. Where these change and the network does not, every state is suddenly held to be worth
something else; `preserve` rewrites the network so that it is not.

Reference: van Hasselt et al. (2016), arXiv:1602.07714, equations 7 and 8 (PopArt).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .batch import TrainablePolicy
from .losses import masked_mean

SMALLEST_DEVIATION = 1e-4  # below it the numbers are taken for constant


class RunningMoments(NamedTuple):
    """Mean and variance of what was seen, the recent counting more; 0 and 1 before anything was."""

    mean: jax.Array  # []
    variance: jax.Array  # []
    weight: jax.Array  # [] of all batches so far, that of the last being 1

    @property
    def deviation(self) -> jax.Array:
        """The square root of the variance, kept away from 0."""
        return jnp.maximum(jnp.sqrt(self.variance), SMALLEST_DEVIATION)

    def normalise(self, x: jax.Array) -> jax.Array:
        """Returns (x - mean) / deviation."""
        return (x - self.mean) / self.deviation

    def restore(self, x: jax.Array) -> jax.Array:
        """Returns mean + deviation · x, which undoes `normalise`."""
        return self.mean + self.deviation * x


def no_moments() -> RunningMoments:
    """Returns moments that have seen nothing, and leave numbers as they are."""
    return RunningMoments(jnp.zeros(()), jnp.ones(()), jnp.zeros(()))


def follow(moments: RunningMoments, x: jax.Array, mask: jax.Array, decay: float) -> RunningMoments:
    """Mixes the moments of one batch into the running ones.

    They are the exact moments of all numbers so far, a batch that is k updates old weighing
    decay^k, so the first batch alone fixes them; with decay 1 all batches weigh the same.

    Args:
      moments: so far.
      x: the numbers of the batch, any shape.
      mask: bool of the same shape, which of them count.
      decay: between 0 and 1.

    Returns:
      The moments with the batch mixed in.
    """
    weight = decay * moments.weight + 1
    rate = 1 / weight  # the share of this batch
    batch_mean = masked_mean(x, mask)
    batch_variance = masked_mean((x - batch_mean) ** 2, mask)
    shift = batch_mean - moments.mean
    # Moments of a mixture; written with the shift, as E[x²] - E[x]² would cancel.
    variance = (1 - rate) * (moments.variance + rate * shift**2) + rate * batch_variance
    return RunningMoments(moments.mean + rate * shift, variance, weight)


def preserve(
    policy: TrainablePolicy, params: Any, before: RunningMoments, after: RunningMoments
) -> Any:
    """Returns parameters that say in the units of `after` what they said in those of `before`.

    σ' v' + μ' = σ v + μ for every input, so v' = (σ v + μ - μ') / σ'.

    Args:
      policy: whose value it is.
      params: of the policy.
      before: in whose units the value speaks, μ and σ.
      after: in whose units it shall speak, μ' and σ'.

    Reference: van Hasselt et al. (2016), arXiv:1602.07714, proposition 1.
    """
    scale = before.deviation / after.deviation
    return policy.rescale_value(params, scale, (before.mean - after.mean) / after.deviation)
