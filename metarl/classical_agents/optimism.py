"""Agents for tabular MDPs that are optimistic about what they do not know: BEB, UCRL2, UCBVI.

Letters: S states; A actions; H horizon; n rewards seen; N transitions seen; w prior weight; α of
the Dirichlet prior; σ deviation of the reward noise;
δ probability of error; R highest reward thought possible.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from metarl.environments import plan, plan_backwards

from .confidence_sets import plan_in_the_best
from .mdp_posterior import mean_model
from .planning_agent import Memory, Settings

DELTA = 0.05
"""δ of the confidence sets."""


def plan_with_bayes_bonus(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans in the posterior mean with a bonus that falls as 1 / n: BEB.

      r[t](s, a) = posterior mean + 1 / (w + n + 1) + β H (H - 1 - t) / (1 + S α + N)
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
    of_transitions = beta * horizon / (1 + states * settings.prior.alpha + seen)
    remaining = jnp.arange(horizon - 1, -1, -1.0)[:, None, None]  # [H, 1, 1]
    rewards = (model.mean_rewards + of_rewards)[None] + of_transitions[None] * remaining
    return plan(model.transitions, rewards, horizon).action_values


def plan_in_confidence_set(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans in the best MDP that the data do not rule out: UCRL2 with a finite horizon.

      r(s, a) = posterior mean + scale sqrt(4 ln(2 S A (t + 1) / δ) / n)
      L1 width of p(. | s, a) = scale sqrt(4 S ln(2 S A (t + 1) / δ) / N)

    with counts of at least 1, and t the number of the episode, from 1.

    Returns:
      Action values [H, S, A].

    Reference: Jaksch, Ortner and Auer (2010), Near-optimal regret bounds for reinforcement
      learning, JMLR 11. Differs from it: plans once in an episode and by its number, with other
      constants, as in Duan et al. (2016), arXiv:1611.02779, appendix.
    """
    return _plan_in_confidence_set(settings, key, memory, compounding=False)


def plan_in_compounding_set(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans as `plan_in_confidence_set`, with optimism that compounds from backup to backup.

    Only so are the numbers of Duan et al. (2016) reproduced for 25 episodes and more; see
    `confidence_sets.plan_in_the_best`.
    """
    return _plan_in_confidence_set(settings, key, memory, compounding=True)


def _plan_in_confidence_set(
    settings: Settings, key: jax.Array, memory: Memory, compounding: bool
) -> jax.Array:
    del key
    horizon, states, actions = memory.action_values.shape
    model = mean_model(settings.prior, memory.counts)
    episode = memory.episode + 1.0
    surprise = 4 * jnp.log(2 * states * actions * (episode + 1) / DELTA)  # []
    of_rewards = settings.scale * jnp.sqrt(surprise / jnp.maximum(memory.counts.visits, 1))
    of_transitions = settings.scale * jnp.sqrt(states * surprise / _transitions_seen(memory))
    rewards = model.mean_rewards + of_rewards
    return plan_in_the_best(model.transitions, rewards, of_transitions, horizon, compounding)


def plan_with_bernstein_bonus(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans in the mean with a bonus that falls with the variance of the next value: UCBVI-BF.

      Q[t] = min(R (H - t), r + sqrt(2 L / n) + P V[t+1] + b[t])
      b[t](s, a) = sqrt(8 L Var(V[t+1]) / N) + 14 R H L / (3 N) + sqrt(8 / N) R H
      L = ln(5 S A T / δ),   R = m + 3 σ / sqrt(w)

    Variance is over the next state; bonuses are times `scale`, counts at least 1.

    Returns:
      Action values [H, S, A].

    Reference: Azar, Osband and Munos (2017), Minimax regret bounds for reinforcement learning,
      arXiv:1703.05449, algorithms 1 and 4. Differs from it: the same transitions at all times;
      rewards are unknown, and R takes the place of 1; the last term is at its cap, which it leaves
      after some 10^8 visits; action values may rise again, since with a scale below 1 one unlucky
      plan would otherwise bind for ever.
    """
    del key
    horizon = memory.action_values.shape[0]
    span, seen = _highest_reward(settings) * horizon, _transitions_seen(memory)
    surprise = _surprise(memory)

    def bonus(transitions: jax.Array, later: jax.Array) -> jax.Array:
        variance = transitions @ later**2 - (transitions @ later) ** 2  # [S, A]
        of_variance = jnp.sqrt(8 * surprise * jnp.maximum(variance, 0.0) / seen)
        return of_variance + 14 * span * surprise / (3 * seen) + jnp.sqrt(8 / seen) * span

    return _plan_with_upper_bounds(settings, memory, bonus)


def plan_with_hoeffding_bonus(settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Plans as `plan_with_bernstein_bonus`, with a bonus that falls with the count: UCBVI-CH.

      b(s, a) = 7 R H L / sqrt(N)

    Reference: Azar, Osband and Munos (2017), arXiv:1703.05449, algorithms 1 and 3.
    """
    del key
    horizon = memory.action_values.shape[0]
    span, seen = _highest_reward(settings) * horizon, _transitions_seen(memory)
    width = 7 * span * _surprise(memory) / jnp.sqrt(seen)
    return _plan_with_upper_bounds(settings, memory, lambda transitions, later: width)


def _plan_with_upper_bounds(
    settings: Settings, memory: Memory, bonus: Callable[[jax.Array, jax.Array], jax.Array]
) -> jax.Array:
    horizon, states, _ = memory.action_values.shape
    model, highest = mean_model(settings.prior, memory.counts), _highest_reward(settings)
    of_rewards = jnp.sqrt(2 * _surprise(memory) / jnp.maximum(memory.counts.visits, 1))

    def back_up(later: jax.Array, time: jax.Array) -> jax.Array:
        optimism = settings.scale * (of_rewards + bonus(model.transitions, later))
        bound = model.mean_rewards + model.transitions @ later + optimism
        return jnp.minimum(highest * (horizon - time), bound)

    return plan_backwards(back_up, horizon, states).action_values


def _transitions_seen(memory: Memory) -> jax.Array:
    """Returns N [S, A], at least 1."""
    return jnp.maximum(jnp.sum(memory.counts.transitions, axis=-1), 1)


def _surprise(memory: Memory) -> jax.Array:
    """Returns L []."""
    _, states, actions = memory.action_values.shape
    return jnp.log(5 * states * actions * memory.length / DELTA)


def _highest_reward(settings: Settings) -> jax.Array:
    """Returns R []: three standard deviations above the prior mean."""
    return settings.prior.mean + 3 * settings.prior.noise / jnp.sqrt(settings.prior.weight)
