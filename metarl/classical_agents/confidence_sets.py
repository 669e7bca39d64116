"""Extended value iteration: the best that an MDP could be, of all that the data do not rule out.

The transitions of a pair of state and action may be any probabilities within an L1 distance of the
estimate. The best of them move as much mass as they may from the states of least value to the one
of most, and are found without a search.

Letters: S states; A actions; H horizon.

Reference: Jaksch, Ortner and Auer (2010), Near-optimal regret bounds for reinforcement learning,
JMLR 11, figure 2; Duan et al. (2016), arXiv:1611.02779, appendix.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def best_transitions(estimate: jax.Array, widths: jax.Array, values: jax.Array) -> jax.Array:
    """Returns the probabilities of highest expected value within a distance of the estimate.

      maximise p V   where   p >= 0,  sum(p) = 1,  sum |p - estimate| <= width

    Args:
      estimate: [S, A, S], probabilities.
      widths: [S, A], at least 0.
      values: V [S]; of equal ones the last is preferred.

    Returns:
      p [S, A, S].
    """
    states = jnp.arange(values.shape[0])
    tied = values[:, None] == values[None]
    worse = (values[:, None] < values[None]) | (tied & (states[:, None] < states[None]))  # [S, S]
    is_best = jnp.sum(worse, axis=0) == values.shape[0] - 1  # [S]
    share_of_best = estimate @ is_best.astype(estimate.dtype)  # [S, A]
    moved = jnp.minimum(widths / 2, 1 - share_of_best)[..., None]  # [S, A, 1]
    of_worse = estimate @ worse.astype(estimate.dtype)  # [S, A, S] mass of what is worse than each
    taken = jnp.clip(moved - of_worse, 0.0, estimate)
    return jnp.where(is_best, estimate + moved, estimate - taken)


def plan_in_the_best(
    estimate: jax.Array,
    rewards: jax.Array,
    widths: jax.Array,
    horizon: int,
    compounding: bool = False,
) -> jax.Array:
    """Plans in the best MDP of a confidence set.

      Q[t](s, a) = r(s, a) + max over p within the width of p V[t+1]

    Args:
      estimate: of the transitions [S, A, S].
      rewards: the highest that are possible [S, A].
      widths: L1 distances [S, A].
      horizon: H.
      compounding: at every backup the set lies around the best transitions of the backup before,
        not around the estimate, so that the distance grows with the steps that remain; but where
        the best is certain to be reached the transitions stay as they were. No theory asks for it:
        it is what happens where the best transitions are written over the estimate.

    Returns:
      Action values [H, S, A].
    """

    def back_up(carry: tuple[jax.Array, jax.Array], _: None):
        later, centre = carry
        best = best_transitions(centre, widths, later)
        action_values = rewards + best @ later
        certain = jnp.max(best, axis=-1, keepdims=True) > 1 - 1e-6
        centre = jnp.where(certain, centre, best) if compounding else centre
        return (jnp.max(action_values, axis=-1), centre), action_values

    start = jnp.zeros(rewards.shape[0]), estimate
    return jax.lax.scan(back_up, start, None, length=horizon, reverse=True)[1]
