"""Returns as probabilities of bins: what a network of values is asked for, instead of a number.

  h(x) = sign(x) (√(|x| + 1) - 1) + x / 1000        small and large returns on one scale
  a return is told by the two bins beside h(x), each with the weight of its nearness

Learning is then a classification, whose gradient does not grow with the size of returns.

Letters: K bins.

Reference: Schrittwieser et al. (2020), "Mastering Atari, Go, chess and shogi by planning with a learned model",
Nature 588, arXiv:1911.08265, appendix F; h is by Pohlen et al. (2018), arXiv:1805.11593.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

SLOPE = 1e-3


def compressed(returns: jax.Array) -> jax.Array:
    """Returns h of returns, elementwise."""
    return jnp.sign(returns) * (jnp.sqrt(jnp.abs(returns) + 1) - 1) + SLOPE * returns


def expanded(values: jax.Array) -> jax.Array:
    """Returns what h gives these values, elementwise.

    With u = √(|x| + 1), |h| = u - 1 + ε (u² - 1), so u is the positive root of ε u² + u - (1 + ε + |h|), here
    without a difference of near numbers.
    """
    rest = 1 + SLOPE + jnp.abs(values)
    root = 2 * rest / (1 + jnp.sqrt(1 + 4 * SLOPE * rest))
    return jnp.sign(values) * (root**2 - 1)


def two_hot(returns: jax.Array, limit: float, bins: int) -> jax.Array:
    """Returns the weights of the bins [..., K] that tell returns [...], cut at ± `limit`."""
    largest = compressed(jnp.float32(limit))
    share = (jnp.clip(compressed(returns), -largest, largest) / largest + 1) / 2
    places = jnp.arange(bins, dtype=jnp.float32).reshape((1,) * share.ndim + (bins,))
    return jnp.maximum(1 - jnp.abs(share[..., None] * (bins - 1) - places), 0.0)


def told_by(logits: jax.Array, limit: float) -> jax.Array:
    """Returns the returns [...] that logits of bins [..., K] tell: the mean of h, expanded."""
    places = jnp.linspace(-1.0, 1.0, logits.shape[-1]) * compressed(jnp.float32(limit))
    return expanded(jax.nn.softmax(logits) @ places)
