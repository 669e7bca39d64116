"""TRPO: the Fisher matrix, the bound, and the value that cannot break it."""

from __future__ import annotations

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from metarl.controller import TokenPolicyConfig, sample_tokens, token_inputs, token_policy
from metarl.policy_gradient import Batch, TRPOConfig, fisher_vector_product, surrogate, trpo

SLOTS = (3, 2, 3)


def some_masked(tokens, position):
    """Forbids token 0 after token 0."""
    before = jnp.take(tokens, jnp.maximum(position - 1, 0), axis=1)
    return (jnp.arange(3)[None] > 0) | (before[:, None] > 0) | (position == 0)


@pytest.fixture(scope="module")
def policy():
    config = TokenPolicyConfig("gru", hidden_size=3, embedding_size=2, initial_range=1.0)
    return token_policy(SLOTS, config)


@pytest.fixture(scope="module")
def params(policy):
    return jax.jit(policy.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def update(policy, params):
    """(settings, batch) -> the state and the metrics after one update; each settings are compiled once."""

    @functools.cache
    def compiled(config):
        algorithm = trpo(policy, config)
        return jax.jit(lambda key, batch: algorithm.update(key, algorithm.init(params), batch))

    return lambda config, batch: compiled(config)(jax.random.key(0), batch)


@pytest.fixture(scope="module")
def apply(policy):
    return jax.jit(policy.apply)


@pytest.fixture(scope="module")
def batch(policy, params):
    write = jax.jit(lambda key: sample_tokens(policy, params, key, 32, some_masked))
    sample = write(jax.random.key(1))
    rewards = (sample.tokens == jnp.array([[2, 1, 0]])).astype(jnp.float32)
    return Batch(
        inputs=token_inputs(sample.tokens, sample.masks),
        actions=sample.tokens,
        log_probs=sample.log_probs,
        rewards=rewards,
        values=sample.values,
        discounts=jnp.full((32, 3), 0.9),
        mask=jnp.ones((32, 3), bool).at[::4, 2].set(False),
    )


def mean_divergence(policy, batch, old, params):
    divergences = policy.distribution.kl(old, policy.apply(params, batch.inputs)[0])
    return jnp.sum(jnp.where(batch.mask, divergences, 0)) / jnp.sum(batch.mask)


def test_the_fisher_vector_product_is_the_hessian_of_the_divergence(policy, params, batch):
    flat, unravel = ravel_pytree(params)
    old = jax.jit(policy.apply)(params, batch.inputs)[0]
    dense = jax.jit(jax.hessian(lambda x: mean_divergence(policy, batch, old, unravel(x))))(flat)

    def divergence(old, new):
        return jnp.sum(jnp.where(batch.mask, policy.distribution.kl(old, new), 0)) / jnp.sum(
            batch.mask
        )

    @jax.jit
    def product(vector):
        parameters_of = lambda params: policy.apply(params, batch.inputs)[0]  # noqa: E731
        fisher = fisher_vector_product(parameters_of, divergence, params, damping=0.5)
        return ravel_pytree(fisher(unravel(vector)))[0]

    assert jnp.linalg.norm(dense) > 0.1
    for key in jax.random.split(jax.random.key(2), 3):
        vector = jax.random.normal(key, flat.shape)
        np.testing.assert_allclose(product(vector), dense @ vector + 0.5 * vector, atol=1e-4)


@pytest.mark.parametrize("max_kl", [pytest.param(1e-3, marks=pytest.mark.slow), 1.0])
def test_each_update_keeps_the_bound_and_improves_the_surrogate(
    max_kl, policy, params, batch, update, apply
):
    state, metrics = update(TRPOConfig(max_kl=max_kl, standardise_advantages=False), batch)

    old, new = (apply(x, batch.inputs)[0] for x in (params, state.params))
    divergences = policy.distribution.kl(old, new)
    divergence = jnp.sum(jnp.where(batch.mask, divergences, 0)) / jnp.sum(batch.mask)

    assert 0.05 * max_kl < divergence <= max_kl * (1 + 1e-4)
    np.testing.assert_allclose(metrics["kl"], divergence, rtol=1e-3, atol=1e-6)
    assert metrics["step_fraction"] > 0

    new_log_probs = policy.distribution.log_prob(new, batch.actions)
    before, after = (
        surrogate(log_probs, batch.log_probs, advantages_of(batch), batch.mask)
        for log_probs in (batch.log_probs, new_log_probs)
    )
    np.testing.assert_allclose(after, -metrics["policy_loss"], atol=1e-5)
    assert after > before


@pytest.mark.parametrize(
    ("floor", "share"), [(2.0, 0.5), pytest.param(0.5, 1.0, marks=pytest.mark.slow)]
)
def test_steps_are_shorter_where_all_actions_are_nearly_as_good(
    floor, share, params, batch, update
):
    """Half as long where the advantages are half as large, beside the targets, as the floor."""
    as_ever = TRPOConfig(max_kl=1.0, standardise_advantages=False)
    advantages = advantages_of(batch)
    targets = advantages + batch.values
    size = float(np.std(advantages[batch.mask]) / np.std(targets[batch.mask]))
    moved = []
    for config in (as_ever, dataclasses.replace(as_ever, advantage_floor=floor * size)):
        state, metrics = update(config, batch)
        step = jax.tree.map(jnp.subtract, state.params["policy"], params["policy"])
        moved.append(ravel_pytree(step)[0] / metrics["step_fraction"])
    np.testing.assert_allclose(moved[1], share * moved[0], rtol=1e-3, atol=1e-6)


def advantages_of(batch, gae_lambda=0.95):
    """Computes advantages by a loop."""
    rewards, values = (np.where(batch.mask, x, 0) for x in (batch.rewards, batch.values))
    discounts = np.where(batch.mask, batch.discounts, 0)
    advantages, later, next_value = np.zeros_like(rewards), 0.0, 0.0
    for t in reversed(range(rewards.shape[1])):
        error = rewards[:, t] + discounts[:, t] * next_value - values[:, t]
        later = error + gae_lambda * discounts[:, t] * later
        next_value = values[:, t]
        advantages[:, t] = later
    return jnp.asarray(advantages)


FITTING = TRPOConfig(value_epochs=3, value_learning_rate=0.1)


def test_a_step_that_nothing_accepts_leaves_the_policy_as_it_was(params, batch, update):
    hopeless = batch._replace(rewards=0 * batch.rewards, values=0 * batch.values)
    state, metrics = update(FITTING, hopeless)
    jax.tree.map(np.testing.assert_array_equal, state.params["policy"], params["policy"])
    assert metrics["step_fraction"] == 0
    assert metrics["kl"] == 0


def test_fitting_the_value_moves_the_value_and_not_the_policy(params, batch, update):
    without = dataclasses.replace(FITTING, value_epochs=0)
    before, after = (update(config, batch)[0].params for config in (without, FITTING))
    # Two programs: the last bits of the step may differ.
    chex.assert_trees_all_close(before["policy"], after["policy"], rtol=1e-4, atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, before["value"], params["value"])
    assert not np.array_equal(
        before["value"]["head"]["value"]["w"], after["value"]["head"]["value"]["w"]
    )
