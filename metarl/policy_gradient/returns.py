"""Returns and advantages of recorded sequences, as scans from the last step to the first.

Both run straight through inner episode ends unless the discount there is 0: that is how a return
may span a whole trial. The value after the last step is 0. Written for one sequence and vmapped at
the definition.

Letters: B sequences; T steps; r rewards, γ discounts, v values, λ the trace.
"""

from __future__ import annotations

import functools

import chex
import jax
import jax.numpy as jnp

from .batch import Batch


@jax.vmap
def discounted_returns(rewards: jax.Array, discounts: jax.Array) -> jax.Array:
    """Returns G[t] = r[t] + γ[t] G[t+1], with G[T] = 0.

    Args:
      rewards: [B, T].
      discounts: [B, T], 0 where the return ends.

    Returns:
      The returns [B, T].
    """
    return _discounted_sums(rewards, discounts)


@functools.partial(jax.vmap, in_axes=(0, 0, 0, None))
def generalised_advantages(
    rewards: jax.Array, discounts: jax.Array, values: jax.Array, gae_lambda: float
) -> jax.Array:
    """Returns A[t] = δ[t] + γ[t] λ A[t+1], where δ[t] = r[t] + γ[t] v[t+1] - v[t] and v[T] = 0.

    λ = 0 is the error of one step; λ = 1 is G_t - v_t.

    Args:
      rewards: [B, T].
      discounts: [B, T], 0 where the return ends.
      values: [B, T].
      gae_lambda: λ.

    Returns:
      The advantages [B, T]; A_t + v_t are the λ-returns.

    Reference: Schulman et al. (2016), arXiv:1506.02438, equation 16.
    """
    next_values = jnp.append(values[1:], 0.0)  # [T]
    errors = rewards + discounts * next_values - values
    return _discounted_sums(errors, gae_lambda * discounts)


def _discounted_sums(terms: jax.Array, discounts: jax.Array) -> jax.Array:
    """Returns s[t] = x[t] + γ[t] s[t+1], with s[T] = 0, of one sequence [T]."""
    chex.assert_rank([terms, discounts], 1)

    def accumulate(later: jax.Array, now: tuple[jax.Array, jax.Array]):
        term, discount = now
        total = term + discount * later
        return total, total

    zero = jnp.zeros((), terms.dtype)
    return jax.lax.scan(accumulate, zero, (terms, discounts), reverse=True)[1]


def without_padding(batch: Batch) -> Batch:
    """Makes rewards, discounts, values and log-probabilities 0 where padded, whatever they were."""
    rewards, discounts, values, log_probs = (
        jnp.where(batch.mask, x, 0.0)
        for x in (batch.rewards, batch.discounts, batch.values, batch.log_probs)
    )
    return batch._replace(rewards=rewards, discounts=discounts, values=values, log_probs=log_probs)
