"""Rollouts: the numbers the outer loop learns from are those of the trial as it was acted."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl import environments
from metarl.rl_squared import NetworkConfig
from metarl.rl_squared.agent.inputs import make_encoder
from metarl.rl_squared.agent.network import is_privileged, make_policy
from metarl.rl_squared.learning.parallel import make_mesh, spread, spread_policy
from metarl.rl_squared.learning.rollout import collect

NETWORK = NetworkConfig(hidden=8)


def roll(trial, trials=4, network=NETWORK, seed=0, discount=0.9):
    environment = trial.environment
    policy = make_policy(environment, network)
    params = jax.jit(policy.init)(jax.random.key(seed))
    encoder = make_encoder(environment, network)
    privileged = is_privileged(environment, network)
    run = jax.jit(lambda keys: collect(policy, params, encoder, trial, keys, discount, privileged))
    return policy, params, run(jax.random.split(jax.random.key(seed + 1), trials))


# One of each kind of what is seen and done; images are slow to compile, and are seen in test_inputs.
QUICK = ("mdp", "cartpole", "pendulum")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name not in QUICK else [])
        for name in environments.names()
    ],
)
def test_log_probabilities_and_values_are_those_recomputed(name):
    policy, params, rollout = roll(environments.Trial(environments.load(name), steps=7))

    @jax.jit
    def recompute(params, batch):
        parameters, values = policy.apply(params, batch.inputs)
        return policy.distribution.log_prob(parameters, batch.actions), values

    recomputed, values = recompute(params, rollout.batch)
    np.testing.assert_allclose(rollout.batch.log_probs, recomputed, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rollout.batch.values, values, rtol=1e-4, atol=1e-4)


def test_returns_run_through_the_ends_of_episodes_and_stop_at_the_trials():
    environment = environments.load("mdp", states=3, actions=2, horizon=4)
    _, _, rollout = roll(environments.Trial(environment, episodes=3))
    expected = np.full((4, 12), 0.9)
    expected[:, -1] = 0
    np.testing.assert_allclose(rollout.batch.discounts, expected, rtol=1e-6)


def test_episode_returns_are_sums_of_the_batchs_rewards():
    environment = environments.load("mdp", states=3, actions=2, horizon=4)
    _, _, rollout = roll(environments.Trial(environment, episodes=3))
    by_episode = np.asarray(rollout.batch.rewards).reshape(4, 3, 4).sum(axis=-1)
    np.testing.assert_allclose(rollout.returns, by_episode, rtol=1e-5)


def test_the_inputs_show_what_was_done_before():
    environment = environments.load("bandit", arms=3)
    _, _, rollout = roll(environments.Trial(environment, episodes=6))
    seen = np.asarray(rollout.batch.inputs.seen)  # [B, T, 1 + 3 + 2]
    actions, rewards = np.asarray(rollout.batch.actions), np.asarray(rollout.batch.rewards)
    np.testing.assert_array_equal(seen[:, 1:, 1:4], np.eye(3)[actions[:, :-1]])
    np.testing.assert_array_equal(seen[:, 1:, 4], rewards[:, :-1])
    assert np.all(seen[:, :, 5] == 1)  # a pull is an episode


def test_a_privileged_value_sees_the_task_and_the_policy_does_not():
    environment = environments.load("bandit", arms=3)
    policy, params, rollout = roll(environments.Trial(environment, episodes=6))
    inputs = rollout.batch.inputs
    moved = inputs._replace(task=inputs.task + 1)
    apply = jax.jit(policy.apply)
    parameters, values = apply(params, inputs)
    same, other = apply(params, moved)
    np.testing.assert_array_equal(parameters, same)
    assert np.all(np.abs(values - other) > 1e-4)


def test_trials_that_end_early_are_padded():
    trial = environments.Trial(environments.load("cartpole", horizon=40), episodes=2)
    _, _, rollout = roll(trial)
    mask = np.asarray(rollout.batch.mask)
    assert not mask.all()
    assert np.all(np.diff(mask.astype(int), axis=1) <= 0)
    assert not np.any(np.asarray(rollout.batch.rewards)[~mask])


def test_two_devices_give_the_trials_of_one():
    environment = environments.load("bandit", arms=3)
    trial = environments.Trial(environment, episodes=6)
    policy, params, alone = roll(trial)
    encoder = make_encoder(environment, NetworkConfig())
    mesh = make_mesh(2)
    assert mesh.size == 2
    act = spread(lambda p, keys: collect(policy, p, encoder, trial, keys, 0.9, True), mesh, 1)
    together = jax.jit(act)(params, jax.random.split(jax.random.key(1), 4))
    for one, two in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_the_gradient_over_two_devices_is_that_over_one():
    environment = environments.load("bandit", arms=3)
    policy, params, rollout = roll(environments.Trial(environment, episodes=6))
    spread_out = spread_policy(policy, make_mesh(2))

    def gradient(apply):
        def loss(params):
            parameters, values = apply(params, rollout.batch.inputs)
            return jnp.mean(parameters**2) + jnp.mean(values**3)

        return jax.jit(jax.grad(loss))(params)

    one, two = gradient(policy.apply), gradient(spread_out.apply)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
