"""Agents that have learnt nothing."""

from __future__ import annotations

import jax
import pytest

from metarl.rl_squared import TrainConfig, TrainedAgent
from metarl.rl_squared.agent.agent import make_trial
from metarl.rl_squared.agent.network import POLICY, make_policy


@pytest.fixture(scope="session")
def untrained():
    """The function from settings to an agent whose weights are as they were drawn."""
    return _untrained


def _untrained(config: TrainConfig) -> TrainedAgent:
    policy = make_policy(make_trial(config.world).environment, config.network, acting=True)
    return TrainedAgent(jax.jit(policy.init)(jax.random.key(0))[POLICY], config)
