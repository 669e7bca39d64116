"""Agents for Harlow's task: one that knows which object pays, and the rule win-stay, lose-shift.

Letters: B bits of an object.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import Agent, HarlowTask, Trial, make_agent


class Choice(NamedTuple):
    """What is known of the two objects."""

    paying: jax.Array  # [B] the code of the object that pays; zeros where it is not known yet


def harlow_oracle() -> Agent:
    """Knows which object pays, and takes it."""
    return make_agent(_know, _take, _keep, sees_task=True)


def win_stay_lose_shift() -> Agent:
    """Takes any object first; then the same if it paid, and the other one if it did not.

    Nobody who does not know the task earns more: 1/2 by expectation in the first episode of a trial, and
    1 in each of the others.
    """
    return make_agent(_know_nothing, _take, _see)


def _know(key: jax.Array, trial: Trial, task: HarlowTask) -> Choice:
    del key, trial
    return Choice(task.paying)


def _know_nothing(key: jax.Array, trial: Trial, task: None) -> Choice:
    del key, task
    shape = trial.environment.observation_space.shape
    assert shape is not None
    return Choice(jnp.zeros(shape[0] // 2))


def _take(key: jax.Array, choice: Choice, observation: jax.Array):
    alike = observation.reshape(2, -1) @ choice.paying  # [2], equal where nothing is known
    guess = jax.random.randint(key, (), 0, 2)
    side = jnp.where(alike[0] == alike[1], guess, jnp.argmax(alike))
    return side.astype(jnp.int32), choice


def _keep(choice: Choice, *transition: Any) -> Choice:
    del transition
    return choice


def _see(
    choice: Choice, observation: jax.Array, action: jax.Array, reward: jax.Array, *rest: Any
) -> Choice:
    del choice, rest
    return Choice(observation.reshape(2, -1)[jnp.where(reward > 0, action, 1 - action)])
