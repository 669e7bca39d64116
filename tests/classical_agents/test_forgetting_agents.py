"""Agents for arms that change, and UCB1 without a prior: scores by naive loops over all that was seen."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents import make
from metarl.classical_agents.arm_posteriors import BetaArms
from metarl.classical_agents.forgetting_arms import (
    ExponentialWeights,
    FadingArms,
    Tally,
    Window,
)
from metarl.environments import Trial, load, play, play_split, record

ARMS, PULLS = 3, 14
RNG = np.random.default_rng(0)
ACTIONS, REWARDS = RNG.integers(0, ARMS, PULLS), RNG.random(PULLS).round(1)


def after_all(text: str, world: str, pulls: int = PULLS):
    """Returns an agent's scores, without luck, and its memory after the first pulls of all."""
    trial = Trial(load("bandit", rewards=world, arms=ARMS), episodes=PULLS + 1)
    agent = make(text, trial)

    @jax.jit
    def after(actions, rewards):
        memory = agent.init(jax.random.key(0), trial, None)
        flag = jnp.ones((), bool)

        def see(memory, seen):
            return agent.observe(memory, 0, *seen, flag, ~flag, 0), None

        return jax.lax.scan(see, memory, (actions, rewards))[0]

    memory = after(jnp.asarray(ACTIONS[:pulls]), jnp.asarray(REWARDS[:pulls], jnp.float32))
    start, numbers = agent.act.args  # pyright: ignore[reportAttributeAccessIssue]
    del start
    score = agent.act.func.__closure__[0].cell_contents  # pyright: ignore
    return np.asarray(score(numbers, jax.random.key(1), memory)), memory


