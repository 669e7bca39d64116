"""Bandits: each kind of rewards has the distribution it says."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.environments import Bandit, BanditDistribution, Trial, load, play, record
from metarl.environments.bandits.bandit import reflect
from metarl.errors import InvalidInput

MANY = 20_000


def rewards_of(agent, means, **settings) -> np.ndarray:
    """Returns one reward of the agent in each of many equal worlds."""
    trial = Trial(load("bandit", arms=len(means), **settings), episodes=1)
    tasks = Bandit(jnp.tile(jnp.array(means), (MANY, 1)))
    return np.asarray(play(agent, trial, jax.random.key(0), tasks).returns[:, 0])


@pytest.mark.parametrize(("arm", "mean"), [(0, 0.0), (1, 0.2), (2, 1.0)])
def test_bernoulli_rewards_hit_the_mean_of_the_arm_pulled(constant_agent, arm, mean):
    rewards = rewards_of(constant_agent(arm), (0.0, 0.2, 1.0))
    assert set(rewards.tolist()) <= {0.0, 1.0}
    error = 4 * np.sqrt(mean * (1 - mean) / MANY)
    assert abs(rewards.mean() - mean) <= error


def test_gaussian_rewards_have_mean_and_noise(constant_agent):
    rewards = rewards_of(constant_agent(1), (5.0, -2.0), rewards="gaussian", noise=0.5)
    assert abs(rewards.mean() + 2) < 4 * 0.5 / np.sqrt(MANY)
    assert abs(rewards.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * MANY)


@pytest.mark.parametrize(
    ("settings", "mean", "deviation"),
    [
        ({}, 0.5, np.sqrt(1 / 12)),
        ({"rewards": "gaussian"}, 0.0, 1.0),
        ({"rewards": "gaussian", "mean": 3, "deviation": 0.1}, 3.0, 0.1),
        ({"rewards": "correlated"}, 0.5, np.sqrt(1 / 12)),
        ({"rewards": "restless"}, 0.5, np.sqrt(1 / 12)),
        ({"prior_successes": 2, "prior_failures": 6}, 0.25, np.sqrt(3 / 16 / 9)),
        (
            {"rewards": "restless", "prior_successes": 0.1, "prior_failures": 0.1},
            0.5,
            0.25**0.5 / 1.2**0.5,
        ),
    ],
)
def test_the_means_of_the_arms_are_drawn_as_described(settings, mean, deviation):
    drawn = load("bandit", **settings).sample_tasks(jax.random.key(1), 4000).means[:, 0]
    assert abs(drawn.mean() - mean) < 4 * deviation / np.sqrt(4000)
    assert abs(drawn.std() - deviation) < 0.05 * deviation


def test_means_of_linear_arms_are_features_times_what_is_drawn():
    environment = load("bandit", rewards="linear", arms=8, dimension=3)
    means = np.asarray(environment.sample_tasks(jax.random.key(0), 2000).means)
    assert np.linalg.matrix_rank(means, tol=1e-3) == 3
    said = environment.distribution
    assert isinstance(said, BanditDistribution)
    features = np.array(said.features)
    expected = features @ features.T / 3
    np.testing.assert_allclose(np.cov(means.T), expected, atol=0.15 * expected.max())
    assert said.of_one_arm == pytest.approx((0, np.sqrt(np.trace(expected) / 8)))
    validation = environment.sample_task(jax.random.key(0), "validation")
    assert np.linalg.matrix_rank([*means[:5], validation.means], tol=1e-3) == 3  # the same arms


def test_the_standard_prior_goes_without_saying():
    same = load("bandit", arms=4, prior_successes=1.0, prior_failures=1)
    assert same is load("bandit", arms=4)
    assert dict(same.settings) == {"rewards": "bernoulli", "arms": 4}
    assert load("bandit", prior_failures=2).settings["prior_successes"] == 1


def test_one_correlated_arm_tells_of_the_other():
    means = load("bandit", rewards="correlated").sample_tasks(jax.random.key(2), 50).means
    np.testing.assert_allclose(means.sum(axis=1), 1, rtol=1e-6)


def test_the_mean_of_the_best_arm_is_the_optimum():
    task = Bandit(jnp.array([0.1, 0.7, 0.3]))
    optimum = load("bandit", arms=3).optimal_return
    assert optimum is not None and optimum(task) == jnp.float32(0.7)


def test_a_restless_episode_is_the_whole_sequence_of_pulls(constant_agent):
    trial = Trial(load("bandit", rewards="restless", pulls=4), episodes=2)
    tasks = trial.environment.sample_tasks(jax.random.key(3), 1)
    seen = record(constant_agent(0), trial, jax.random.key(4), tasks).transitions
    assert seen.terminated[0].tolist() == [False, False, False, True] * 2
    assert not seen.truncated.any()


def test_the_means_of_a_restless_bandit_drift_within_bounds():
    environment = load("bandit", rewards="restless", arms=2000, drift=0.2)
    task = Bandit(jnp.full(2000, 0.5))

    @jax.jit
    def walk(key):
        def advance(state, index):
            step = environment.step(jax.random.fold_in(key, index), state, jnp.zeros((), int), task)
            return step.state, step.state.means

        state = environment.reset(jax.random.fold_in(key, 100), task)[1]
        return jax.lax.scan(advance, state, jnp.arange(50))[1]

    means = np.asarray(walk(jax.random.key(5)))  # [pulls, arms]
    assert means.min() >= 0 and means.max() <= 1
    # Half a unit is 2.5 drifts away: hardly anything is reflected at the first step.
    assert abs((means[0] - 0.5).std() - 0.2) < 0.02
    # A reflected walk forgets where it began: in the end all means are equally likely.
    assert abs(means[-1].mean() - 0.5) < 0.03 and abs(means[-1].std() - np.sqrt(1 / 12)) < 0.02


def test_a_restless_bandit_begins_each_episode_where_its_task_says(constant_agent):
    trial = Trial(load("bandit", rewards="restless", arms=1, pulls=1), episodes=20)
    rewards = record(
        constant_agent(0), trial, jax.random.key(6), Bandit(jnp.array([[1.0], [0.0]]))
    ).transitions.reward
    assert rewards.tolist() == [[1.0] * 20, [0.0] * 20]


def test_reflection_folds_numbers_like_two_mirrors():
    numbers = jnp.array([0.5, -0.2, 1.3, 2.4, -1.1, 0.0, 1.0])
    np.testing.assert_allclose(reflect(numbers), [0.5, 0.2, 0.7, 0.4, 0.9, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arms": 0}, "arms is 0; it must be a whole number of at least 1."),
        ({"arms": 2.5}, "arms is 2.5; it must be a whole number of at least 1."),
        ({"arms": True}, "arms is True; it must be a whole number of at least 1."),
        ({"arms": "5"}, "arms is '5'; it must be a whole number of at least 1."),
        ({"arms": 10**9}, "would hold 1,000,000,000 numbers; at most 100,000,000"),
        ({"rewards": "bernouli"}, "Unknown value of rewards 'bernouli'. Did you mean 'bernoulli'"),
        ({"noise": 1}, "A bandit of bernoulli rewards has no setting 'noise'; it takes arms, "),
        ({"rewards": "correlated", "arms": 5}, "arms is 5; a correlated bandit has 2"),
        (
            {"rewards": "gaussian", "noise": -1},
            "noise is -1; it must be a finite number of at least 0.",
        ),
        ({"rewards": "gaussian", "mean": float("nan")}, "mean is nan; it must be a finite number."),
        ({"rewards": "linear", "dimension": 0}, "dimension is 0; it must be a whole number"),
        ({"rewards": "gaussian", "prior_failures": 2}, "no setting 'prior_failures'"),
        ({"prior_successes": 0}, "prior_successes is 0; it must be a finite number above 0."),
        ({"rewards": "restless", "pulls": 0}, "pulls is 0; it must be a whole number"),
        ({"rewards": "restless", "drift": "fast"}, "drift is 'fast'; it must be a finite number"),
    ],
)
def test_settings_that_make_no_bandit_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        load("bandit", **settings)
