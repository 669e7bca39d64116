"""The two ends of every scale: an agent that knows nothing, and a bandit agent that knows the task.

Letters: K arms.
"""

from __future__ import annotations

from typing import Any

import jax

from metarl.environments import Agent, Trial, make_agent, uniform_drawer
from metarl.errors import InvalidInput, require

from .scoring_agent import argmax_at_random


def random_agent(trial: Trial) -> Agent:
    """Acts at random: every action equally likely; in a box uniform within its bounds.

    Raises:
      InvalidInput: the actions are not of a bounded gymnasium space that is known here.
    """
    space = trial.environment.action_space
    try:
        draw = uniform_drawer(space)
    except InvalidInput as error:
        raise InvalidInput(
            f"Agent 'random' cannot draw from {space}; it can from Discrete, MultiDiscrete, "
            "MultiBinary, and Box with finite bounds."
        ) from error
    return make_agent(_nothing, _act_at_random, _learn_nothing, draw)


def bandit_oracle(trial: Trial) -> Agent:
    """Knows the means of all arms, and pulls one of the best.

    Raises:
      InvalidInput: the tasks do not tell the arms' means, or these change within a trial.
    """
    environment = trial.environment
    require(
        environment.metadata.get("rewards") != "restless",
        "Agent 'oracle' knows the means at the first pull only; a restless bandit's change.",
    )
    task = jax.eval_shape(environment.sample_task, jax.random.key(0))
    require(
        hasattr(task, "means"),
        f"Agent 'oracle' needs tasks with a field 'means' [K]; those of {environment.name!r} have "
        "none.",
    )
    return make_agent(_means, _act_by_means, _keep_means, sees_task=True)


def _nothing(draw: Any, key: jax.Array, trial: Trial, task: None) -> tuple[()]:
    del draw, key, trial, task
    return ()


def _act_at_random(draw: Any, key: jax.Array, state: tuple[()], observation: Any):
    del observation
    return draw(key), state


def _learn_nothing(draw: Any, state: tuple[()], *transition: Any) -> tuple[()]:
    del draw, transition
    return state


def _means(key: jax.Array, trial: Trial, task: Any) -> jax.Array:
    del key, trial
    return task.means


def _act_by_means(key: jax.Array, means: jax.Array, observation: Any):
    del observation
    return argmax_at_random(key, means), means


def _keep_means(means: jax.Array, *transition: Any) -> jax.Array:
    del transition
    return means