def discounted(keep: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns N and X of each arm, by the definition."""
    counts, sums = np.zeros((2, ARMS))
    for s, (action, reward) in enumerate(zip(ACTIONS, REWARDS, strict=True)):
        counts[action] += keep ** (PULLS - 1 - s)
        sums[action] += keep ** (PULLS - 1 - s) * reward
    return counts, sums


def within(width: int) -> tuple[np.ndarray, np.ndarray]:
    counts, sums = np.zeros((2, ARMS))
    for action, reward in list(zip(ACTIONS, REWARDS, strict=True))[-width:]:
        counts[action] += 1
        sums[action] += reward
    return counts, sums


@pytest.mark.parametrize("world", ["bernoulli", "gaussian"])
def test_scores_of_upper_bounds_are_those_of_a_loop_over_the_past(world):
    span = {"bernoulli": 1.0, "gaussian": 0.5}[world]
    more = "" if world == "bernoulli" else ",noise=0.5"
    counts, sums = discounted(1.0)
    expected = sums / counts + 0.7 * span * np.sqrt(2 * math.log(PULLS) / counts)
    scores, _ = after_all(f"ucb1-without-prior:c=0.7{more}", world)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)

    counts, sums = discounted(0.8)
    expected = sums / counts + 2 * span * np.sqrt(0.3 * math.log(counts.sum()) / counts)
    scores, _ = after_all(f"discounted-ucb:discount=0.8,xi=0.3{more}", world)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)

    for width in (9, 40):  # shorter and longer than what was seen
        counts, sums = within(width)
        expected = sums / counts
        expected += span * np.sqrt(0.3 * math.log(min(PULLS, width)) / counts)
        scores, _ = after_all(f"sliding-window-ucb:window={width},xi=0.3{more}", world)
        np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_what_was_never_pulled_or_not_within_the_window_comes_first():
    for text in ("ucb1-without-prior", "discounted-ucb"):
        scores, _ = after_all(text, "bernoulli", pulls=1)
        assert np.isinf(scores).tolist() == [arm != ACTIONS[0] for arm in range(ARMS)]
    scores, _ = after_all("sliding-window-ucb:window=1", "bernoulli")
    assert np.isinf(scores).tolist() == [arm != ACTIONS[-1] for arm in range(ARMS)]


def test_a_fading_posterior_is_the_prior_and_what_is_left_of_each_pull():
    keep, (counts, sums) = 0.7, discounted(0.7)
    text = f"discounted-thompson:discount={keep}"
    _, memory = after_all(f"{text},prior_successes=2,prior_failures=0.5", "bernoulli")
    assert isinstance(memory.arms, FadingArms) and isinstance(memory.arms.known, BetaArms)
    np.testing.assert_allclose(memory.arms.known.successes, 2 + sums, rtol=1e-5)
    np.testing.assert_allclose(memory.arms.known.failures, 0.5 + counts - sums, rtol=1e-5)

    _, memory = after_all(f"{text},prior_mean=3,prior_deviation=0.5,noise=2", "gaussian")
    precision = 4 + counts / 4
    np.testing.assert_allclose(memory.arms.known.precision, precision, rtol=1e-5)
    np.testing.assert_allclose(memory.arms.mean, (4 * 3 + sums / 4) / precision, rtol=1e-5)


@pytest.mark.parametrize("world", ["bernoulli", pytest.param("gaussian", marks=pytest.mark.slow)])
def test_who_forgets_nothing_is_the_agent_that_cannot(world):
    trial = Trial(load("bandit", rewards=world, arms=3), episodes=12)
    tasks = trial.environment.sample_tasks(jax.random.key(0), 20)
    for name in ("thompson", "greedy"):
        usual, fading = (
            record(make(text, trial), trial, jax.random.key(1), tasks).actions
            for text in (name, f"discounted-{name}:discount=1")
        )
        np.testing.assert_array_equal(usual, fading)


def test_exp3_weighs_as_the_paper_says():
    share, weights = 0.3, np.ones(ARMS)
    for action, reward in zip(ACTIONS, REWARDS, strict=True):
        p = (1 - share) * weights / weights.sum() + share / ARMS
        weights[action] *= math.exp(share * reward / p[action] / ARMS)
    p = (1 - share) * weights / weights.sum() + share / ARMS
    _, memory = after_all(f"exp3:gamma={share}", "bernoulli")
    assert isinstance(memory.arms, ExponentialWeights)
    np.testing.assert_allclose(memory.arms.probabilities, p, rtol=1e-4)


def test_exp3_draws_by_its_probabilities():
    trial = Trial(load("bandit", arms=3), episodes=3)
    agent = make("exp3:gamma=0.3", trial)
    memory = agent.init(jax.random.key(0), trial, None)
    log_weights = jnp.array([0.0, -1.0, -3.0])
    memory = memory._replace(arms=memory.arms._replace(log_weights=log_weights))
    keys = jax.random.split(jax.random.key(1), 20_000)
    drawn = jax.jit(jax.vmap(lambda key: agent.act(key, memory, 0)[0]))(keys)
    shares = np.bincount(drawn, minlength=3) / 20_000
    p = np.asarray(memory.arms.probabilities)
    assert np.all(abs(shares - p) < 5 * np.sqrt(p * (1 - p) / 20_000))  # error rate below 1e-5


def test_exp3_explores_as_the_corollary_says_unless_told_otherwise():
    trial = Trial(load("bandit", arms=5), episodes=1000)
    start = make("exp3", trial).act.args[0]  # pyright: ignore[reportAttributeAccessIssue]
    expected = math.sqrt(5 * math.log(5) / ((math.e - 1) * 1000))
    assert float(start.prior.explored) == pytest.approx(expected)


def test_a_batch_of_windows_is_the_loop_over_them():
    trial = Trial(load("bandit", rewards="restless", arms=3, pulls=30), episodes=2)
    agent = make("sliding-window-ucb:window=7", trial)
    tasks = trial.environment.sample_tasks(jax.random.key(1), 2)
    batch = play(agent, trial, jax.random.key(2), tasks)
    alone = play(agent, trial, jax.random.key(2), jax.tree.map(lambda leaf: leaf[:1], tasks))
    np.testing.assert_array_equal(batch.returns[:1], alone.returns)


@pytest.mark.slow
def test_who_forgets_earns_more_where_arms_drift():
    world = load("bandit", rewards="restless", arms=3, pulls=500, drift=0.05)
    trial = Trial(world, episodes=1)
    texts = (
        "discounted-greedy:discount=0.9",
        "discounted-thompson:discount=0.98",
        "discounted-ucb:discount=0.98,xi=0.03",
        "sliding-window-ucb:window=50,xi=0.1",
    )
    totals = {
        text: np.asarray(play_split(make(text, trial), trial, 0, 150, "test").totals)
        for text in (*texts, "thompson", "ucb1")
    }
    for text in texts:
        for usual in ("thompson", "ucb1"):
            gain = totals[text] - totals[usual]  # 4 standard errors: error rate below 1e-4
            assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain)), (text, usual)


def test_empty_tallies_and_windows_have_a_mean():
    assert float(Tally.none().mean) == 0
    window = Window.begin(jnp.int32(3), 2, 5)
    assert window.mean.tolist() == [0, 0]
