"""What an agent says of itself."""

from __future__ import annotations

import jax.numpy as jnp

from metarl.environments import make_agent


def begin(numbers, key, trial, task):
    return numbers


def test_an_agent_is_shown_by_its_functions_and_not_by_the_numbers_of_its_network():
    agent = make_agent(begin, begin, begin, jnp.arange(1000.0), sees_task=True)
    assert repr(agent) == f"<Agent by {__name__}.begin, sees the task>"
