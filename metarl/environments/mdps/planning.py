"""Exact solutions of small MDPs, by dynamic programming.

Letters: S states; A actions; H horizon.
"""

from __future__ import annotations

from collections.abc import Callable
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
      mean_rewards: r [S, A], or [H, S, A] where they depend on the time.
      horizon: H.

    Returns:
      Values and action values at every time.
    """
    rewards = jnp.broadcast_to(mean_rewards, (horizon, *mean_rewards.shape[-2:]))  # [H, S, A]

    def back_up(later: jax.Array, time: jax.Array) -> jax.Array:
        return rewards[time] + transitions @ later

    return plan_backwards(back_up, horizon, mean_rewards.shape[-2])


def plan_backwards(
    back_up: Callable[[jax.Array, jax.Array], jax.Array], horizon: int, states: int
) -> Plan:
    """Solves any problem whose action values follow from the values one step later.

    Args:
      back_up: V[t+1] [S], t [] int32 -> Q[t] [S, A].
      horizon: H.
      states: S.

    Returns:
      Values and action values at every time.
    """

    def step_back(later: jax.Array, time: jax.Array):
        action_values = back_up(later, time)  # [S, A]
        values = jnp.max(action_values, axis=-1)
        return values, (values, action_values)

    last, times = jnp.zeros(states), jnp.arange(horizon)
    _, (values, action_values) = jax.lax.scan(step_back, last, times, reverse=True)
    return Plan(jnp.concatenate([values, last[None]]), action_values)
