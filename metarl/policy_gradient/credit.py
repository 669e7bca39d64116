"""Credit: which actions were better than expected, and what the value should have said.

Values are recorded in the units of the running moments at the time of acting; they are brought back
to those of the rewards before advantages are computed, and targets leave in the units of the
renewed moments.

Letters: B sequences; T steps.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .batch import Batch
from .config import PPOConfig, TRPOConfig
from .losses import deviation, explained_variance, masked_mean, standardise
from .normalisation import RunningMoments, follow
from .returns import discounted_returns, generalised_advantages


class Credit(NamedTuple):
    """What a batch teaches."""

    advantages: jax.Array  # [B, T]
    value_targets: jax.Array  # [B, T], in units of `moments`
    moments: RunningMoments  # of the value targets, this batch included
    size: jax.Array  # [] standard deviation of the advantages as they were, in units of `moments`
    metrics: dict[str, jax.Array]


def assign_credit(batch: Batch, moments: RunningMoments, config: PPOConfig | TRPOConfig) -> Credit:
    """Computes advantages and value targets.

    Args:
      batch: without padding (see `without_padding`).
      moments: in whose units the values of the batch are.
      config: says lambda, the value's target, and what is normalised.

    Returns:
      The credit, and the metrics of the returns.
    """
    returns = discounted_returns(batch.rewards, batch.discounts)
    values = jnp.where(batch.mask, moments.restore(batch.values), 0.0)
    advantages = generalised_advantages(batch.rewards, batch.discounts, values, config.gae_lambda)
    targets = returns if config.value_target == "monte_carlo" else advantages + values
    if config.normalise_values:
        moments = follow(moments, targets, batch.mask, config.normalisation_decay)
    size = deviation(advantages, batch.mask) / moments.deviation
    if config.standardise_advantages:
        advantages = standardise(advantages, batch.mask, returns)
    metrics = return_metrics(returns, values, batch.mask)
    return Credit(advantages, moments.normalise(targets), moments, size, metrics)


def return_metrics(returns: jax.Array, values: jax.Array, mask: jax.Array) -> dict[str, jax.Array]:
    """Returns the mean return of whole sequences, and how much of the returns the values knew."""
    return {
        "mean_return": masked_mean(returns[:, 0], mask[:, 0]),
        "explained_variance": explained_variance(values, returns, mask),
    }
