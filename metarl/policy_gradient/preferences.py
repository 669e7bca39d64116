"""Preferences: losses that learn from which of two is better, and not from how good each is.

Bradley and Terry: the first of two is preferred with probability σ(s_1 - s_2), s the scores. With a model's scores
that fits a reward model; with s = β log(π / π_ref) the policy is a reward model itself, and fitting it is direct
preference optimisation.

Letters: N pairs.

References: Bradley & Terry, 1952; Christiano et al., 2017, arXiv:1706.03741; Rafailov et al., 2023, arXiv:2305.18290.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from .losses import masked_mean


class Preferences(NamedTuple):
    """The log-probabilities of N pairs of sequences, of which the first of each is preferred."""

    preferred: jax.Array  # [N] under the policy
    other: jax.Array  # [N]
    reference_preferred: jax.Array  # [N] under the reference
    reference_other: jax.Array  # [N]

    @property
    def margins(self) -> jax.Array:
        """By how much more the policy leans to the preferred one than the reference does, [N] in nats."""
        return (self.preferred - self.reference_preferred) - (self.other - self.reference_other)


def bradley_terry_loss(preferred: jax.Array, other: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the mean of -log σ(s_preferred - s_other) over pairs.

    Args:
      preferred: [N], scores of those preferred.
      other: [N], scores of the others.
      mask: [N] bool, which pairs count; 0 if none does.
    """
    chex.assert_rank([preferred, other, mask], 1)
    return masked_mean(jax.nn.softplus(other - preferred), mask)


def direct_preference_loss(pairs: Preferences, mask: jax.Array, beta: float) -> jax.Array:
    """Returns the mean of -log σ(β margin) over pairs.

    Args:
      pairs: their log-probabilities.
      mask: [N] bool, which pairs count; 0 if none does.
      beta: β, how dearly the policy pays for leaving the reference.

    Reference: Rafailov et al. (2023), equation 7.
    """
    margins = beta * pairs.margins
    return bradley_terry_loss(margins, jnp.zeros_like(margins), mask)
