"""Who draws a map of the maze from what it sees and does, and goes by it.

    the goal not yet seen    to the nearest cell not yet seen, in steps: the way there, and the first turn
    seen                     the way to it

The map is that of the inner learner of mazes (`environments.mazes.inner_learning`), and the agent reads of it what a
network is shown with `--network.inner-values`, nothing else: it is not given the task, as `frontier` is. So it tells
what the map alone earns, beside a network that has learnt to use it.

Reference: Yamauchi (1997), A frontier-based approach for autonomous exploration.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from metarl.environments import (
    Agent,
    Environment,
    Trial,
    make_agent,
    plans_told,
    reach_in_maze,
)

from .maze_steering import FORWARD, LEFT, RIGHT, frames_of_an_action


def maze_cartographer(trial: Trial) -> Agent:
    """Returns the agent.

    Raises:
      InvalidInput: the environment is no maze of metarl's.
    """
    frames = frames_of_an_action("cartographer", trial.environment)
    begin, act, observe = _functions(trial.environment)
    return make_agent(begin, act, observe, frames)


@functools.cache
def _functions(environment: Environment) -> tuple[Any, Any, Any]:
    """Returns the agent's functions; the same objects for the same environment."""
    learning = environment.inner_learning
    assert learning is not None

    def begin(frames: jax.Array, key: jax.Array, trial: Trial, task: Any) -> Any:
        del frames, key, task
        return learning.begin(trial.length)

    def act(frames: jax.Array, key: jax.Array, known: Any, observation: Any):
        del key
        return follow(learning.tell(known, observation), frames), known

    def observe(frames: jax.Array, known: Any, observation: Any, action: jax.Array, *led: Any):
        del frames
        reward, terminated, truncated, following = led
        return learning.after(known, observation, action, reward, following, terminated, truncated)

    return begin, act, observe


def follow(shown: jax.Array, frames: jax.Array) -> jax.Array:
    """Returns the action that goes by what the inner learner of mazes shows: turn to where the plan leads, then walk.

    Args:
      shown: see `environments.mazes.inner_learning`.
      frames: of an action.
    """
    to_goal, to_new = plans_told(shown)
    sine, cosine, _ = jnp.where(to_goal[-1] > 0, to_goal, to_new)
    _, turned = reach_in_maze(frames)
    ahead = jnp.abs(jnp.arctan2(sine, cosine)) < jnp.maximum(0.55 * turned, 0.15)
    return jnp.where(ahead, FORWARD, jnp.where(sine > 0, LEFT, RIGHT))
