"""Bayes-UCB, information-directed sampling, knowledge gradient, Gittins indices of Gaussian arms."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

from metarl.classical_agents import make
from metarl.classical_agents.arm_posteriors import BetaArms, NormalArms
from metarl.classical_agents.gaussian_gittins import (
    discounted_normal_indices,
    normal_indices_with_pulls_left,
)
from metarl.classical_agents.posterior_agents import (
    best_arm_beliefs,
    cheapest_pair,
    knowledge_gradient,
    upper_quantile,
)
from metarl.classical_agents.scoring_agent import Memory
from metarl.environments import Trial, load, play_split
from metarl.errors import InvalidInput

BETA = BetaArms(jnp.array([1.0, 4.0, 20.0, 0.5]), jnp.array([1.0, 2.0, 30.0, 7.0]))
NORMAL = NormalArms(
    jnp.array([0.3, -1.0, 0.5]), jnp.array([1.0, 0.25, 400.0]), jnp.array([4.0, 4.0, 4.0])
)


@pytest.mark.parametrize("above", [1.0, 0.5, 0.1, 0.002])
def test_quantiles_are_scipys(above):
    of_beta = jax.jit(upper_quantile)(BETA, jnp.float32(above))
    expected = stats.beta(np.asarray(BETA.successes), np.asarray(BETA.failures)).ppf(1 - above)
    np.testing.assert_allclose(of_beta, expected, atol=1e-5)
    of_normal = upper_quantile(NORMAL, jnp.float32(above))
    deviations = np.asarray(NORMAL.precision) ** -0.5
    expected = stats.norm(np.asarray(NORMAL.mean), deviations).ppf(1 - above)
    np.testing.assert_allclose(of_normal, expected, rtol=1e-4)


def test_bayes_ucb_looks_higher_as_time_goes():
    trial = Trial(load("bandit", arms=4), episodes=100)
    agent = make("bayes-ucb:c=2", trial)
    score = agent.act.func.__closure__[0].cell_contents  # pyright: ignore
    numbers = agent.act.args[1]  # pyright: ignore[reportAttributeAccessIssue]
    memory = Memory(BETA, jnp.int32(29), jnp.int32(71))
    above = 1 / (30 * math.log(100) ** 2)
    expected = stats.beta(np.asarray(BETA.successes), np.asarray(BETA.failures)).ppf(1 - above)
    np.testing.assert_allclose(score(numbers, jax.random.key(0), memory), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["beta", "normal"])
def test_beliefs_about_the_best_arm_are_those_of_many_draws(kind):
    rng, count = np.random.default_rng(0), 400_000
    if kind == "beta":
        arms = BETA
        drawn = rng.beta(np.asarray(arms.successes), np.asarray(arms.failures), (count, 4))
    else:
        arms = NORMAL
        drawn = rng.normal(np.asarray(arms.mean), np.asarray(arms.precision) ** -0.5, (count, 3))
    best = drawn.argmax(1)
    chances, means, given = jax.jit(best_arm_beliefs)(arms)
    np.testing.assert_allclose(means, arms.mean, atol=2e-3)
    for i in range(drawn.shape[1]):
        share = (best == i).mean()
        assert abs(share - float(chances[i])) < 5 * math.sqrt(share / count) + 2e-3
        if share > 0.01:
            of_best = drawn[best == i]
            error = 5 * of_best.std(0) / math.sqrt(len(of_best))
            assert np.all(abs(of_best.mean(0) - np.asarray(given[i])) < error + 4e-3)


def test_beliefs_are_finite_where_all_is_known():
    known = BetaArms(jnp.array([900.0, 10.0]), jnp.array([1.0, 2000.0]))
    for arms in (known, NormalArms(jnp.zeros(2), jnp.array([1e6, 1e6]), jnp.ones(2))):
        assert all(np.isfinite(x).all() for x in jax.jit(best_arm_beliefs)(arms))


def test_the_cheapest_pair_is_the_best_of_a_fine_grid():
    rng = np.random.default_rng(1)
    for _ in range(20):
        regrets, gains = rng.random(4), rng.random(4) ** 4 + 1e-6
        i, j, share = jax.jit(cheapest_pair)(jnp.float32(regrets), jnp.float32(gains))
        q = float(share)
        assert 0 <= q <= 1
        found = (q * regrets[i] + (1 - q) * regrets[j]) ** 2 / (q * gains[i] + (1 - q) * gains[j])
        least = min(
            (q * regrets[a] + (1 - q) * regrets[b]) ** 2 / (q * gains[a] + (1 - q) * gains[b])
            for a in range(4)
            for b in range(4)
            for q in np.linspace(0, 1, 401)
        )
        assert found <= least * (1 + 1e-4)


def test_the_knowledge_gradient_is_the_expected_rise_of_the_highest_mean():
    memory = Memory(NORMAL, jnp.int32(3), jnp.int32(7))
    scores = knowledge_gradient().score((), jax.random.key(0), memory)
    means = np.asarray(NORMAL.mean, np.float64)
    for arm in range(3):
        p = float(NORMAL.precision[arm])
        step = math.sqrt(1 / p - 1 / (p + 4))
        others = max(np.delete(means, arm))

        def rise(z, arm=arm, step=step, others=others):
            return (max(others, means[arm] + step * z) - max(means)) * stats.norm.pdf(z)

        kink = (others - means[arm]) / step
        worth = integrate.quad(rise, -9, 9, points=[kink] if abs(kink) < 9 else None)[0]
        assert float(scores[arm]) == pytest.approx(means[arm] + 6 * worth, abs=2e-5)


def normal_index(prior_pulls: float, left: int, discount: float) -> float:
    """Returns what the index adds to the mean, by recursion and numerical integration."""

    @functools.cache
    def gain(x: float, n: float, m: int) -> float:
        if m == 0:
            return 0.0
        step = math.sqrt(1 / n - 1 / (n + 1))
        if m == 1:
            return x
        if m == 2:  # E (x + s Z)⁺ is known
            z = x / step
            later = step * (stats.norm.pdf(z) + z * stats.norm.cdf(z))
        else:
            later = integrate.quad(
                lambda z: max(0.0, gain(x + step * z, n + 1, m - 1)) * stats.norm.pdf(z),
                *(-7, 7),
                epsabs=1e-6,
            )[0]
        return float(x + discount * later)

    bounds = -6 / prior_pulls**0.5, 0.1
    return -float(optimize.brentq(lambda x: gain(x, prior_pulls, left), *bounds))  # pyright: ignore


@pytest.mark.parametrize(
    ("prior_pulls", "discount"),
    [(1.0, 1.0), (0.04, 0.9), pytest.param(9.0, 1.0, marks=pytest.mark.slow)],
)
def test_indices_of_gaussian_arms_solve_their_equation(prior_pulls, discount):
    table = normal_indices_with_pulls_left(5, prior_pulls, discount)
    deviation = prior_pulls**-0.5
    assert np.abs(table[:, 1]).max() < 1e-6  # with one pull left it is the mean
    for k, left in [(0, 2), (0, 3), (2, 3)]:
        expected = normal_index(prior_pulls + k, left, discount)
        assert table[k, left] == pytest.approx(expected, abs=5e-4 * deviation), (k, left)
    assert table[3, 3] == 0  # beyond the trial


def test_an_endless_index_is_that_of_a_far_end():
    endless = discounted_normal_indices(3, 1.0, 0.8)
    far = normal_indices_with_pulls_left(60, 1.0, 0.8)
    np.testing.assert_allclose(endless, [far[k, 57] for k in range(3)], atol=1e-3)


def test_indices_rise_with_the_pulls_left_and_a_finer_grid_changes_little():
    table = normal_indices_with_pulls_left(20, 1.0)
    assert np.all(np.diff(table[0, 1:]) > 0)
    finer = normal_indices_with_pulls_left(20, 1.0, cells=1024)
    assert np.abs(table - finer).max() < 1e-3


def test_tables_that_take_too_long_are_refused_with_a_way_out():
    with pytest.raises(InvalidInput, match=r"at most 1000 are accepted\. Use a discount"):
        normal_indices_with_pulls_left(1001, 1.0)
    with pytest.raises(InvalidInput, match="without a horizon it must be below 1"):
        discounted_normal_indices(5, 1.0, 1.0)


def earn_more_than_thompson(texts, trial: Trial, tasks: int) -> None:
    *better, thompson = (
        np.asarray(play_split(make(text, trial), trial, 0, tasks, "test").totals)
        for text in (*texts, "thompson")
    )
    for text, totals in zip(texts, better, strict=True):
        gain = totals - thompson  # 4 standard errors: error rate below 1e-4
        assert gain.mean() > 4 * gain.std() / np.sqrt(tasks), text


def gaussian_trial() -> Trial:
    settings = {"mean": 5, "deviation": 0.5, "noise": 1}
    return Trial(load("bandit", rewards="gaussian", arms=5, **settings), episodes=50)


@pytest.mark.slow  # the quick form: indices solve their equation, and a sure winner is pulled
def test_who_knows_the_prior_and_the_end_earns_more_than_thompson_on_gaussian_arms():
    earn_more_than_thompson(("gittins", "knowledge-gradient"), gaussian_trial(), 700)


@pytest.mark.slow
def test_ids_and_bayes_ucb_earn_more_than_thompson():
    earn_more_than_thompson(("ids", "bayes-ucb"), gaussian_trial(), 1500)
    earn_more_than_thompson(("ids", "bayes-ucb"), Trial(load("bandit"), episodes=40), 1000)


@pytest.mark.parametrize("name", ["ids", "bayes-ucb"])
@pytest.mark.parametrize("world", ["bernoulli", "gaussian"])
def test_a_sure_winner_is_pulled(name, world):
    trial = Trial(load("bandit", rewards=world, arms=3), episodes=130)
    agent = make(name, trial)

    @jax.jit
    def act(arms, rewards):
        memory = agent.init(jax.random.key(0), trial, None)
        known, _ = jax.lax.scan(
            lambda known, pull: (known.after(*pull), None), memory.arms, (arms, rewards)
        )
        memory = memory._replace(arms=known, taken=jnp.int32(120))
        return agent.act(jax.random.key(3), memory, 0)[0]

    assert act(jnp.tile(jnp.arange(3), 40), jnp.tile(jnp.array([0.0, 1.0, 0.0]), 40)) == 1
