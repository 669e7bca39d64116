"""What an inner learner believes of the task: a model counted from the trial, and values by value iteration.

  r̂(s, a) = sum of rewards / n(s, a)         p̂(s' | s, a) = n(s, a, s') / (Σ n(s, a, ·) + terminations)
  Q(s, a) <- r̂(s, a) + γ Σ p̂(s' | s, a) max Q(s', ·)        all pairs, twice after each step

A pair that was never tried has Q = 0. Where an episode ends before its time, nothing follows; where it ends at the
horizon H, which no state tells, or at the end of the budget, what would have followed is not known, and the step is
not counted as one that led somewhere. γ is 1 - 1/H, so that one looks as far ahead as an episode is long; in a bandit
it is 0. A network is shown, of each action in the present state,

  1 / sqrt(1 + n(s, a))     and     (1 - γ) Q(s, a)

the second being of the size of a reward. All of it can be computed from what the agent saw.

Letters: S states; A actions; H horizon of an episode.

Reference: Bhatia, Nashed and Zilberstein (2023), RL³: Boosting Meta Reinforcement Learning via RL inside RL²,
arXiv:2306.15909, whose networks are shown Q estimates and counts of the state too; theirs come from value
iteration until it converges, these from two sweeps a step that go on from the last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Environment
from metarl.errors import require

SWEEPS = 2  # of value iteration, after each step
MOST = 2**20  # numbers in the model of one world
TOLD = 2  # numbers about each action


class InnerLearner(NamedTuple):
    """What was counted in one trial, and the values that follow from it."""

    transitions: jax.Array  # [S, A, S] float32, how often a step led where
    terminations: jax.Array  # [S, A], how often it was the last
    visits: jax.Array  # [S, A]
    reward_sums: jax.Array  # [S, A]
    action_values: jax.Array  # [S, A] Q
    time: jax.Array  # [] int32, steps since the episode began

    @classmethod
    def knowing_nothing(cls, environment: Environment) -> InnerLearner:
        """Returns the learner of an environment before the first step."""
        states, actions = sizes(environment)
        pairs, zero = jnp.zeros((states, actions)), jnp.zeros((), jnp.int32)
        return cls(jnp.zeros((states, actions, states)), pairs, pairs, pairs, pairs, zero)

    def after(
        self,
        state: jax.Array,
        action: jax.Array,
        reward: jax.Array,
        next_state: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
        horizon: int,
    ) -> InnerLearner:
        """Returns the learner after one step.

        Args:
          state: [] s, from 0, in which it was taken.
          action: [] a, from 0.
          reward: [].
          next_state: [] where it led.
          terminated: [] bool, of the inner episode.
          truncated: [] bool, of the inner episode.
          horizon: H.
        """
        pair, ended = (state, action), terminated | truncated
        lasts = terminated & (self.time + 1 < horizon)  # nothing follows
        goes_on = jnp.where(ended, 0.0, 1.0)
        counted = self._replace(
            transitions=self.transitions.at[(*pair, next_state)].add(goes_on),
            terminations=self.terminations.at[pair].add(jnp.where(lasts, 1.0, 0.0)),
            visits=self.visits.at[pair].add(1.0),
            reward_sums=self.reward_sums.at[pair].add(reward),
            time=jnp.where(ended, 0, self.time + 1),
        )
        return counted._replace(action_values=_values(counted, horizon))

    def told(self, state: jax.Array, horizon: int) -> jax.Array:
        """Returns what a network is shown in a state: [A, 2]."""
        rarity = jax.lax.rsqrt(1.0 + self.visits[state])
        return jnp.stack([rarity, self.action_values[state] / horizon], axis=-1)


def sizes(environment: Environment) -> tuple[int, int]:
    """Returns S and A.

    Raises:
      InvalidInput: observations or actions are not discrete, or there are too many.
    """
    spaces = (environment.observation_space, environment.action_space)
    require(
        all(hasattr(space, "n") for space in spaces),
        f"--network.inner-values needs discrete observations and actions, which {environment.name!r} "
        "has not.",
    )
    states, actions = (int(space.n) for space in spaces)  # pyright: ignore[reportAttributeAccessIssue]
    require(
        states * actions * states <= MOST,
        f"--network.inner-values counts {states:,} x {actions} x {states:,} transitions in "
        f"{environment.name!r}; it takes at most {MOST:,}. Choose a smaller world, or leave it out.",
    )
    return states, actions


def member_number(space: Any, member: jax.Array) -> jax.Array:
    """Returns the number, from 0, of a member of a discrete space."""
    return jnp.asarray(member) - getattr(space, "start", 0)


def _values(learner: InnerLearner, horizon: int) -> jax.Array:
    """Returns Q [S, A] after a few sweeps more."""
    discount = 1.0 - 1.0 / horizon
    means = learner.reward_sums / jnp.maximum(learner.visits, 1.0)
    followed = jnp.sum(learner.transitions, axis=-1) + learner.terminations
    weights = discount / jnp.maximum(followed, 1.0)
    values = learner.action_values
    for _ in range(SWEEPS if discount else 1):
        best = jnp.max(values, axis=-1)  # [S]
        values = means + weights * jnp.einsum("ijk,k->ij", learner.transitions, best)
    return values
