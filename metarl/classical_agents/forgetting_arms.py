"""What has been learnt of arms that may change: posteriors that fade, discounted counts, a window.

All have the face of `arm_posteriors` as far as their agents ask for it: `mean` and `pulls` [K], and
`after(action, reward)`.

Letters: K arms; T pulls of a trial; γ what is kept of everything with each pull; τ width of a window.

References: Raj, Kalyani (2017), arXiv:1707.09727 (fading posteriors); Garivier, Moulines (2011), "On
upper-confidence bound policies for switching bandit problems", ALT, arXiv:0805.3415 (the others).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .arm_posteriors import BetaArms, NormalArms


class FadingArms(NamedTuple):
    """A posterior that is drawn back to the prior with each pull, of any arm.

    What was learnt s pulls ago is worth γ^s pulls.
    """

    known: BetaArms | NormalArms  # [K]
    prior: BetaArms | NormalArms  # [K]
    keep: jax.Array  # [K] γ in [0, 1]

    @property
    def pulls(self) -> jax.Array:
        """How many pulls the posterior is worth [K], the prior's included."""
        return self.known.pulls

    @property
    def mean(self) -> jax.Array:
        """The posterior mean [K]."""
        return self.known.mean

    @property
    def scale(self) -> jax.Array:
        """See the posterior's own."""
        return self.known.scale

    def after(self, action: jax.Array, reward: jax.Array) -> FadingArms:
        """Returns the posterior after one more pull of arm `action`."""
        # Both are of one kind, which types cannot say.
        faded = self.known.towards(self.prior, self.keep)  # pyright: ignore[reportArgumentType]
        return self._replace(known=faded.after(action, reward))

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns means [K] drawn from the posterior; `key` is consumed."""
        return self.known.sample(key)

    def log_density(self, means: jax.Array) -> jax.Array:
        """Returns the logarithm of the joint posterior density at `means` [K], up to a constant."""
        return self.known.log_density(means)


class Tally(NamedTuple):
    """Discounted counts and sums: N_i = Σ_s γ^(t-s) 1{arm s is i}, X_i = Σ_s γ^(t-s) r_s 1{arm s is i}."""

    pulls: jax.Array  # N [K]
    sums: jax.Array  # X [K], in units of reward
    keep: jax.Array  # [K] γ in [0, 1]

    @classmethod
    def none(cls, keep: float = 1.0) -> Tally:
        """Returns that of one arm that was never pulled."""
        return cls(jnp.float32(0), jnp.float32(0), jnp.float32(keep))

    @property
    def mean(self) -> jax.Array:
        """The mean reward [K]; 0 of an arm that was never pulled."""
        return jnp.where(self.pulls > 0, self.sums / jnp.where(self.pulls > 0, self.pulls, 1), 0.0)

    def after(self, action: jax.Array, reward: jax.Array) -> Tally:
        """Returns the tally with one more pull of arm `action`."""
        pulled = jax.nn.one_hot(action, self.pulls.shape[0])  # [K]
        return self._replace(
            pulls=self.keep * self.pulls + pulled, sums=self.keep * self.sums + reward * pulled
        )


class Window(NamedTuple):
    """Counts and sums over the last τ pulls, of all arms together."""

    pulls: jax.Array  # [K]
    sums: jax.Array  # [K], in units of reward
    width: jax.Array  # [] int32, τ
    taken: jax.Array  # [] int32, pulls so far
    actions: jax.Array  # [T] int32, pulls so far
    rewards: jax.Array  # [T]

    @classmethod
    def begin(cls, width: jax.Array, arms: int, pulls: int) -> Window:
        """Returns a window of τ pulls in a trial of `pulls` pulls, before the first."""
        nothing, zero = jnp.zeros(arms), jnp.zeros((), jnp.int32)
        slots = jnp.zeros(pulls)
        return cls(nothing, nothing, width, zero, slots.astype(jnp.int32), slots)

    @property
    def mean(self) -> jax.Array:
        """The mean reward [K]; 0 of an arm that was not pulled within the window."""
        return jnp.where(self.pulls > 0, self.sums / jnp.maximum(self.pulls, 1), 0.0)

    def after(self, action: jax.Array, reward: jax.Array) -> Window:
        """Returns the window moved on by a pull of arm `action`."""
        arms, now = self.pulls.shape[0], self.taken
        gone = jnp.maximum(now - self.width, 0)
        entering = jax.nn.one_hot(action, arms)  # [K]
        leaving = jnp.where(now >= self.width, jax.nn.one_hot(self.actions[gone], arms), 0.0)
        return Window(
            pulls=self.pulls + entering - leaving,
            sums=self.sums + reward * entering - self.rewards[gone] * leaving,
            width=self.width,
            taken=now + 1,
            actions=self.actions.at[now].set(action.astype(jnp.int32)),
            rewards=self.rewards.at[now].set(reward),
        )


class ExponentialWeights(NamedTuple):
    """The weights of Exp3, kept as logarithms relative to the largest."""

    log_weights: jax.Array  # [K]
    explored: jax.Array  # [K] γ in (0, 1], the share of pulls at random

    @classmethod
    def equal(cls, explored: float) -> ExponentialWeights:
        """Returns the weight of one arm before the first pull."""
        return cls(jnp.float32(0), jnp.float32(explored))

    @property
    def probabilities(self) -> jax.Array:
        """(1 - γ) w_i / Σ w + γ / K [K]."""
        by_weight = jax.nn.softmax(self.log_weights)
        return (1 - self.explored) * by_weight + self.explored / self.log_weights.shape[0]

    def after(self, action: jax.Array, reward: jax.Array) -> ExponentialWeights:
        """Returns the weights after a pull: w_i ← w_i exp(γ (r / p_i) / K) of the arm pulled."""
        arms = self.log_weights.shape[0]
        pulled = jax.nn.one_hot(action, arms)  # [K]
        grown = self.log_weights + self.explored * pulled * reward / self.probabilities / arms
        return self._replace(log_weights=grown - jnp.max(grown, keepdims=True))
