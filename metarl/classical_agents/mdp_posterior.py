"""What can be known of a tabular MDP from what was seen in it: one posterior for all agents.

    mean reward of (s, a):          N((w m + sum of rewards) / (w + n), σ² / (w + n))
    next states of (s, a):          Dirichlet(α + n_1, ..., α + n_S)

after n rewards with noise of variance σ²; the prior N(m, σ² / w) is worth w rewards. Which prior is
believed is the agent's affair. The state an episode's last step leads to is not counted: who acts in
it never sees that state, since what it is shown next is the first state of the next episode.

Letters: S states; A actions; m prior mean; w prior weight; α of the Dirichlet; σ noise; n counts.

Reference: Osband et al. (2013), arXiv:1306.0940, section 3.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Prior(NamedTuple):
    """What is believed of every pair of state and action at first."""

    mean: jax.Array | float  # [] m, of a mean reward
    weight: jax.Array | float  # [] w, in rewards seen
    alpha: jax.Array | float  # [] α, of each next state, in transitions seen
    noise: jax.Array | float = 1.0  # [] σ, deviation of a reward from its mean


class Counts(NamedTuple):
    """What was seen."""

    transitions: jax.Array  # [S, A, S] float32, how often a step led where
    visits: jax.Array  # [S, A] float32, rewards seen
    reward_sums: jax.Array  # [S, A]

    @classmethod
    def none(cls, states: int, actions: int) -> Counts:
        """Returns the counts of nothing seen."""
        pairs = jnp.zeros((states, actions))
        return cls(jnp.zeros((states, actions, states)), pairs, pairs)

    def after(
        self,
        state: jax.Array,
        action: jax.Array,
        reward: jax.Array,
        next_state: jax.Array,
        ended: jax.Array,
    ) -> Counts:
        """Returns the counts with one step more.

        Args:
          state: [] s, in which it was taken.
          action: [] a.
          reward: [].
          next_state: [] where it led; not counted if `ended`.
          ended: [] bool, the episode is over.
        """
        pair, one = (state, action), jnp.where(ended, 0.0, 1.0)
        return Counts(
            self.transitions.at[(*pair, next_state)].add(one),
            self.visits.at[pair].add(1.0),
            self.reward_sums.at[pair].add(reward),
        )


class Model(NamedTuple):
    """An MDP that is thought possible."""

    transitions: jax.Array  # [S, A, S]
    mean_rewards: jax.Array  # [S, A]


def mean_model(prior: Prior, counts: Counts) -> Model:
    """Returns the posterior mean."""
    weights = prior.alpha + counts.transitions  # [S, A, S]
    transitions = weights / jnp.sum(weights, axis=-1, keepdims=True)
    known = prior.weight + counts.visits  # [S, A] precision
    return Model(transitions, (prior.weight * prior.mean + counts.reward_sums) / known)


def sample_model(key: jax.Array, prior: Prior, counts: Counts) -> Model:
    """Returns an MDP drawn from the posterior.

    Args:
      key: consumed.
      prior: believed at first.
      counts: seen since.
    """
    reward_key, transition_key = jax.random.split(key)
    deviations = jax.random.normal(reward_key, counts.visits.shape)
    deviations *= prior.noise / jnp.sqrt(prior.weight + counts.visits)
    means = mean_model(prior, counts).mean_rewards
    weights = prior.alpha + counts.transitions
    return Model(sample_dirichlet(transition_key, weights), means + deviations)


def sample_dirichlet(key: jax.Array, weights: jax.Array) -> jax.Array:
    """Draws probabilities from Dirichlet distributions.

    They are Gamma(w) variables, normalised. Gamma(w) is Gamma(w + 1) U^(1/w), and Gamma(w + 1) is
    drawn by rejection, at most twice: by then less than one in 2,000 is still to be refused, and
    refused proposals have nearly the right distribution. That is several times as fast as a loop
    that waits for the last of thousands of variables, and within 1e-5 in total variation.

    Args:
      key: consumed.
      weights: [..., S], positive.

    Returns:
      [..., S].

    Reference: Marsaglia and Tsang (2000), A simple method for generating gamma variables, ACM
      Transactions on Mathematical Software 26(3).
    """
    first_key, second_key, luck_key = jax.random.split(key, 3)
    luck = jax.random.uniform(luck_key, weights.shape)
    first, chance = _propose(first_key, weights + 1)
    refused = luck >= chance
    # What is left of `luck` is uniform again, given whether the proposal was refused.
    luck = jnp.where(refused, (luck - chance) / (1 - chance), luck / chance)
    second, chance = _propose(second_key, weights + 1)
    proposal = jnp.where(refused, second, first)
    luck = jnp.where(refused & (luck < chance), luck / chance, luck)
    tiny = jnp.finfo(weights.dtype).tiny
    logarithms = jnp.log(proposal) + jnp.log(jnp.maximum(luck, tiny)) / weights
    return jax.nn.softmax(logarithms, axis=-1)


def _propose(key: jax.Array, shape: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns a proposal for Gamma(shape), and the probability with which to accept it."""
    d = shape - 1 / 3
    normal = jax.random.normal(key, shape.shape)
    root = jnp.maximum(1 + normal / jnp.sqrt(9 * d), 1e-3)  # below 0 with probability 1e-5
    cube = root**3
    chance = jnp.exp(jnp.minimum(0.5 * normal**2 + d * (1 - cube + jnp.log(cube)), 0.0))
    return d * cube, chance
