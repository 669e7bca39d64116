"""ranks: what a reward is worth beside others, whatever their units.

Letters: K, N rewards.
"""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats


def ranks(rewards: jax.Array, present: jax.Array | None = None) -> jax.Array:
    """Returns the ranks of rewards, from -1 for the lowest to 1 for the highest; their mean is 0.

    Equal rewards share the mean of their ranks. A single reward has rank 0, and so has one that does not count.

    Args:
      rewards: [K], may hold -inf.
      present: [K] bool, which of them count; all if None.
    """
    chex.assert_rank(rewards, 1)
    counts = jnp.ones(len(rewards), bool) if present is None else present
    others = jnp.sum(counts) - 1
    below = jnp.sum((rewards[None, :] < rewards[:, None]) & counts[None], axis=1)
    ties = jnp.sum((rewards[None, :] == rewards[:, None]) & counts[None], axis=1) - 1
    middle = below + 0.5 * ties  # [K], from 0 to the number of others
    rank = 2.0 * middle / jnp.maximum(others, 1) - (others > 0)
    return jnp.where(counts, rank, 0.0)


def log_ranks(rewards: Any, present: Any, xp: Any = np) -> Any:
    """Returns log(N / n) / log N for every reward of N, n of them being at least as high.

    It is 1 for the best, 1/2 for the best but sqrt(N), 0 for the worst: a search is as good as its best rules,
    and what is ordinary hardly differs.

    Args:
      rewards: any number, finite.
      present: bool of the same shape, which of them count; the others have 0.
      xp: numpy or jax.numpy.
    """
    count = present.sum()
    below = xp.searchsorted(xp.sort(xp.where(present, rewards, xp.inf)), rewards, side="left")
    at_least = xp.maximum(count - below, 1)
    value = xp.log(xp.maximum(count, 1) / at_least) / xp.log(xp.maximum(count, 2))
    return xp.where(present, value, 0.0)


def normal_scores(rewards: np.ndarray) -> np.ndarray:
    """Returns the quantiles of the standard normal distribution at the ranks of N rewards, float64 [N].

    The rank r, from 1, of the lowest, to N, is taken at (r - 3/8) / (N + 1/4); equal rewards share the mean of their
    ranks. The scores of equal rewards alone are 0.

    Reference: Blom, "Statistical Estimates and Transformed Beta-Variables", 1958.

    Args:
      rewards: any numbers but NaN, [N].
    """
    chex.assert_rank(rewards, 1)
    return special.ndtri((stats.rankdata(rewards) - 0.375) / (len(rewards) + 0.25))
