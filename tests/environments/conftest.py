"""A family whose every number can be foretold, and agents to act in any."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

from metarl.environments import Agent, Environment, Step, draw_member, make_agent

COUNTING_HORIZON = 4


class Length(NamedTuple):
    """A task of the counting family."""

    steps: jax.Array  # [] int32, after which an episode terminates


def begin(key, task):
    """Begins to count at 0."""
    del key, task
    return jnp.zeros(()), jnp.zeros((), jnp.int32)


def count_on(key, state, action, task):
    """Counts; the reward is the action, so that rewards tell what an agent remembers."""
    del key
    state = state + 1
    terminated = state >= task.steps
    truncated = (state >= COUNTING_HORIZON) & ~terminated
    observation, reward = state.astype(jnp.float32), action.astype(jnp.float32)
    return Step(observation, state, reward, terminated, truncated, {"count": state})


def make_counting(**changes) -> Environment:
    """Returns the counting family, with some of its parts changed."""
    parts = {
        "name": "counting",
        "settings": {},
        "observation_space": spaces.Box(np.float32(0), np.float32(COUNTING_HORIZON), ()),
        "action_space": spaces.Discrete(100),
        "horizon": COUNTING_HORIZON,
        "shared_tasks": True,
        "draw_task": lambda key, split: Length(jnp.full((), 3, jnp.int32)),
        "reset": begin,
        "step": count_on,
    }
    return Environment(**(parts | changes))


@pytest.fixture
def counting():
    return make_counting


@pytest.fixture
def lengths():
    """Returns a function that makes counting tasks of the lengths it is given."""
    return lambda *steps: Length(jnp.array(steps, jnp.int32))


@pytest.fixture
def remembering_agent() -> Agent:
    """Acts as many as it has observed: 0, 1, 2 ... for as long as its memory is kept."""
    return make_agent(
        lambda key, trial, task: jnp.zeros((), jnp.int32),
        lambda key, state, observation: (state, state),
        lambda state, *what_happened: state + 1,
    )


@pytest.fixture
def random_agent():
    """Returns the function that makes an agent which draws from an action space."""
    return _random_agent


@pytest.fixture
def constant_agent():
    """Returns the function that makes an agent of one action alone."""
    return _constant_agent


def _nothing(*what_happened):
    return ()


def _constant_agent(action) -> Agent:
    return make_agent(_nothing, _act_constantly, _nothing, jnp.asarray(action))


def _act_constantly(action, key, state, observation):
    return action, state


def _random_agent(space) -> Agent:
    def act(key, state, observation):
        return draw_member(key, space), state

    return make_agent(_nothing, act, _nothing)
