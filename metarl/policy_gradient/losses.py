"""Losses and measures over recorded sequences; every mean is over the steps that are not padding.

Letters: B sequences; T steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax


def masked_mean(x: jax.Array, mask: jax.Array, axis: int | None = None) -> jax.Array:
    """Returns the mean of x where the mask holds, and 0 where it holds nowhere."""
    total = jnp.sum(jnp.where(mask, x, 0.0), axis=axis)
    return total / jnp.maximum(jnp.sum(mask, axis=axis), 1)


ROUNDING = 1e-5  # relative, of float32 numbers that a sum over a trial has gone through


def standardise(x: jax.Array, mask: jax.Array, terms: jax.Array) -> jax.Array:
    """Brings the unmasked numbers to mean 0 and deviation 1; constant ones become 0.

    What differs by rounding alone stays small: where the values know every return, the advantages that are
    left would otherwise be noise as large as any news.

    Args:
      x: differences [B, T].
      mask: [B, T] bool.
      terms: what they are differences of [B, T].
    """
    centred = x - masked_mean(x, mask)
    rounding = ROUNDING * jnp.sqrt(masked_mean(terms**2, mask))
    return centred / (jnp.maximum(deviation(x, mask), rounding) + 1e-8)


def deviation(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the standard deviation of x where the mask holds."""
    return jnp.sqrt(_variance(x, mask))


def surrogate(
    log_probs: jax.Array, old_log_probs: jax.Array, advantages: jax.Array, mask: jax.Array
) -> jax.Array:
    """Returns mean(ρ A), where ρ = π(a) / π_old(a): the policy's gain, estimated from the old one's
    actions.

    Args:
      log_probs: [B, T] under the new policy.
      old_log_probs: [B, T] under the policy that acted.
      advantages: [B, T].
      mask: [B, T] bool.

    Returns:
      A scalar, to be made large.

    Reference: Schulman et al. (2015), arXiv:1502.05477, equation 14.
    """
    return masked_mean(_ratio(log_probs, old_log_probs, mask) * advantages, mask)


def clipped_surrogate(
    log_probs: jax.Array,
    old_log_probs: jax.Array,
    advantages: jax.Array,
    mask: jax.Array,
    clip: float,
) -> jax.Array:
    """Returns mean(min(ρ A, clip(ρ, 1 - ε, 1 + ε) A)): the surrogate without a reward for going
    far.

    Args:
      log_probs: [B, T] under the new policy.
      old_log_probs: [B, T] under the policy that acted.
      advantages: [B, T].
      mask: [B, T] bool.
      clip: ε.

    Returns:
      A scalar, to be made large.

    Reference: Schulman et al. (2017), arXiv:1707.06347, equation 7.
    """
    ratio = _ratio(log_probs, old_log_probs, mask)
    clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
    return masked_mean(jnp.minimum(ratio * advantages, clipped * advantages), mask)


def prediction_loss(
    logits: Mapping[str, jax.Array], labels: Mapping[str, jax.Array], mask: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns how badly labels are predicted: the sum, over labels, of the mean cross-entropy.

    Args:
      logits: [B, T, classes] by name.
      labels: [B, T] int32 by name.
      mask: [B, T] bool.

    Returns:
      The loss, in nats, and as metrics the loss and `accuracy_NAME`: in which share of the steps the likeliest
      class is the label.

    Reference: Mirowski et al. (2017), Learning to navigate in complex environments, arXiv:1611.03673 (auxiliary
    losses of who learns to find its way); Jaderberg et al. (2017), arXiv:1611.05397.
    """
    loss, metrics = jnp.zeros(()), {}
    for name, label in labels.items():
        errors = optax.softmax_cross_entropy_with_integer_labels(logits[name], label)
        loss += masked_mean(errors, mask)
        right = jnp.argmax(logits[name], axis=-1) == label
        metrics[f"accuracy_{name}"] = masked_mean(right, mask)
    return loss, {"auxiliary_loss": loss, **metrics}


def kl_from_samples(log_probs: jax.Array, old_log_probs: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns mean(ρ - 1 - log ρ), an unbiased and never negative estimate of KL(old || new)."""
    log_ratio = jnp.where(mask, log_probs - old_log_probs, 0.0)
    return masked_mean(jnp.expm1(log_ratio) - log_ratio, mask)


def mean_kl(distribution: Any, old: Any, new: Any, mask: jax.Array) -> jax.Array:
    """Returns the mean over steps of KL(old || new)."""
    return masked_mean(distribution.kl(old, new), mask)


def explained_variance(values: jax.Array, returns: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns 1 - Var(returns - values) / Var(returns); 0 where the returns do not vary."""
    variance = _variance(returns, mask)
    unexplained = _variance(returns - values, mask)
    varies = variance > 1e-12
    return jnp.where(varies, 1 - unexplained / jnp.where(varies, variance, 1.0), 0.0)


def _variance(x: jax.Array, mask: jax.Array) -> jax.Array:
    return masked_mean((x - masked_mean(x, mask)) ** 2, mask)


def _ratio(log_probs: jax.Array, old_log_probs: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns π(a) / π_old(a), and 1 where padded, so that padding cannot overflow."""
    return jnp.exp(jnp.where(mask, log_probs - old_log_probs, 0.0))
