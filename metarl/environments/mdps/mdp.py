"""Random tabular MDPs, a new one in every trial.

Letters: S states; A actions; H horizon.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.2; Osband et al. (2013), arXiv:1306.0940.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from gymnasium import spaces

from ..contract.distributions import MDPDistribution
from ..contract.environment import Environment, Oracle, Split, Step
from ..contract.setting_checks import real_number, refuse_huge, whole_number
from .pictures import draw_graph
from .planning import plan


class TabularMDP(NamedTuple):
    """A task."""

    transitions: jax.Array  # [S, A, S] probability of the next state
    mean_rewards: jax.Array  # [S, A]


class MDPState(NamedTuple):
    """Where an episode stands."""

    place: jax.Array  # [] int32, a state of the MDP
    time: jax.Array  # [] int32, steps taken


def mdp(
    states: int = 10,
    actions: int = 5,
    horizon: int = 10,
    alpha: float = 1.0,
    reward_mean: float = 1.0,
    reward_deviation: float = 1.0,
    reward_noise: float = 1.0,
) -> Environment:
    """Returns random MDPs: mean rewards N(1, 1), reward noise N(0, 1), transitions Dirichlet(1).

    Episodes start in state 0 and terminate after `horizon` steps, which is part of the problem.

    Args:
      states: S.
      actions: A.
      horizon: H.
      alpha: of the Dirichlet(alpha, ..., alpha) of where a pair of state and action leads.
      reward_mean: expectation of a pair's mean reward.
      reward_deviation: deviation of a pair's mean reward.
      reward_noise: deviation of a reward from its mean.

    Raises:
      InvalidInput: a size is not positive, or a task would be huge; alpha is not above 0, or a
        deviation is below 0.
    """
    states, actions = whole_number("states", states), whole_number("actions", actions)
    horizon = whole_number("horizon", horizon)
    refuse_huge("mdp", states * actions * states)
    prior = MDPDistribution(
        real_number("alpha", alpha, above=0.0),
        real_number("reward_mean", reward_mean),
        real_number("reward_deviation", reward_deviation, 0.0),
        real_number("reward_noise", reward_noise, 0.0),
    )

    def draw_task(key: jax.Array, split: Split) -> TabularMDP:
        del split
        transition_key, reward_key = jax.random.split(key)
        transitions = _draw_transitions(transition_key, prior.alpha, (states, actions, states))
        surprise = prior.deviation * jax.random.normal(reward_key, (states, actions))
        return TabularMDP(transitions, prior.mean + surprise)

    def task_features(task: TabularMDP) -> jax.Array:
        surprise = (task.mean_rewards.ravel() - prior.mean) / (prior.deviation or 1.0)
        return jnp.concatenate([surprise, task.transitions.ravel()])

    return tabular_family(
        "mdp",
        {"states": states, "actions": actions, "horizon": horizon, **_unusual(prior)},
        (states, actions, horizon),
        draw_task,
        prior.noise,
        task_features=task_features,
        distribution=prior,
        description=f"random tabular MDPs: rewards N({prior.mean:g}, {prior.deviation**2:g}), "
        f"transitions Dirichlet({prior.alpha:g})",
    )


def tabular_family(
    name: str,
    settings: dict[str, Any],
    sizes: tuple[int, int, int],
    draw_task: Callable[[jax.Array, Split], TabularMDP],
    noise: float,
    **about: Any,
) -> Environment:
    """Returns a family whose tasks are tables; episodes start in state 0 and terminate after H steps.

    Args:
      name: of the family.
      settings: with which `load` gives it again.
      sizes: S, A and H.
      draw_task: key, split -> task.
      noise: deviation of a reward from its mean; normal.
      **about: other fields of the `Environment`.
    """
    states, actions, horizon = sizes

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
        luck = noise * jax.random.normal(reward_key)
        reward = task.mean_rewards[state.place, action] + luck
        time = state.time + 1
        return Step(place, MDPState(place, time), reward, time >= horizon, jnp.zeros((), bool), {})

    def mean_reward(state: MDPState, action: jax.Array, task: TabularMDP) -> jax.Array:
        return task.mean_rewards[state.place, action]

    def solve(task: TabularMDP) -> jax.Array:
        return plan(task.transitions, task.mean_rewards, horizon).values  # [H + 1, S]

    def value(values: jax.Array, state: MDPState) -> jax.Array:
        return values[state.time, state.place]

    def optimal_return(task: TabularMDP) -> jax.Array:
        return solve(task)[0, 0]

    return Environment(
        name=name,
        settings=settings,
        observation_space=spaces.Discrete(states),
        action_space=spaces.Discrete(actions),
        horizon=horizon,
        draw_task=draw_task,
        reset=reset,
        step=step,
        fixed_length=True,
        optimal_return=optimal_return,
        mean_reward=mean_reward,
        oracle=Oracle(solve, value),
        views={"graph": draw_graph},
        **about,
    )


def _draw_transitions(key: jax.Array, alpha: float, shape: tuple[int, int, int]) -> jax.Array:
    """Draws probabilities of next states [S, A, S]."""
    if alpha != 1:
        return jax.random.dirichlet(key, jnp.full(shape[-1], alpha), shape[:-1])
    # Dirichlet(1, ..., 1) is a normalised vector of exponential numbers.
    weights = jax.random.exponential(key, shape)
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


def _unusual(prior: MDPDistribution) -> dict[str, float]:
    """Returns the settings of a prior, unless it is that of the paper, which goes without saying."""
    if prior == MDPDistribution():
        return {}
    rewards = {f"reward_{name}": getattr(prior, name) for name in ("mean", "deviation", "noise")}
    return {"alpha": prior.alpha, **rewards}
