"""Experience: steps as they were taken, in arrays of a fixed size that are written round and round.

Learners that remember much and learners that forget after every update keep the same record. Where
worlds are played together all of them write at the same place, as long as the number of the step is
one for all; then a step costs no more than what it writes.

Letters: C steps that are kept; B sequences of W steps that are looked at.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Environment


class Experience(NamedTuple):
    """Steps; fields have the leading axis [C], or none for a single step."""

    observations: Any  # [C, ...] as the environment gives them
    actions: jax.Array  # [C, ...]
    rewards: jax.Array  # [C] float32
    terminated: jax.Array  # [C] bool
    ended: jax.Array  # [C] bool, terminated or truncated
    next_observations: Any  # [C, ...] at an episode's end the last one of that episode


def no_experience(environment: Environment, capacity: int) -> Experience:
    """Returns room for `capacity` steps in an environment."""

    def room(space: Any) -> jax.Array:
        return jnp.zeros((capacity, *space.shape), jax.dtypes.canonicalize_dtype(space.dtype))

    observations = room(environment.observation_space)
    flags = jnp.zeros(capacity, bool)
    return Experience(
        observations=observations,
        actions=room(environment.action_space),
        rewards=jnp.zeros(capacity),
        terminated=flags,
        ended=flags,
        next_observations=observations,
    )


def written(experience: Experience, step: jax.Array, taken: Experience) -> Experience:
    """Returns the experience with one more step, over the oldest if it is full.

    Args:
      experience: [C].
      step: [] int32, how many were written before.
      taken: a single step.
    """
    capacity = experience.rewards.shape[0]

    def write(kept: jax.Array, new: Any) -> jax.Array:
        new = jnp.asarray(new, kept.dtype)
        return jax.lax.dynamic_update_index_in_dim(kept, new, step % capacity, 0)

    return jax.tree.map(write, experience, taken)


def known_steps(capacity: int, step: jax.Array) -> jax.Array:
    """Returns how many steps are kept [] int32, of `step` that were written."""
    return jnp.minimum(step, capacity)


def successive(
    capacity: int, step: jax.Array, starts: jax.Array, length: int
) -> tuple[jax.Array, jax.Array]:
    """Returns where successive steps are kept, and which of them were taken yet; both [B, W].

    Args:
      capacity: C.
      step: [] int32, how many were written.
      starts: numbers of the first ones, counted from the oldest that is kept [B].
      length: W.
    """
    oldest = jnp.where(step > capacity, step % capacity, 0)
    numbers = starts[:, None] + jnp.arange(length)[None]
    return (oldest + numbers) % capacity, numbers < known_steps(capacity, step)


def one_step(
    observation: Any,
    action: jax.Array,
    reward: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    next_observation: Any,
) -> Experience:
    """Returns what `observe` was told, as a single step."""
    return Experience(
        observation, action, reward, terminated, terminated | truncated, next_observation
    )
