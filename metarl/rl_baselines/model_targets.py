"""What MuZero's networks are to say of remembered steps: targets of an unrolled sequence.

  G[k] = Σ_{i<n} γ^i r[k+i] + γ^n V(s[k+n])       cut where the episode ends, or what is known does

V stands for the rest but after a terminated step, where nothing is to be had. What comes after it is unrolled
too: reward and value are 0 there, whatever is done (an absorbing state), so a search needs no model of the end.
Where an episode was truncated, nothing beyond is asked for.

Letters: U steps of unrolling; n of a target; W = U + n steps that are looked at; A actions.

Reference: Schrittwieser et al. (2020), arXiv:1911.08265, appendix G; values of a target network as in
"MuZero Reanalyze", appendix H.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .experience import Experience


class Targets(NamedTuple):
    """Of one sequence; weights are 1 where something is asked for, else 0."""

    values: jax.Array  # [U + 1]
    rewards: jax.Array  # [U + 1] of the step to the next; the last is not asked for
    value_weights: jax.Array  # [U + 1]
    reward_weights: jax.Array  # [U + 1]
    policy_weights: jax.Array  # [U + 1]


def sequence_targets(
    steps: Experience,
    there: jax.Array,
    next_values: jax.Array,
    discount: float,
    unroll: int,
    n_steps: int,
) -> Targets:
    """Returns the targets of one sequence.

    Args:
      steps: [W], in the order in which they were taken.
      there: whether a step was taken yet [W] bool; the first was.
      next_values: V of where each step led [W].
      discount: γ.
      unroll: U.
      n_steps: n.
    """
    last = ~jnp.append(there[1:], False)
    rest = jnp.where(steps.terminated, 0.0, next_values)
    values = jnp.zeros(unroll + 1)
    for ahead in reversed(range(n_steps)):
        now = jnp.arange(unroll + 1) + ahead
        cut = (steps.ended | last)[now] | (ahead == n_steps - 1)
        values = steps.rewards[now] + discount * jnp.where(cut, rest[now], values)
    going_on = jnp.cumprod(1 - steps.ended.astype(jnp.int32))  # [W] through this step
    before = jnp.concatenate([jnp.ones(1, jnp.int32), going_on[:-1]]).astype(bool)
    over = jnp.cumsum(before & steps.terminated) > 0
    absorbed = jnp.concatenate([jnp.zeros(1, bool), over[:-1]])
    alive = before & there
    asked = alive | absorbed
    window, number = slice(0, unroll + 1), jnp.arange(unroll + 1)
    return Targets(
        values=jnp.where(absorbed[window], 0.0, values),
        rewards=jnp.where(absorbed, 0.0, steps.rewards)[window],
        value_weights=asked[window].astype(jnp.float32),
        reward_weights=(asked[window] & (number < unroll)).astype(jnp.float32),
        policy_weights=alive[window].astype(jnp.float32),
    )
