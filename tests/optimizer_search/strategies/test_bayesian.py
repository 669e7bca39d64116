"""Bayesian optimisation: the process against formulas written out, and the strategy on functions of known worth."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_info, threadpool_limits

from metarl.optimizer_search.screening import filters
from metarl.optimizer_search.screening.probes import Probes, profiles
from metarl.optimizer_search.settings.config import BayesianConfig, SearchConfig
from metarl.optimizer_search.strategies import Feedback, bayesian, make
from metarl.optimizer_search.writing import gaussian_process
from metarl.optimizer_search.writing.gaussian_process import (
    GRID,
    Described,
    GaussianProcess,
    Kernel,
    covariance,
    distances,
    likeliest,
)
from metarl.optimizer_search.writing.ranks import normal_scores
from metarl.update_rules import Grammar, Interpreter, parse

pytestmark = pytest.mark.usefixtures("keys_checked")

GRAMMAR = Grammar("deterministic", depth=1)
KERNEL = Kernel(directions=0.7, sizes=2.0, tokens=1.5, noise=0.2)


def drawn(count, seed=0):
    """Returns rules that nobody wrote."""
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((count, 6))
    return Described(
        directions / np.linalg.norm(directions, axis=1, keepdims=True),
        generator.standard_normal((count, 3)),
        generator.integers(3, size=(count, 5)),
    )


def naive_covariance(rules, others, kernel):
    found = np.zeros((len(rules.tokens), len(others.tokens)))
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            apart = [x[row] - y[column] for x, y in zip(rules[:2], others[:2], strict=True)]
            square = (
                sum(apart[0] ** 2) / kernel.directions**2 + sum(apart[1] ** 2) / kernel.sizes**2
            )
            differ = sum(rules.tokens[row] != others.tokens[column]) / 5
            found[row, column] = np.exp(-np.sqrt(square) - differ / kernel.tokens)
    return found


def test_the_process_is_a_conditional_normal_distribution_written_out():
    rules, others = drawn(7), drawn(4, seed=1)
    worth = np.random.default_rng(2).standard_normal(7)
    np.testing.assert_allclose(
        covariance(rules, others, KERNEL), naive_covariance(rules, others, KERNEL), atol=1e-7
    )
    process = GaussianProcess(rules, worth, KERNEL)
    known = naive_covariance(rules, rules, KERNEL) + 0.2 * np.eye(7)
    near = naive_covariance(rules, others, KERNEL)
    scale = worth @ np.linalg.inv(known) @ worth / 7
    assert process.scale == pytest.approx(scale, rel=1e-6)
    foreseen = process.foresee(others)
    np.testing.assert_allclose(foreseen.mean, near.T @ np.linalg.inv(known) @ worth, atol=1e-6)
    left = naive_covariance(others, others, KERNEL) - near.T @ np.linalg.inv(known) @ near
    np.testing.assert_allclose(foreseen.covariance, scale * left, atol=1e-6)


def log_density(worth, known):
    """Returns the logarithm of the normal density of mean 0, up to a constant."""
    return -0.5 * np.linalg.slogdet(known)[1] - 0.5 * worth @ np.linalg.inv(known) @ worth


def test_the_likelihood_is_that_of_the_normal_distribution_at_its_likeliest_scale():
    rules, worth = drawn(9), np.random.default_rng(3).standard_normal(9)
    ours, theirs = [], []
    for kernel in (KERNEL, KERNEL._replace(noise=1.0), KERNEL._replace(directions=3.0)):
        process = GaussianProcess(rules, worth, kernel)
        ours.append(process.log_likelihood)
        known = process.scale * (naive_covariance(rules, rules, kernel) + kernel.noise * np.eye(9))
        theirs.append(log_density(worth, known))
        for other in (0.9, 1.1):
            assert log_density(worth, other * known) < theirs[-1]
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), atol=1e-6)


def test_draws_have_the_mean_and_the_covariance_that_are_foreseen():
    process = GaussianProcess(drawn(5), np.array([1.0, -1.0, 0.5, 0.2, -0.7]), KERNEL)
    foreseen = process.foresee(drawn(3, seed=4))
    count = 40_000
    worlds = foreseen.draws(np.random.default_rng(5), count)
    sizes = np.sqrt(np.diagonal(foreseen.covariance))
    # means of 40,000 draws: 5 standard errors, so 3 rules fail less than once in 500,000 times
    assert np.all(np.abs(worlds.mean(axis=0) - foreseen.mean) < 5 * sizes / np.sqrt(count))
    errors = np.sqrt((np.outer(sizes, sizes) ** 2 + foreseen.covariance**2) / count)
    assert np.all(np.abs(np.cov(worlds.T) - foreseen.covariance) < 5 * errors)


def test_the_kernel_is_fitted_to_what_is_known():
    rules = drawn(120, seed=6)
    generator = np.random.default_rng(7)
    noise = likeliest(rules, generator.standard_normal(120)).noise
    assert noise == max(GRID["noise"])  # where worth has nothing to do with the rule
    smooth = likeliest(rules, rules.directions @ np.array([1.0, -1.0, 0.5, 0.0, 0.0, 0.0]))
    assert smooth.noise == min(GRID["noise"]) and smooth.directions == max(GRID["directions"])
    by_text = likeliest(rules, (rules.tokens == 1).sum(axis=1) - 5 / 3)
    assert by_text.tokens < np.inf and smooth.tokens > by_text.tokens


def test_fewer_deviations_draw_nearer_to_the_mean():
    process = GaussianProcess(drawn(5), np.array([1.0, -1.0, 0.5, 0.2, -0.7]), KERNEL)
    foreseen = process.foresee(drawn(3, seed=4))
    whole, half, none = (
        foreseen.draws(np.random.default_rng(8), 10, spread) - foreseen.mean
        for spread in (1.0, 0.5, 0.0)
    )
    np.testing.assert_allclose(half, whole / 2)
    assert not none.any()


def test_normal_scores_are_quantiles_of_ranks_that_equal_rewards_share():
    rewards = np.array([3.0, -1.0, 3.0, -5.0, 7.0])
    ranks = np.array([3.5, 2.0, 3.5, 1.0, 5.0])
    np.testing.assert_allclose(
        normal_scores(rewards), stats.norm.ppf((ranks - 0.375) / 5.25), atol=1e-12
    )
    np.testing.assert_allclose(normal_scores(np.full(4, -5.0)), 0.0, atol=1e-12)


def test_functions_are_apart_unless_they_are_one():
    rules = drawn(3)
    assert np.all(np.diagonal(distances(rules, rules)) < 1e-6)
    assert np.all(distances(rules, rules)[~np.eye(3, dtype=bool)] > 0.1)


def searched(strategy, generations, worth, count=16, seed=0):
    """Runs a search, and returns the tokens of each generation and what was logged."""
    key, state, met, found = jax.random.key(seed), None, set(), []
    state = strategy.init(key)
    for generation in range(generations):
        ask_key, tell_key = jax.random.split(jax.random.fold_in(key, generation))
        state, proposals = strategy.ask(ask_key, state, count)
        tokens = np.asarray(proposals.tokens)
        repeated = np.array([row.tobytes() in met for row in tokens])
        met.update(row.tobytes() for row in tokens)
        feedback = Feedback(worth(tokens), repeated, np.float32(-5))
        state, metrics = strategy.tell(tell_key, state, proposals, feedback)
        found.append((tokens, metrics))
    return found


@pytest.fixture(scope="module")
def probes():
    return Probes(Interpreter(GRAMMAR))


def test_a_worth_that_behaviour_decides_is_learnt_and_the_best_of_it_proposed(probes):
    """Worth is how near an update points to that of one rule, which is rare among random ones."""
    target = probes.outputs(GRAMMAR.to_tokens(parse("sign(m) * exp(g)"))[None]).update

    def worth(tokens):
        outputs = probes.outputs(tokens)
        near = profiles(outputs.update).directions @ profiles(target).directions[0]
        return np.where(np.isfinite(near), near, -5).astype(np.float32)

    config = SearchConfig(bayesian=BayesianConfig(first="random", start=32))
    history = searched(make("bayesian", GRAMMAR, config), 6, worth)
    late = np.concatenate([worth(tokens) for tokens, _ in history[3:]])
    random = worth(GRAMMAR.sample(np.random.default_rng(0), 1000))
    assert np.median(late) > np.quantile(random, 0.9) and late.max() >= np.quantile(random, 0.98)
    learnt = [metrics["process_correlation"] for _, metrics in history]
    assert learnt[:2] == [0.0, 0.0] and max(learnt[2:]) > 0.5
    assert [metrics["told_rules"] for _, metrics in history] == [16, 32, 48, 64, 80, 96]


def test_what_is_proposed_then_passes_the_filters_and_is_new_as_a_function(probes):
    config = SearchConfig(bayesian=BayesianConfig(first="random", start=16, candidates=4))
    history = searched(
        make("bayesian", GRAMMAR, config), 4, lambda tokens: tokens[:, 0].astype(np.float32)
    )
    later = np.concatenate([tokens for tokens, _ in history[1:]])
    verdicts = filters.screen(probes.outputs(later), probes, config.filters)
    assert set(verdicts) == {filters.Verdict.PASSES}
    first = np.concatenate([tokens for tokens, _ in history])
    updates = probes.exact_updates(later)
    directions = updates / np.linalg.norm(updates, axis=1, keepdims=True)
    like = directions @ directions.T > 1 - 1e-9
    assert like.sum() == len(later) and len(np.unique(first, axis=0)) == len(first)


def test_the_simplest_functions_come_first_if_so_wished():
    simple = make("bayesian", GRAMMAR, SearchConfig(bayesian=BayesianConfig(first="simplest")))
    enumerated = make("enumeration", GRAMMAR, SearchConfig())
    key = jax.random.key(0)
    found = [
        strategy.ask(key, strategy.init(key), 8)[1].tokens for strategy in (simple, enumerated)
    ]
    np.testing.assert_array_equal(*found)


def test_linear_algebra_has_no_threads_that_wait_for_each_other(monkeypatch):
    """On a busy machine they took ten times what they computed, and last bits depended on the number of cores."""
    threads, likeliest_kernel = [], bayesian.likeliest

    def noting(*known):
        threads.extend(
            pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
        )
        return likeliest_kernel(*known)

    monkeypatch.setattr(bayesian, "likeliest", noting)
    with threadpool_limits(limits=2, user_api="blas"):
        strategy = make("bayesian", GRAMMAR, SearchConfig(bayesian=BayesianConfig(start=2)))
        state = strategy.init(jax.random.key(0))
        state, proposals = strategy.ask(jax.random.key(1), state, 8)
        feedback = Feedback(np.arange(8, dtype=np.float32), np.zeros(8, bool))
        state, _ = strategy.tell(jax.random.key(2), state, proposals, feedback)
        strategy.ask(jax.random.key(3), state, 8)
    assert threads and set(threads) == {1}


def test_the_likeliest_kernel_is_found_with_each_tried_once(monkeypatch):
    tried, rules = [], drawn(12)

    def noting(rules, worth, kernel, apart):
        tried.append(kernel)
        return GaussianProcess(rules, worth, kernel, apart)

    monkeypatch.setattr(gaussian_process, "GaussianProcess", noting)
    found = likeliest(rules, np.random.default_rng(4).standard_normal(12))
    assert found in tried
    assert len(set(tried)) == len(tried) < 2 * sum(map(len, GRID.values()))
