"""A trial: several episodes in one task, without a word to the agent about where one ends.

The budget is a number of episodes, or a number of steps. When an inner episode ends the next begins
at once, and what the agent sees next is its first observation; the agent itself is reset between
trials only. The ends of inner episodes (`terminated`, `truncated`) are kept apart from the end of
the trial (`trial_terminated`: the last episode is over; `trial_truncated`: the steps are used up).

A trial has a fixed number T of steps in the compiled program. Where episodes may be shorter than H,
what comes after the trial's end is padding: `valid` is False, rewards are 0.

Letters: E episodes; H steps of an episode at most; T steps of a trial, E H or the budget of steps.

Reference: Duan et al. (2016), arXiv:1611.02779, section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.errors import require

from .environment import Environment, Observation, Task
from .setting_checks import whole_number

MOST_STEPS = 2**31 - 1


class TrialState(NamedTuple):
    """Where a trial stands."""

    environment: Any
    observation: Observation  # what the agent acts upon next
    episode: jax.Array  # [] int32, how many are complete
    steps: jax.Array  # [] int32, taken so far
    over: jax.Array  # [] bool


class Transition(NamedTuple):
    """One step of a trial."""

    reward: jax.Array  # [] float32
    terminated: jax.Array  # [] bool, of the inner episode
    truncated: jax.Array  # [] bool, of the inner episode, by its horizon or by the trial's budget
    trial_terminated: jax.Array  # [] bool, the last episode of the budget is over
    trial_truncated: jax.Array  # [] bool, the budget of steps is used up
    episode: jax.Array  # [] int32, to which the step belongs
    valid: jax.Array  # [] bool, False after the trial's end
    next_observation: Observation  # where the step led; at an episode's end its last observation
    info: dict[str, Any]

    @property
    def episode_ended(self) -> jax.Array:
        """The flag that RL² is given."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class Trial:
    """A budget of episodes, or of steps, in each task of an environment.

    Attributes:
      environment: in whose tasks the trial runs.
      episodes: E, the budget of episodes; None if the budget is one of steps.
      steps: the budget of steps; None if the budget is one of episodes.
    """

    environment: Environment
    episodes: int | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        require(
            (self.episodes is None) != (self.steps is None),
            "A trial has a budget either of episodes or of steps; give one of them.",
        )
        for name in ("episodes", "steps"):
            count = getattr(self, name)
            if count is not None:
                whole_number(name, count)
        require(
            self.length <= MOST_STEPS,
            f"A trial of {self.length:,} steps is too long: steps are counted in 32 bits, at most {MOST_STEPS:,}. Take "
            "fewer episodes or a shorter horizon.",
        )

    @property
    def length(self) -> int:
        """T, the steps of the compiled program."""
        if self.steps is not None:
            return self.steps
        return self.max_episodes * self.environment.horizon

    @property
    def max_episodes(self) -> int:
        """How many episodes may begin; with a budget of steps as many as could be of one step."""
        if self.episodes is not None:
            return self.episodes
        assert self.steps is not None
        if self.environment.fixed_length:
            return -(-self.steps // self.environment.horizon)
        return self.steps

    def reset(self, key: jax.Array, task: Task) -> TrialState:
        """Begins a trial."""
        observation, state = self.environment.reset(key, task)
        zero = jnp.zeros((), jnp.int32)
        return TrialState(state, observation, zero, zero, jnp.zeros((), bool))

    def step(
        self, key: jax.Array, state: TrialState, action: jax.Array, task: Task
    ) -> tuple[TrialState, Transition]:
        """Takes one step, and begins the next episode where one has ended.

        Args:
          key: consumed.
          state: from `reset` or `step`.
          action: a member of the environment's action space.
          task: the task of this trial.

        Returns:
          The next state, and what happened.
        """
        step_key, reset_key = jax.random.split(key)
        observation, environment, reward, terminated, truncated, info = self.environment.step(
            step_key, state.environment, action, task
        )
        # A user's step may say True and False, of which `~` would make -2 and -1.
        terminated, truncated = jnp.asarray(terminated), jnp.asarray(truncated)
        first_observation, fresh = self.environment.reset(reset_key, task)
        steps = state.steps + 1
        trial_truncated = steps >= self.steps if self.steps is not None else jnp.zeros((), bool)
        ended = terminated | truncated
        completed = state.episode + ended
        trial_terminated = (
            completed >= self.episodes if self.episodes is not None else jnp.zeros((), bool)
        )
        valid = ~state.over
        transition = Transition(
            reward=jnp.where(valid, reward, 0.0).astype(jnp.float32),  # a user's may be of float16
            terminated=terminated,
            truncated=truncated | (trial_truncated & ~terminated),
            trial_terminated=trial_terminated,
            trial_truncated=trial_truncated,
            episode=jnp.minimum(state.episode, self.max_episodes - 1),
            valid=valid,
            next_observation=observation,
            info=info,
        )

        def begin_anew(first: Any, later: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(ended, a, b), first, later)

        environment = begin_anew(fresh, environment)
        if self.environment.observe is None:
            upon_next = begin_anew(first_observation, observation)
        else:  # one look; that of the reset and, where nobody asks for it, the step's are not taken
            upon_next = self.environment.observe(environment, task)
        following = TrialState(
            environment=environment,
            observation=upon_next,
            episode=completed,
            steps=steps,
            over=state.over | trial_terminated | trial_truncated,
        )
        return following, transition
