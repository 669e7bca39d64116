"""REINFORCE: one step along the score function, weighted by the return less a baseline.

  ∇ E[G] = E[ Σ_t ∇ log π(a_t) (G_t - b_t) ]

The sum over t is taken as a mean, as everywhere in this package, so sequences of any length have
the same scale. Where discounts are below 1 the factor γ^t is left out, as is usual.

Reference: Williams (1992), Simple statistical gradient-following algorithms for connectionist
reinforcement learning.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require

from .batch import Algorithm, Batch, TrainablePolicy, check
from .config import ReinforceConfig
from .credit import return_metrics
from .losses import masked_mean, mean_kl, standardise
from .normalisation import RunningMoments, follow, no_moments, preserve
from .returns import discounted_returns, without_padding
from .steps import MakeOptimizer, clipped, global_norm
from .value_bins import ValueBins, asked, require_no_rewriting, value_loss


class ReinforceState(NamedTuple):
    """Everything REINFORCE remembers."""

    params: Any
    optimizer: optax.OptState
    returns: RunningMoments


def reinforce(
    policy: TrainablePolicy,
    config: ReinforceConfig | None = None,
    make_optimizer: MakeOptimizer = optax.adam,
    bins: ValueBins | None = None,
) -> Algorithm:
    """Returns REINFORCE with a baseline and an entropy bonus.

    Args:
      policy: what learns.
      config: settings; the default ones if None.
      make_optimizer: learning rate -> the optimizer that takes its steps.
      bins: those of the policy's value, which then learns by cross-entropy; None where it is one number.

    Returns:
      The algorithm. Its update takes one gradient step and draws nothing from its key.

    Raises:
      InvalidInput: a value in bins is to be preserved, or is no baseline and so learns nothing.
    """
    config = config or ReinforceConfig()
    require_no_rewriting(bins, config.preserve_values)
    require(
        bins is None or config.baseline == "value",
        f"baseline is {config.baseline!r}, and the value, which then learns nothing, is to be told in bins; leave "
        "--value.loss out, or give the baseline 'value'.",
    )
    optimizer = clipped(make_optimizer, config.learning_rate, config.max_gradient_norm)

    def init(params: Any) -> ReinforceState:
        return ReinforceState(params, optimizer.init(params), no_moments())

    def update(
        key: jax.Array, state: ReinforceState, batch: Batch
    ) -> tuple[ReinforceState, dict[str, jax.Array]]:
        del key
        check(batch)
        batch = without_padding(batch)
        returns = discounted_returns(batch.rewards, batch.discounts)
        moments = follow(state.returns, returns, batch.mask, config.baseline_decay)
        advantages = returns - _baseline(config, state.returns, batch, returns)
        if config.standardise_advantages:
            advantages = standardise(advantages, batch.mask, returns)

        objective = jax.value_and_grad(_loss, argnums=2, has_aux=True)
        targets, params = moments.normalise(returns), state.params
        if config.preserve_values and config.baseline == "value":
            params = preserve(policy, params, state.returns, moments)
        (_, (old, metrics)), gradient = objective(
            policy, config, params, batch, advantages, targets, bins
        )
        change, optimizer_state = optimizer.update(gradient, state.optimizer, params)
        params = optax.apply_updates(params, change)

        new, _ = policy.apply(params, batch.inputs)
        values = jnp.where(batch.mask, state.returns.restore(batch.values), 0.0)
        metrics |= return_metrics(returns, values, batch.mask)
        metrics["kl"] = mean_kl(policy.distribution, old, new, batch.mask)
        metrics["gradient_norm"] = global_norm(gradient)
        return ReinforceState(params, optimizer_state, moments), metrics

    return Algorithm(init, update)


def _baseline(
    config: ReinforceConfig, moments: RunningMoments, batch: Batch, returns: jax.Array
) -> jax.Array:
    """Returns what is subtracted from the returns [B, T]."""
    if config.baseline == "value":
        return moments.restore(batch.values)
    if config.baseline == "moving_average":
        # The first batch has no past, and is its own baseline.
        return jnp.where(moments.weight > 0, moments.mean, masked_mean(returns, batch.mask))
    if config.baseline == "batch_mean":
        return masked_mean(returns, batch.mask, axis=0)[None]  # [1, T]
    return jnp.zeros(())


def _loss(
    policy: TrainablePolicy,
    config: ReinforceConfig,
    params: Any,
    batch: Batch,
    advantages: jax.Array,
    value_targets: jax.Array,
    bins: ValueBins | None,
) -> tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]:
    """Returns the loss, and with it the distribution parameters and metrics."""
    parameters, values, logits = asked(policy, params, batch.inputs, bins is not None)
    log_probs = policy.distribution.log_prob(parameters, batch.actions)
    policy_loss = -masked_mean(log_probs * advantages, batch.mask)
    entropy = masked_mean(policy.distribution.entropy(parameters), batch.mask)
    missed = value_loss(values, logits, value_targets, batch.mask, bins)
    loss = policy_loss - config.entropy_weight * entropy
    if config.baseline == "value":
        loss += config.value_weight * missed
    metrics = {"policy_loss": policy_loss, "value_loss": missed, "entropy": entropy}
    return loss, (parameters, metrics)
