"""Random tabular MDPs, a new one in every trial.

Letters: S states; A actions; H horizon.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.2; Osband et al. (2013), arXiv:1306.0940.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from gymnasium import spaces

from ..contract.environment import Environment, Split, Step
from ..contract.setting_checks import refuse_huge, whole_number
from .planning import plan


class TabularMDP(NamedTuple):
    """A task."""

    transitions: jax.Array  # [S, A, S] probability of the next state
    mean_rewards: jax.Array  # [S, A]


class MDPState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a state of the MDP
    time: jax.Array  # [] int32, steps taken


def mdp(states: int = 10, actions: int = 5, horizon: int = 10) -> Environment:
    """Returns random MDPs: mean rewards N(1, 1), reward noise N(0, 1), transitions Dirichlet(1).

    Episodes start in state 0 and terminate after `horizon` steps, which is part of the problem.

    Args:
      states: S.
      actions: A.
      horizon: H.

    Raises:
      InvalidInput: one of them is not positive, or a task would be huge.
    """
    states, actions = whole_number("states", states), whole_number("actions", actions)
    horizon = whole_number("horizon", horizon)
    refuse_huge("mdp", states * actions * states)

    def draw_task(key: jax.Array, split: Split) -> TabularMDP:
        del split
        transition_key, reward_key = jax.random.split(key)
        # Dirichlet(1, ..., 1) is a normalised vector of exponential numbers.
        weights = jax.random.exponential(transition_key, (states, actions, states))
        transitions = weights / jnp.sum(weights, axis=-1, keepdims=True)
        return TabularMDP(transitions, 1 + jax.random.normal(reward_key, (states, actions)))

    def reset(key: jax.Array, task: TabularMDP) -> tuple[jax.Array, MDPState]:
        del key, task
        start = jnp.zeros((), jnp.int32)
        return start, MDPState(start, start)

    def step(key: jax.Array, state: MDPState, action: jax.Array, task: TabularMDP) -> Step:
        next_key, reward_key = jax.random.split(key)
        probabilities = task.transitions[state.place, action]  # [S]
        luck = jax.random.uniform(next_key)
        passed = jnp.cumsum(probabilities) <= luck  # rounding may pass all of them
        place = jnp.minimum(jnp.sum(passed, dtype=jnp.int32), states - 1)
        reward = task.mean_rewards[state.place, action] + jax.random.normal(reward_key)
        time = state.time + 1
        return Step(place, MDPState(place, time), reward, time >= horizon, jnp.zeros((), bool), {})

    def optimal_return(task: TabularMDP) -> jax.Array:
        return plan(task.transitions, task.mean_rewards, horizon).values[0, 0]

    def task_features(task: TabularMDP) -> jax.Array:
        return jnp.concatenate([task.mean_rewards.ravel() - 1, task.transitions.ravel()])

    return Environment(
        name="mdp",
        settings={"states": states, "actions": actions, "horizon": horizon},
        observation_space=spaces.Discrete(states),
        action_space=spaces.Discrete(actions),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=optimal_return,
        task_features=task_features,
        description="random tabular MDPs: rewards N(1, 1), transitions Dirichlet(1)",
    )
