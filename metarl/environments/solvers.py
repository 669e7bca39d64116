"""Exact solutions of small problems.

Letters: S states; A actions; H horizon.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Plan(NamedTuple):
    """Finite-horizon optimal values, by steps taken so far."""

    values: jax.Array  # [H + 1, S], the last row 0
    action_values: jax.Array  # [H, S, A]


def plan(transitions: jax.Array, mean_rewards: jax.Array, horizon: int) -> Plan:
    """Solves an MDP by undiscounted dynamic programming.

      Q[t] = r + P V[t+1],   V[t] = max over actions of Q[t],   V[H] = 0

    Args:
      transitions: P [S, A, S].
      mean_rewards: r [S, A].
      horizon: H.

    Returns:
      Values and action values at every time.
    """

    def back_up(later: jax.Array, _: None):
        action_values = mean_rewards + transitions @ later  # [S, A]
        values = jnp.max(action_values, axis=-1)
        return values, (values, action_values)

    last = jnp.zeros(mean_rewards.shape[0], mean_rewards.dtype)
    _, (values, action_values) = jax.lax.scan(back_up, last, None, length=horizon, reverse=True)
    return Plan(jnp.concatenate([values, last[None]]), action_values)
