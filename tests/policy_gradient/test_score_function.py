"""The gradient of REINFORCE against the exact one, by enumerating a bandit of two pulls."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from metarl.policy_gradient import Batch, ReinforceConfig, reinforce

# The context of a pull is the start, or the first action; logits and values are one row a context.
LOGITS = jnp.log(jnp.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]))
VALUES = jnp.array([0.3, -0.7, 1.1])
REWARDS = np.array([[1.0, -2.0], [0.5, 3.0], [4.0, -1.0]])  # of each action in each context
PATHS = list(itertools.product(range(2), repeat=2))


def probability(logits, path):
    p = jax.nn.softmax(logits)
    return p[0, path[0]] * p[1 + path[0], path[1]]


def payoff(path):
    return REWARDS[0, path[0]] + REWARDS[1 + path[0], path[1]]


def expected_return(logits):
    return sum(probability(logits, path) * payoff(path) for path in PATHS)


def enumerated_batch():
    """Every path as often in 16 sequences as it is likely, so a mean over them is an
    expectation."""
    rows = [path for path in PATHS for _ in range(round(16 * float(probability(LOGITS, path))))]
    assert len(rows) == 16
    actions = np.array(rows)
    contexts = np.stack([np.zeros(16, int), 1 + actions[:, 0]], axis=1)  # [16, 2]
    inputs = jnp.asarray(np.eye(3, dtype=np.float32)[contexts])
    log_probs = np.asarray(jax.nn.log_softmax(LOGITS))[contexts, actions]
    return Batch(
        inputs=inputs,
        actions=jnp.asarray(actions),
        log_probs=jnp.asarray(log_probs),
        rewards=jnp.asarray(REWARDS[contexts, actions]),
        values=inputs @ VALUES,
        discounts=jnp.asarray(np.tile([1.0, 0.0], (16, 1))),
        mask=jnp.ones((16, 2), bool),
    )


def first_update(policy, **settings):
    config = ReinforceConfig(entropy_weight=0.0, **settings)
    algorithm = reinforce(policy, config)
    state = algorithm.init({"policy": LOGITS, "value": VALUES})
    return jax.jit(algorithm.update)(jax.random.key(0), state, enumerated_batch())


def gradient_of(state):
    """Reads the gradient off the first moment of Adam, which after one step is a tenth of it."""
    return jax.tree.map(lambda x: np.asarray(x) / 0.1, state.optimizer[0].mu)


@pytest.mark.parametrize("baseline", ["none", "moving_average", "batch_mean", "value"])
def test_the_gradient_is_exact_whatever_the_baseline(baseline, linear_policy):
    state, metrics = first_update(linear_policy, baseline=baseline)
    exact = -jax.grad(expected_return)(LOGITS) / 2  # a loss, and a mean over two steps
    np.testing.assert_allclose(gradient_of(state)["policy"], exact, atol=1e-5)
    np.testing.assert_allclose(metrics["mean_return"], expected_return(LOGITS), rtol=1e-5)


def test_the_value_is_fitted_only_where_it_is_the_baseline(linear_policy):
    assert not gradient_of(first_update(linear_policy, baseline="none")[0])["value"].any()
    state, _ = first_update(linear_policy, baseline="value", value_weight=0.5)
    batch = enumerated_batch()
    returns = np.stack([batch.rewards.sum(axis=1), batch.rewards[:, 1]], axis=1)
    targets = (returns - returns.mean()) / returns.std()
    errors = np.asarray(batch.values) - targets  # [16, 2]
    expected = 0.5 * np.mean(errors[..., None] * np.asarray(batch.inputs), axis=(0, 1))
    np.testing.assert_allclose(gradient_of(state)["value"], expected, atol=1e-5)


def test_the_moving_average_is_that_of_the_returns_before_this_batch(linear_policy):
    algorithm = reinforce(
        linear_policy,
        ReinforceConfig(baseline="moving_average", baseline_decay=0.5, entropy_weight=0.0),
    )
    batch = enumerated_batch()
    state = algorithm.init({"policy": LOGITS, "value": VALUES})
    mean = np.mean([batch.rewards.sum(axis=1), batch.rewards[:, 1]])
    for expected in (mean, mean):
        state, _ = jax.jit(algorithm.update)(jax.random.key(0), state, batch)
        np.testing.assert_allclose(state.returns.mean, expected, rtol=1e-5)
    shifted = batch._replace(rewards=batch.rewards + 3.0)  # each return by 3 for each pull left
    state, _ = jax.jit(algorithm.update)(jax.random.key(0), state, shifted)
    weights = np.array([0.25 + 0.5, 1.0])
    expected = np.average([mean, mean + 4.5], weights=weights)
    np.testing.assert_allclose(state.returns.mean, expected, rtol=1e-5)


def test_the_entropy_bonus_pulls_towards_the_uniform_policy(linear_policy):
    algorithm = reinforce(linear_policy, ReinforceConfig(entropy_weight=10.0))
    batch = enumerated_batch()
    state = algorithm.init({"policy": LOGITS, "value": VALUES})
    state, first = jax.jit(algorithm.update)(jax.random.key(0), state, batch)
    _, second = jax.jit(algorithm.update)(jax.random.key(0), state, batch)
    assert second["entropy"] > first["entropy"]


def test_the_gradient_is_clipped_and_reported_as_it_was(linear_policy):
    state, metrics = first_update(linear_policy, baseline="none", max_gradient_norm=0.01)
    (clip_state, (adam_state, _)) = state.optimizer
    del clip_state
    exact = -jax.grad(expected_return)(LOGITS) / 2
    np.testing.assert_allclose(metrics["gradient_norm"], jnp.linalg.norm(exact), rtol=1e-5)
    np.testing.assert_allclose(jnp.linalg.norm(adam_state.mu["policy"]), 0.001, rtol=1e-4)


def test_another_optimizer_takes_the_step(linear_policy):
    params = {"policy": LOGITS, "value": VALUES}
    moved = []
    for make_optimizer in (optax.sgd, optax.sign_sgd):
        algorithm = reinforce(linear_policy, ReinforceConfig(learning_rate=0.01), make_optimizer)
        update = jax.jit(algorithm.update)
        state, _ = update(jax.random.key(0), algorithm.init(params), enumerated_batch())
        moved.append(np.asarray(state.params["policy"] - LOGITS))
    plain, sign = moved
    assert np.all(plain != 0)
    np.testing.assert_allclose(sign, 0.01 * np.sign(plain), rtol=1e-3)
