"""Offline data: episodes that somebody played in training tasks, with nothing else to learn from.

Letters: N trajectories; T steps, the horizon; F features of an observation; A actions.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.environments import (
    Environment,
    Trial,
    feature_size,
    features,
    make_agent,
    record,
    uniform_drawer,
)
from metarl.errors import require

from .config import OfflineConfig


class Trajectories(NamedTuple):
    """Episodes from their first step; what comes after an end is padding."""

    observations: jax.Array  # [N, T, F]
    actions: jax.Array  # [N, T] int32
    rewards: jax.Array  # [N, T], 0 in the padding
    valid: jax.Array  # [N, T] bool

    @property
    def returns(self) -> jax.Array:
        """What each episode earned [N]."""
        return jnp.sum(self.rewards, axis=1)

    @property
    def returns_to_go(self) -> jax.Array:
        """What is earned from each step on, that step's reward included [N, T]."""
        return jnp.cumsum(self.rewards[:, ::-1], axis=1)[:, ::-1]


def walks_of(key: jax.Array, environment: Environment, config: OfflineConfig) -> Trajectories:
    """Returns as many random walks as settings say.

    Raises:
      InvalidInput: the world is stepped on the host.
    """
    require(
        not environment.on_host,
        f"Offline data are gathered in compiled worlds; {environment.name!r} is stepped on the host. Take a learner "
        "that learns within the task, such as dqn.",
    )
    return random_walks(key, environment, config.trajectories)


def random_walks(key: jax.Array, environment: Environment, count: int) -> Trajectories:
    """Returns episodes of random actions, each in a task of the training split drawn for it.

    Args:
      key: consumed.
      environment: compiled, with finitely many actions.
      count: N.
    """
    task_key, play_key = jax.random.split(key)
    tasks = environment.sample_tasks(task_key, count, "train")
    walker = make_agent(_nothing, _wander, _learn_nothing, uniform_drawer(environment.action_space))
    recording = record(walker, Trial(environment, episodes=1), play_key, tasks)
    shown = functools.partial(features, environment.observation_space)
    transitions = recording.transitions
    return checked(
        environment,
        Trajectories(
            jax.vmap(jax.vmap(shown))(recording.observations),
            jnp.asarray(recording.actions, jnp.int32),
            transitions.reward,
            transitions.valid,
        ),
    )


def checked(environment: Environment, data: Trajectories) -> Trajectories:
    """Returns the data, if they can be of this world.

    Raises:
      InvalidInput: there are none, or they are of another world, or hold what is not finite.
    """
    count, steps = data.actions.shape
    size, actions = (
        feature_size(environment.observation_space),
        feature_size(environment.action_space),
    )
    require(count > 0 and bool(data.valid.any()), "Offline data are empty; give one step at least.")
    require(
        data.observations.shape == (count, steps, size) and steps <= environment.horizon,
        f"Offline data hold episodes of {steps} steps with {data.observations.shape[-1]} features; those of "
        f"{environment.name!r} have {environment.horizon} at most, with {size}. They are of another world.",
    )
    taken = np.asarray(data.actions)[np.asarray(data.valid)]
    lowest, highest = int(taken.min()), int(taken.max())
    require(
        lowest >= 0 and highest < actions,
        f"Offline data hold actions {lowest} to {highest}; those of {environment.name!r} are 0 to {actions - 1}.",
    )
    finite = bool(jnp.isfinite(data.rewards).all() & jnp.isfinite(data.observations).all())
    require(
        finite, "Offline data hold observations or rewards that are not finite; they are damaged."
    )
    return data


def best_share(data: Trajectories, share: float) -> Trajectories:
    """Returns the share of the episodes that earned most, those left out that earned no more than the worst.

    Args:
      data: N episodes.
      share: in (0, 1]; rounded up to whole episodes.

    Raises:
      InvalidInput: all of them earned the same, so none is better.
    """
    returns = data.returns
    kept = jnp.argsort(-returns)[: max(1, round(share * len(returns)))]  # stable
    kept = kept[returns[kept] > jnp.min(returns)]
    require(
        len(kept) > 0,
        f"All {len(returns)} episodes of the data earned {float(returns[0]):g}; none is worth imitating. Take "
        "more trajectories.",
    )
    return jax.tree.map(lambda leaf: leaf[kept], data)


def _nothing(draw: Any, key: jax.Array, trial: Trial, task: None) -> tuple[()]:
    del draw, key, trial, task
    return ()


def _wander(draw: Any, key: jax.Array, state: tuple[()], observation: Any):
    del observation
    return draw(key), state


def _learn_nothing(draw: Any, state: tuple[()], *transition: Any) -> tuple[()]:
    del draw, transition
    return state
