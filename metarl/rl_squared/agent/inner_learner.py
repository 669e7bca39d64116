"""What an inner learner believes of the task: a model counted from the trial, and plans in it.

  r̂(s, a) = (m + sum of rewards) / (1 + n(s, a)),   m = Σ (sum of rewards) / (1 + n) / Σ n / (1 + n)
  p̂(s' | s, a) = (1 / S + n(s, a, s')) / (1 + Σ n(s, a, ·) + terminations)
  Q_b(s, a) = r̂(s, a) + b (1 - t / T) / (1 + n(s, a)) + Σ p̂(s' | s, a) max Q_b(s', ·)

Q_b is exact for the steps that are left of the episode, planned anew at every step; in a bandit one is left, and Q_b
is the first two terms. m is what pairs earn in the mean over those that were tried, each counted n / (1 + n) times; the
mean of all rewards would rise with what is chosen. b is a bonus for what is unknown, which fades over the trial, as
knowledge that comes late is worth little: who goes by Q_b with b = 0 exploits, with b > 0 goes where it knows least,
many steps ahead. A network is shown, of each action in the present state,

  1 / sqrt(1 + n(s, a))     and, for each b in 0, 1 and 2,     Q_b(s, a) - mean over actions of Q_b(s, ·)

and which shares of the trial and of the episode are left. Where an episode ends before its time, nothing follows;
where it ends at the horizon H, which no state tells, or at the end of the budget, what would have followed is not
known, and the step is not counted as one that led somewhere. All of it can be computed from what the agent saw and
what is public: S, A, H and T. Of the distribution of tasks nothing is used.

Letters: S states; A actions; H horizon of an episode; T steps of a trial; D numbers told of each action; V = D - 1
bonuses.

References: Bhatia, Nashed and Zilberstein (2023), RL³: Boosting Meta Reinforcement Learning via RL inside RL²,
arXiv:2306.15909, whose networks are shown Q estimates and counts of the state too. Theirs come from value iteration
with a discount until it converges, and have no bonus; neither are they told what is left. The bonus is that of
`classical_agents.mdp_agents.plan_in_the_mean`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Environment, InnerLearning
from metarl.errors import require

REVISION = 2  # of what is told: agents that were trained with another have learnt other numbers
BONUSES = (0.0, 1.0, 2.0)  # b, of the size of a reward
TOLD = 1 + len(BONUSES)  # D
SHARED = 2  # numbers that concern no single action, told first
MOST = 2**20  # products of one plan for one bonus


class InnerLearner(NamedTuple):
    """What was counted in one trial."""

    transitions: jax.Array  # [S, A, S] float32, how often a step led where
    terminations: jax.Array  # [S, A], how often it was the last
    visits: jax.Array  # [S, A]
    reward_sums: jax.Array  # [S, A]
    time: jax.Array  # [] int32, steps since the episode began
    steps: jax.Array  # [] int32, steps since the trial began
    length: jax.Array  # [] int32, T

    @classmethod
    def knowing_nothing(cls, environment: Environment, length: int) -> InnerLearner:
        """Returns the learner of an environment before the first of T steps."""
        states, actions = sizes(environment)
        pairs, zero = jnp.zeros((states, actions)), jnp.zeros((), jnp.int32)
        transitions, whole = jnp.zeros((states, actions, states)), jnp.full((), length, jnp.int32)
        return cls(transitions, pairs, pairs, pairs, zero, zero, whole)

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
        return self._replace(
            transitions=self.transitions.at[(*pair, next_state)].add(goes_on),
            terminations=self.terminations.at[pair].add(jnp.where(lasts, 1.0, 0.0)),
            visits=self.visits.at[pair].add(1.0),
            reward_sums=self.reward_sums.at[pair].add(reward),
            time=jnp.where(ended, 0, self.time + 1),
            steps=self.steps + 1,
        )

    def told(self, state: jax.Array, horizon: int) -> jax.Array:
        """Returns what a network is shown of each action in a state: [A, D]."""
        values = self.action_values(state, horizon)
        rarity = jax.lax.rsqrt(1.0 + self.visits[state])
        centred = values - jnp.mean(values, axis=0, keepdims=True)
        return jnp.concatenate([rarity[:, None], centred], axis=-1)

    def shared(self, horizon: int) -> jax.Array:
        """Returns which shares of the trial and of the episode are left: [2]."""
        return jnp.stack([self._left, 1.0 - self.time / horizon])

    def action_values(self, state: jax.Array, horizon: int) -> jax.Array:
        """Returns Q_b of a state for the steps that are left of the episode: [A, V]."""
        states, actions = self.visits.shape
        known, followed = 1.0 + self.visits, jnp.sum(self.transitions, axis=-1) + self.terminations
        usual = jnp.sum(self.reward_sums / known) / jnp.maximum(jnp.sum(self.visits / known), 0.5)
        bonuses = self._left * jnp.asarray(BONUSES)[:, None, None]  # [V, 1, 1]
        earned = (usual + self.reward_sums)[None] + bonuses  # [V, S, A]
        rewards = (earned / known[None]).swapaxes(1, 2)  # [V, A, S]
        if horizon == 1:
            return rewards[:, :, state].T
        weights = (1.0 / states + self.transitions) / (1.0 + followed)[..., None]  # [S, A, S]
        flat = weights.transpose(2, 1, 0).reshape(states, -1)  # [S, A S], action by action

        def sweep(_: jax.Array, later: jax.Array) -> jax.Array:
            values = rewards.reshape(len(BONUSES), -1) + later @ flat  # [V, A S]
            return functools.reduce(jnp.maximum, jnp.split(values, actions, axis=1))  # [V, S]

        left = jnp.maximum(horizon - 1 - self.time, 0)  # after the present step
        later = jax.lax.fori_loop(0, left, sweep, jnp.zeros((len(BONUSES), states)))
        return rewards[:, :, state].T + weights[state] @ later.T

    @property
    def _left(self) -> jax.Array:
        """The share of the trial that is left, [], in (0, 1]."""
        return 1.0 - self.steps / self.length


def inner_learning(environment: Environment) -> InnerLearning:
    """Returns the inner learner of an environment: its own if it has one, else that of this module.

    Raises:
      InvalidInput: it has none, and observations or actions are not discrete, or there are too many.
    """
    if environment.inner_learning is not None:
        return environment.inner_learning
    _, actions = sizes(environment)
    seen, acting, horizon = (
        environment.observation_space,
        environment.action_space,
        environment.horizon,
    )

    def begin(length: int) -> InnerLearner:
        return InnerLearner.knowing_nothing(environment, length)

    def after(
        learner: InnerLearner,
        observation: jax.Array,
        action: jax.Array,
        reward: jax.Array,
        next_observation: jax.Array,
        terminated: jax.Array,
        truncated: jax.Array,
    ) -> InnerLearner:
        state, following = member_number(seen, observation), member_number(seen, next_observation)
        action = member_number(acting, action)
        return learner.after(state, action, reward, following, terminated, truncated, horizon)

    def tell(learner: InnerLearner, observation: jax.Array) -> jax.Array:
        of_actions = learner.told(member_number(seen, observation), horizon)
        return jnp.concatenate([learner.shared(horizon), of_actions.ravel()])

    return InnerLearning(SHARED + TOLD * actions, REVISION, begin, after, tell)


def tells_of_actions(environment: Environment) -> int:
    """Returns how many of the last numbers that are told concern single actions, the same number each; 0 for none."""
    if environment.inner_learning is not None:
        return 0
    return TOLD * sizes(environment)[1]


def sizes(environment: Environment) -> tuple[int, int]:
    """Returns S and A.

    Raises:
      InvalidInput: observations or actions are not discrete, or there are too many.
    """
    spaces = (environment.observation_space, environment.action_space)
    require(
        all(hasattr(space, "n") for space in spaces),
        f"--network.inner-values needs discrete observations and actions, or a world with 'inner_learning' as mazes "
        f"have it; {environment.name!r} has neither.",
    )
    states, actions = (int(space.n) for space in spaces)  # pyright: ignore[reportAttributeAccessIssue]
    horizon = environment.horizon
    require(
        states * actions * states * horizon <= MOST,
        f"--network.inner-values plans with {states:,} x {actions} x {states:,} transitions over {horizon:,} steps in "
        f"{environment.name!r}; it takes at most {MOST:,}. Choose a smaller world, or leave it out.",
    )
    return states, actions


def trust_in_plans(weight: float) -> tuple[float, ...]:
    """Returns what each number that is told counts [D], so that all of them make `weight` times the mean Q_b, b > 0."""
    bold = [float(bonus > 0) for bonus in BONUSES]
    return (0.0, *(weight * each / sum(bold) for each in bold))


def member_number(space: Any, member: jax.Array) -> jax.Array:
    """Returns the number, from 0, of a member of a discrete space."""
    return jnp.asarray(member) - getattr(space, "start", 0)
