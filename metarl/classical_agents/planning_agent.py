"""The skeleton of every MDP agent: count what is seen, plan, act on the plan.

    plan = planner(settings, key, memory)         [H, S, A], what alone differs between the agents
    action = one of the highest values of plan[time, state], at random
    memory.counts = memory.counts.after(state, action, reward, next_state, ended)

The plan is made anew when an episode begins, as in the paper, or at every step. Of worlds that are
played together all begin their episodes at the same step, and so the planner is run at those steps
only: see `in_any_world`.

Letters: S states; A actions; H horizon.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.2 and appendix.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Trial, computed_where, make_agent

from .mdp_posterior import Counts, Prior
from .scoring_agent import argmax_at_random

Replan = Literal["episode", "step"]


class Settings(NamedTuple):
    """Traced numbers; an agent looks at those that its row names."""

    prior: Prior
    epsilon: jax.Array | float = 0.0  # [] probability of an action at random
    scale: jax.Array | float = 1.0  # [] of a bonus or a width
    samples: jax.Array | int = 1  # [] MDPs drawn
    bonus: jax.Array | float = 0.0  # [] reward for what is unknown, as the trial begins


class Memory(NamedTuple):
    """What an agent knows while it acts in one MDP."""

    counts: Counts
    action_values: jax.Array  # [H, S, A] the plan
    time: jax.Array  # [] int32, steps since the episode began
    episode: jax.Array  # [] int32, episodes complete
    steps: jax.Array  # [] int32, steps taken in the trial
    length: jax.Array  # [] int32, T, steps of the whole trial


Planner = Callable[[Settings, jax.Array, Memory], jax.Array]
"""settings, key, memory -> action values [H, S, A]"""


def planning_agent(planner: Planner, settings: Settings, replan: Replan = "episode") -> Agent:
    """Returns the agent that acts on a planner's action values.

    Args:
      planner: a function at the top of a module (agents are compiled by its identity).
      settings: given to the planner; traced.
      replan: whether to plan as an episode begins, or at every step for what remains of it.
    """
    return make_agent(*_functions(planner, replan), settings)


@functools.cache
def _functions(planner: Planner, replan: Replan) -> tuple[Callable, Callable, Callable]:
    def act(settings: Settings, key: jax.Array, memory: Memory, observation: jax.Array):
        plan_key, luck_key, any_key, tie_key = jax.random.split(key, 4)
        if replan == "step":
            action_values = planner(settings, plan_key, memory)
        else:
            action_values = plan_if_new(planner, settings, plan_key, memory)
        best = argmax_at_random(tie_key, action_values[memory.time, observation])
        some = jax.random.randint(any_key, (), 0, action_values.shape[-1])
        explore = jax.random.uniform(luck_key) < settings.epsilon
        return jnp.where(explore, some, best), memory._replace(action_values=action_values)

    return know_nothing, act, count_step


def plan_if_new(planner: Planner, settings: Settings, key: jax.Array, memory: Memory) -> jax.Array:
    """Returns a new plan where an episode begins, and the old one elsewhere."""
    begins = memory.time == 0
    return computed_where(begins, lambda: planner(settings, key, memory), memory.action_values)


def know_nothing(settings: Settings, key: jax.Array, trial: Trial, task: None) -> Memory:
    """Returns what an agent knows before its first step."""
    del settings, key, task
    states, actions, horizon = sizes(trial)
    zero = jnp.zeros((), jnp.int32)
    return Memory(
        counts=Counts.none(states, actions),
        action_values=jnp.zeros((horizon, states, actions)),
        time=zero,
        episode=zero,
        steps=zero,
        length=jnp.full((), trial.length, jnp.int32),
    )


def count_step(
    settings: Settings,
    memory: Memory,
    observation: jax.Array,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: jax.Array,
) -> Memory:
    """Returns what an agent knows after one step more."""
    del settings
    ended = terminated | truncated
    return memory._replace(
        counts=memory.counts.after(observation, action, reward, next_observation, ended),
        time=jnp.where(ended, 0, memory.time + 1),
        episode=memory.episode + ended,
        steps=memory.steps + 1,
    )


def sizes(trial: Trial) -> tuple[int, int, int]:
    """Returns S, A and H of a trial in a tabular MDP."""
    environment = trial.environment
    states, actions = (
        int(space.n)  # pyright: ignore[reportAttributeAccessIssue]
        for space in (environment.observation_space, environment.action_space)
    )
    return states, actions, environment.horizon
