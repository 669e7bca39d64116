"""The two ends of every scale: an agent that knows nothing, and a bandit agent that knows the task.

Letters: K arms.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from metarl.environments import Agent, Trial, make_agent
from metarl.errors import InvalidInput, require

from .scoring_agent import argmax_at_random


def random_agent(trial: Trial) -> Agent:
    """Acts at random: every action equally likely; in a box uniform within its bounds.

    Raises:
      InvalidInput: the actions are not of a bounded gymnasium space that is known here.
    """
    draw = _draws(trial.environment.action_space)
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


def _draws(space: Any) -> jax.tree_util.Partial:
    """Returns key -> a member of the space, as a PyTree of its numbers."""
    kind = type(space).__name__
    if kind == "Discrete":
        return jax.tree_util.Partial(_draw_whole, jnp.int32(space.start), jnp.int32(space.n))
    if kind in ("MultiDiscrete", "MultiBinary"):
        options = space.nvec if kind == "MultiDiscrete" else 0 * space.sample() + 2
        return jax.tree_util.Partial(_draw_whole, jnp.zeros_like(options), jnp.asarray(options))
    if kind == "Box" and space.is_bounded():
        return jax.tree_util.Partial(_draw_real, jnp.asarray(space.low), jnp.asarray(space.high))
    raise InvalidInput(
        f"Agent 'random' cannot draw from {space}; it can from Discrete, MultiDiscrete, "
        "MultiBinary, and Box with finite bounds."
    )


def _draw_whole(low: jax.Array, options: jax.Array, key: jax.Array) -> jax.Array:
    return jax.random.randint(key, low.shape, low, low + options, low.dtype)


def _draw_real(low: jax.Array, high: jax.Array, key: jax.Array) -> jax.Array:
    return jax.random.uniform(key, low.shape, low.dtype, low, high)


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
