"""Agents for tabular MDPs that are optimistic about what they do not know: BEB, UCRL2, UCBVI.

Letters: S states; A actions; H horizon; n rewards seen; N transitions seen; w prior weight;
δ probability of error.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from metarl.environments import plan, plan_backwards

from .mdp_posterior import mean_model
from .planning_agent import Memory, Settings

DELTA = 0.05
"""δ of the confidence sets."""


def plan_with_bayes_bonus(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans in the posterior mean with a bonus that falls as 1 / n: BEB.

      r[t](s, a) = posterior mean + 1 / (w + n + 1) + β H (H - 1 - t) / (1 + S w + N)
      β = 2 H² scale

    The last term is the worth of knowing the transitions, in rewards of each step after this one.

    Returns:
      Action values [H, S, A].

    Reference: Kolter and Ng (2009), Near-Bayesian exploration in polynomial time, ICML. Differs
      from it: rewards are unknown too, and the bonus grows with the steps that remain, as in Duan
      et al. (2016), arXiv:1611.02779, appendix.
    """
    del key
    horizon, states, _ = memory.action_values.shape
    model = mean_model(settings.prior, memory.counts)
    weight = settings.prior.weight
    seen = jnp.sum(memory.counts.transitions, axis=-1)  # [S, A]
    of_rewards = 1 / (weight + memory.counts.visits + 1)
    beta = 2 * horizon**2 * settings.scale
    of_transitions = beta * horizon / (1 + states * weight + seen)
    remaining = jnp.arange(horizon - 1, -1, -1.0)[:, None, None]  # [H, 1, 1]
    rewards = (model.mean_rewards + of_rewards)[None] + of_transitions[None] * remaining
    return plan(model.transitions, rewards, horizon).action_values
