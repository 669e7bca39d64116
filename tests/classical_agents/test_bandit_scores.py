"""The formulas of the bandit agents against naive loops over the arms."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import bandit_agents
from metarl.classical_agents.arm_posteriors import BetaArms, NormalArms
from metarl.classical_agents.scoring_agent import Memory, highest_by_luck, posterior_of

SUCCESSES = (1.0, 4.0, 2.0, 9.0)
FAILURES = (1.0, 2.0, 5.0, 1.0)


def beta_memory(successes=SUCCESSES, failures=FAILURES, left: int = 7) -> Memory:
    """Memory of a trial in which both counts of every arm began at one."""
    taken = round(sum(successes) + sum(failures)) - 2 * len(successes)
    arms = BetaArms(jnp.array(successes), jnp.array(failures))
    return Memory(arms, jnp.int32(taken), jnp.int32(left))


def scores(scoring, memory: Memory, seed: int = 0) -> np.ndarray:
    return np.asarray(scoring.score(scoring.numbers, jax.random.key(seed), memory))


def test_greedy_scores_are_posterior_means():
    expected = [s / (s + f) for s, f in zip(SUCCESSES, FAILURES, strict=True)]
    np.testing.assert_allclose(scores(bandit_agents.greedy(), beta_memory()), expected, rtol=1e-6)


def test_ucb1_adds_c_times_the_root_of_two_log_t_over_n():
    t = sum(SUCCESSES) + sum(FAILURES) - 8 + 1
    expected = [
        s / (s + f) + 0.3 * math.sqrt(2 * math.log(t) / (s + f))
        for s, f in zip(SUCCESSES, FAILURES, strict=True)
    ]
    np.testing.assert_allclose(scores(bandit_agents.ucb1(0.3), beta_memory()), expected, rtol=1e-5)


@pytest.mark.parametrize("c", [0.0, 3.0])
def test_kl_ucb_takes_the_largest_mean_within_its_budget(c):
    memory = Memory(
        BetaArms(jnp.array(SUCCESSES), jnp.array(FAILURES)), jnp.int32(25), jnp.int32(1)
    )
    budget = math.log(26) + c * math.log(math.log(26))
    expected = []
    for s, f in zip(SUCCESSES, FAILURES, strict=True):
        p, grid = s / (s + f), np.linspace(1e-6, 1 - 1e-6, 1_000_001)
        divergence = p * np.log(p / grid) + (1 - p) * np.log((1 - p) / (1 - grid))
        expected.append(np.max(grid[(s + f) * divergence <= budget]))
    np.testing.assert_allclose(scores(bandit_agents.kl_ucb(c), memory), expected, atol=1e-5)


def test_kl_ucb_pulls_an_untried_arm_before_one_that_never_failed():
    memory = Memory(BetaArms(jnp.array([1.0, 0.0]), jnp.array([0.0, 0.0])), *jnp.int32([1, 9]))
    never_failed, untried = scores(bandit_agents.kl_ucb(0.0), memory)
    assert never_failed == pytest.approx(1.0) and untried > 1.0


def test_epsilon_greedy_ignores_the_means_with_probability_epsilon():
    scoring = bandit_agents.epsilon_greedy(0.3)
    keys = jax.random.split(jax.random.key(0), 3000)
    drawn = np.asarray(
        jax.vmap(lambda key: scoring.score(scoring.numbers, key, beta_memory()))(keys)
    )
    greedy = np.all(drawn == scores(bandit_agents.greedy(), beta_memory()), axis=1)
    assert abs(greedy.mean() - 0.7) < 4 * math.sqrt(0.3 * 0.7 / 3000)
    explored = np.bincount(drawn[~greedy].argmax(1), minlength=4) / np.sum(~greedy)
    np.testing.assert_allclose(explored, 0.25, atol=4 * math.sqrt(0.25 * 0.75 / 900))


def test_optimistic_thompson_keeps_the_sample_of_highest_joint_density():
    memory, key = beta_memory(), jax.random.key(5)
    draws = [
        np.asarray(posterior_of(memory).sample(jax.random.fold_in(key, i)), np.float64)
        for i in range(6)
    ]
    a, b = np.array(SUCCESSES), np.array(FAILURES)
    density = [np.prod(x ** (a - 1) * (1 - x) ** (b - 1)) for x in draws]
    for count in (1, 2, 6):
        scoring = bandit_agents.optimistic_thompson(count)
        kept = scoring.score(scoring.numbers, key, memory)
        np.testing.assert_allclose(kept, draws[int(np.argmax(density[:count]))], rtol=1e-6)


def test_whittle_index_is_the_paper_s_formula():
    c, expected = -math.log(0.9), []
    for s, f in zip(SUCCESSES, FAILURES, strict=True):
        n, mu = s + f, s / (s + f)
        root = math.sqrt((2 * c + 1 / n) * mu * (1 - mu))
        expected.append(mu + mu * (1 - mu) / (n * root + mu - 0.5))
    np.testing.assert_allclose(
        scores(bandit_agents.whittle(0.9), beta_memory()), expected, rtol=1e-5
    )


def test_beta_posterior_counts_what_it_saw():
    arms = BetaArms(jnp.ones(3), jnp.ones(3))
    for action, reward in [(0, 1.0), (2, 0.0), (0, 0.0), (0, 1.0)]:
        arms = arms.after(jnp.int32(action), jnp.float32(reward))
    np.testing.assert_array_equal(arms.successes, [3, 1, 1])
    np.testing.assert_array_equal(arms.failures, [2, 1, 2])


def test_normal_posterior_is_that_of_all_rewards_at_once():
    prior_mean, precision, noise_precision = 0.5, 2.0, 4.0
    arms = NormalArms(*(jnp.full(2, x) for x in (prior_mean, precision, noise_precision)))
    rewards = [1.5, -0.25, 2.0]
    for reward in rewards:
        arms = arms.after(jnp.int32(1), jnp.float32(reward))
    total = precision + noise_precision * len(rewards)
    mean = (precision * prior_mean + noise_precision * sum(rewards)) / total
    np.testing.assert_allclose(arms.mean, [prior_mean, mean], rtol=1e-6)
    np.testing.assert_allclose(arms.precision, [precision, total], rtol=1e-6)
    np.testing.assert_allclose(arms.pulls, np.array([precision, total]) / noise_precision)


def test_normal_samples_have_the_posterior_s_moments():
    arms = NormalArms(jnp.array([1.0, -2.0]), jnp.array([4.0, 0.25]), jnp.ones(2))
    drawn = np.asarray(jax.vmap(arms.sample)(jax.random.split(jax.random.key(0), 20_000)))
    np.testing.assert_allclose(drawn.mean(0), [1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(drawn.std(0), [0.5, 2.0], rtol=0.03)


def test_luck_chooses_evenly_among_the_highest_scores():
    tied = jnp.array([0.5, 2.0, 1.0, 2.0, 2.0])
    chosen = [
        int(highest_by_luck(jnp.float32(luck), tied)) for luck in (0.0, 0.34, 0.67, 0.9999999)
    ]
    assert chosen == [1, 3, 4, 4]
    assert int(highest_by_luck(jnp.float32(0.99), jnp.array([3.0, 1.0]))) == 0
