"""Agents for bandits whose arms may change: what was seen long ago counts less, or not at all.

Letters: K arms; N pulls of an arm, discounted by γ or within the window of τ pulls; X̄ the mean of the
same rewards; t pulls so far; n the sum of N over the arms; B the span of a reward.

Reference: Garivier, Moulines (2011), "On upper-confidence bound policies for switching bandit
problems", ALT, arXiv:0805.3415.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .forgetting_arms import ExponentialWeights, Tally, Window
from .scoring_agent import Memory, Scoring


def ucb1_without_prior(c: float, span: float) -> Scoring:
    """Pulls every arm once, then adds the bonus of UCB1.

      score = X̄ + c B √(2 ln t / N)

    Args:
      c: 0 or more; 1 in the paper.
      span: B, in units of reward; 1 for rewards in [0, 1].

    Reference: Auer, Cesa-Bianchi, Fischer (2002), "Finite-time analysis of the multiarmed bandit
    problem", Machine Learning 47, figure 1.
    """
    return Scoring(_ucb1_scores, jnp.float32(c * span))


def discounted_ucb(xi: float, span: float) -> Scoring:
    """Is UCB1 on discounted counts: D-UCB.

      score = X̄ + 2 B √(ξ ln n / N)

    An arm that was never pulled comes first.

    Args:
      xi: ξ, 0 or more; above 1/2 in the paper's proof.
      span: B, in units of reward.

    Reference: Garivier, Moulines (2011), arXiv:0805.3415, section 2.1.
    """
    return Scoring(_discounted_ucb_scores, jnp.float32([xi, span]))


def sliding_window_ucb(xi: float, span: float) -> Scoring:
    """Is UCB1 on the last τ pulls: SW-UCB.

      score = X̄ + B √(ξ ln min(t, τ) / N)

    An arm that was not pulled within the window comes first.

    Args:
      xi: ξ, 0 or more; above 1/2 in the paper's proof.
      span: B, in units of reward.

    Reference: Garivier, Moulines (2011), arXiv:0805.3415, section 2.2.
    """
    return Scoring(_sliding_window_scores, jnp.float32([xi, span]))


def exp3() -> Scoring:
    """Draws an arm by exponential weights of what it brought, divided by how likely it was: Exp3.

      p_i = (1 - γ) w_i / Σ w + γ / K,   w_i ← w_i exp(γ (r / p_i) / K) of the arm pulled

    Its regret to the best single arm is bounded whatever the rewards are, also against an
    adversary. Rewards in [0, 1].

      score = ln p_i + Gumbel noise, whose maximum is at i with probability p_i

    Reference: Auer, Cesa-Bianchi, Freund, Schapire (2002), "The nonstochastic multiarmed bandit
    problem", SIAM Journal on Computing 32, figure 1.
    """
    return Scoring(_exp3_scores)


def _first_the_unknown(pulls: jax.Array, scores: jax.Array) -> jax.Array:
    return jnp.where(pulls > 0, scores, jnp.inf)


def _bonus(log_time: jax.Array, pulls: jax.Array) -> jax.Array:
    """Returns √(ln t / N) [K]; anything where N is 0."""
    return jnp.sqrt(jnp.maximum(log_time, 0.0) / jnp.where(pulls > 0, pulls, 1.0))


def _ucb1_scores(c: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    arms = memory.arms
    assert isinstance(arms, Tally)
    bonus = _bonus(2 * jnp.log(jnp.maximum(memory.taken, 1)), arms.pulls)
    return _first_the_unknown(arms.pulls, arms.mean + c * bonus)


def _discounted_ucb_scores(numbers: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    arms, (xi, span) = memory.arms, numbers
    assert isinstance(arms, Tally)
    log_time = jnp.log(jnp.maximum(jnp.sum(arms.pulls), 1.0))
    bonus = 2 * span * _bonus(xi * log_time, arms.pulls)
    return _first_the_unknown(arms.pulls, arms.mean + bonus)


def _sliding_window_scores(numbers: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    arms, (xi, span) = memory.arms, numbers
    assert isinstance(arms, Window)
    log_time = jnp.log(jnp.maximum(jnp.minimum(memory.taken, arms.width), 1))
    return _first_the_unknown(arms.pulls, arms.mean + span * _bonus(xi * log_time, arms.pulls))


def _exp3_scores(numbers: tuple[()], key: jax.Array, memory: Memory) -> jax.Array:
    del numbers
    arms = memory.arms
    assert isinstance(arms, ExponentialWeights)
    return jnp.log(arms.probabilities) + jax.random.gumbel(key, arms.log_weights.shape)
