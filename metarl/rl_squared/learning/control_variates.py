"""Control variates: what the simulator knows, taken out of the rewards that training learns from.

The noise of a reward and the luck of a task tell nothing about the action, yet they stand in every
return and so in the policy gradient. In training the task is known, so they can be taken out:

  none     r[t]
  mean     m[t] = E[r | s[t], a[t], task]
  regret   m[t] + γ[t] V*(s[t+1]) - V*(s[t])

V* is the oracle's expected return in the rest of the episode, 0 after its end; in a bandit `regret` is
minus the regret of a pull, the arm's mean less that of the best. The expected gradient of the return
stays what it is: a reward may be replaced by its mean given all that was before it and the action, and
what V* adds over an episode is -V* of where it begins, which no action moves: the terms between cancel.
Where an episode may end sooner, actions move when the next one begins, and with γ < 1 what its beginning
counts; there V* is that of the rest of the trial, with as much for each episode to come as for the first
(nothing, if the budget is one of steps), it goes on through the ends of episodes, and what it adds over a
trial is -V* of where that begins. (The reward less the best reward in the same state would not do: where
one is was chosen.) Any function of the state may stand for V*; that of mazes is a guide's. The agent is shown
the rewards as they are, and what is logged as return is their sum.

Letters: B trials; T steps; r rewards, γ discounts.

References: Greensmith, Bartlett & Baxter (2004), Variance reduction techniques for gradient estimates in
reinforcement learning, JMLR 5 (control variates of the policy gradient); Ng, Harada & Russell (1999),
Policy invariance under reward transformations (that potentials cancel); Mao et al. (2019),
arXiv:1807.02264 (baselines that see what the policy does not).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Environment, Task, Transition, Trial
from metarl.errors import require

from ..settings.config import VarianceReduction


def require_known(environment: Environment, reduction: VarianceReduction) -> None:
    """Raises unless the environment tells what a control variate needs."""
    if reduction == "none":
        return
    needed = {"mean": ("mean_reward",), "regret": ("mean_reward", "oracle")}[reduction]
    for name in needed:
        require(
            getattr(environment, name) is not None,
            f"--variance-reduction {reduction} needs an environment with {name!r}, which "
            f"{environment.name!r} with these settings has not; train with --variance-reduction none. "
            "Bandits, MDPs, gridworlds and mazes have it.",
        )


class Known(NamedTuple):
    """What the simulator knows of one step of B trials."""

    mean: jax.Array  # [B] of the reward
    best: jax.Array  # [B] V* of the state before the step


class ControlVariate(NamedTuple):
    """What is taken out of the rewards of trials."""

    trial: Trial
    reduction: VarianceReduction

    @property
    def environment(self) -> Environment:
        """In whose tasks the trials run."""
        return self.trial.environment

    def solve(self, tasks: Task) -> Any:
        """Returns what is computed once for each of B tasks."""
        if self.reduction != "regret":
            return ()
        assert self.environment.oracle is not None
        return jax.vmap(self.environment.oracle.solve)(tasks)

    def know(
        self, solutions: Any, states: Any, actions: jax.Array, tasks: Task
    ) -> Known | tuple[()]:
        """Returns what is to be recorded of a step of B trials.

        Args:
          solutions: of `solve`.
          states: of the environment before the step [B, ...].
          actions: [B, ...].
          tasks: [B, ...].
        """
        if self.reduction == "none":
            return ()
        assert self.environment.mean_reward is not None
        mean = jax.vmap(self.environment.mean_reward)(states, actions, tasks)
        if self.reduction == "mean":
            return Known(mean, jnp.zeros_like(mean))
        assert self.environment.oracle is not None
        return Known(mean, jax.vmap(self.environment.oracle.value)(solutions, states))

    def apply(
        self,
        rewards: jax.Array,
        known: Any,
        ended: jax.Array,
        over: jax.Array,
        valid: jax.Array,
        discount: float,
    ) -> jax.Array:
        """Returns the rewards that training learns from [B, T].

        Args:
          rewards: [B, T], 0 where padded.
          known: what was recorded, [B, T].
          ended: [B, T] bool, the inner episode ended with this step, or the trial did.
          over: [B, T] bool, the trial ended with this step, or before it.
          valid: [B, T] bool, False where padded.
          discount: γ.
        """
        if self.reduction == "none":
            return rewards
        best, last = known.best, ended
        if not self.environment.fixed_length:
            begun = jnp.cumsum(ended, axis=1) - ended  # episodes before the present one
            to_come = 0 if self.trial.episodes is None else self.trial.episodes - 1 - begun
            best, last = best + to_come * best[:, :1], over
        after = jnp.concatenate([best[:, 1:], jnp.zeros_like(best[:, :1])], axis=1)
        shaped = known.mean + discount * jnp.where(last, 0.0, after) - best
        return jnp.where(valid, shaped, 0.0)


def ends_of(transition: Transition) -> jax.Array:
    """Returns whether an inner episode ended with the step; the end of the trial ends one too."""
    over = transition.trial_terminated | transition.trial_truncated
    return transition.episode_ended | over
