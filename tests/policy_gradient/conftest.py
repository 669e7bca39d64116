"""A policy small enough to check by hand, batches it acted, and one algorithm of each kind."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from metarl.controller import Categorical
from metarl.policy_gradient import (
    Batch,
    PPOConfig,
    ReinforceConfig,
    TRPOConfig,
    ppo,
    reinforce,
    trpo,
)

B, T, FEATURES, ACTIONS = 8, 5, 3, 4


def _init(key):
    policy_key, value_key = jax.random.split(key)
    return {
        "policy": jax.random.normal(policy_key, (FEATURES, ACTIONS)),
        "value": jax.random.normal(value_key, (FEATURES,)),
    }


def _apply(params, inputs):
    return inputs @ params["policy"], inputs @ params["value"]


def _rescale_value(params, scale, shift):
    # feature 0 is always 1
    return {**params, "value": (scale * params["value"]).at[0].add(shift)}


@pytest.fixture(scope="session")
def linear_policy():
    """Logits and value are linear in the inputs: it satisfies the contract without a network."""
    return SimpleNamespace(
        init=_init,
        apply=_apply,
        value_parameters=lambda params: {"policy": False, "value": True},
        rescale_value=_rescale_value,
        distribution=Categorical(),
    )


@pytest.fixture(scope="session")
def make_batch(linear_policy):
    """Acts: (seed, params) -> Batch of 8 sequences of 5 steps in which action 0 pays best."""

    @jax.jit
    def act(key, params):
        input_key, action_key, reward_key = jax.random.split(key, 3)
        inputs = jax.random.normal(input_key, (B, T, FEATURES)).at[..., 0].set(1.0)
        logits, values = linear_policy.apply(params, inputs)
        actions = jax.random.categorical(action_key, logits)
        noise = jax.random.normal(reward_key, (B, T))
        return Batch(
            inputs=inputs,
            actions=actions,
            log_probs=linear_policy.distribution.log_prob(logits, actions),
            rewards=3.0 * (actions == 0) + 0.1 * noise,
            values=values,
            discounts=jnp.full((B, T), 0.9).at[:, 2].set(0.0),
            mask=jnp.ones((B, T), bool),
        )

    return lambda seed, params: act(jax.random.key(seed), params)


@pytest.fixture(scope="session")
def algorithms(linear_policy):
    """One algorithm of each kind, its update jitted, so that a shape is compiled once a session."""
    built = {
        "reinforce": reinforce(
            linear_policy, ReinforceConfig(learning_rate=0.01, baseline="value")
        ),
        "ppo": ppo(linear_policy, PPOConfig(epochs=3, minibatches=2)),
        "ppo, guarded": ppo(linear_policy, PPOConfig(epochs=3, minibatches=2, max_kl=0.01)),
        "trpo": trpo(linear_policy, TRPOConfig(value_epochs=2, value_minibatches=2)),
    }
    return {name: made._replace(update=jax.jit(made.update)) for name, made in built.items()}
