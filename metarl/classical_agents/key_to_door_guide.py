"""Who knows what key and door are for: it walks to what it sees, and waits where there is nothing to see.

Letters: D cells along one side of a room.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from metarl.environments import Agent, KeyToDoorTask, Trial, make_agent
from metarl.errors import require

from .dark_room_agents import STAY, towards


def key_to_door_guide(trial: Trial) -> Agent:
    """Returns the agent that takes the key and opens the door: nobody earns more.

    Raises:
      InvalidInput: the world is another.
    """
    environment = trial.environment
    task = jax.eval_shape(environment.sample_task, jax.random.key(0))
    require(
        isinstance(task, KeyToDoorTask),
        f"This oracle is at home in 'key-to-door'; tasks of {environment.name!r} are "
        f"{type(task).__name__}.",
    )
    size = int(environment.observation_space.nvec[1])  # pyright: ignore[reportAttributeAccessIssue]
    return make_agent(_nothing, _walker(size), _forget)


@functools.cache
def _walker(size: int) -> Any:
    def walk(key: jax.Array, state: tuple[()], observation: jax.Array):
        del key
        _, x, y, seen_x, seen_y = observation
        way = towards(y * size + x, seen_y * size + seen_x, size)
        return jnp.where(seen_x == size, STAY, way).astype(jnp.int32), state

    return walk


def _nothing(key: jax.Array, trial: Trial, task: None) -> tuple[()]:
    del key, trial, task
    return ()


def _forget(state: tuple[()], *transition: Any) -> tuple[()]:
    del transition
    return state
