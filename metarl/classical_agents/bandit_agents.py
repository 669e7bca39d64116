"""Agents for bandits: what each knows of the arms is a posterior, and it differs in how it scores them.

Every function returns a `Scoring`; `scoring_agent` makes an agent of it and of one arm's prior,
`BetaArms(a, b)` for Bernoulli rewards or `NormalArms(...)` for normal ones. Scores are in the unit
of the rewards.

Letters: K arms; μ the posterior mean of an arm; n the pulls its posterior is worth, the prior's
included; t the number of the coming pull, from 1; u uniform in [0, 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from metarl.environments import bayes_optimal_table

from .arm_posteriors import BetaArms
from .gittins import (
    discounted_indices,
    first_of_total,
    indices_with_pulls_left,
    table_row,
    whittle_index,
)
from .scoring_agent import Memory, Scoring, posterior_of


def greedy() -> Scoring:
    """Pulls the arm of the highest posterior mean: score = μ."""
    return Scoring(_mean_scores)


def epsilon_greedy(epsilon: float) -> Scoring:
    """Pulls any arm with probability ε, else the one of the highest posterior mean.

    score = x if u < ε else μ, with x uniform for each arm, and u once a pull

    Args:
      epsilon: ε in [0, 1].

    Reference: Sutton, Barto (1998), section 2.2.
    """
    return Scoring(_epsilon_greedy_scores, jnp.float32(epsilon))


def ucb1(c: float) -> Scoring:
    """Adds a bonus that shrinks with an arm's pulls and grows with the logarithm of time.

    score = μ + c σ √(2 ln t / n)

    σ is the noise of Gaussian rewards, and 1 for Bernoulli ones. The original has c σ = 1 for rewards
    in [0, 1], and n and μ without a prior; the prior counts here, as in Duan et al.

    Args:
      c: 0 or more.

    Reference: Auer, Cesa-Bianchi, Fischer (2002), "Finite-time analysis of the multiarmed bandit
    problem", Machine Learning 47, figure 1; Duan et al. (2016), arXiv:1611.02779, appendix.
    """
    return Scoring(_ucb1_scores, jnp.float32(c))


def kl_ucb(c: float) -> Scoring:
    """Takes the largest mean that an arm's rewards do not refute.

    score = max{q : n kl(μ, q) <= ln t + c ln ln t},   kl(p, q) = p ln(p/q) + (1-p) ln((1-p)/(1-q))

    An arm that was never pulled comes first. Bernoulli rewards. The paper has no prior (0, 0) and
    takes c = 0 in practice, 3 in its proof.

    Args:
      c: 0 or more.

    Reference: Garivier, Cappé (2011), arXiv:1102.2490, algorithm 1.
    """
    return Scoring(_kl_ucb_scores, jnp.float32(c))


def thompson() -> Scoring:
    """Pulls the best arm of a draw from the posterior: score ~ posterior.

    Reference: Thompson (1933), Biometrika 25; Chapelle, Li (2011), NeurIPS 24.
    """
    return Scoring(_thompson_scores)


def optimistic_thompson(samples: int) -> Scoring:
    """Pulls the best arm of the most likely of several joint draws from the posterior.

    score = the one of x_1 ... x_N ~ posterior over all arms that has the highest posterior density

    N = 1 is Thompson sampling. Time grows with N; one program serves all N.

    Args:
      samples: N, 1 or more.

    Reference: Duan et al. (2016), arXiv:1611.02779, section 3.1; the name is that of May et al.
    (2012), JMLR 13, who take max(x, μ) instead.
    """
    return Scoring(_optimistic_thompson_scores, jnp.int32(samples))


def gittins(prior: tuple[float, float], discount: float, pulls: int, ends: bool) -> Scoring:
    """Takes the arm of the highest Gittins index, from a table that is true to 0.001.

    score = ν(successes, failures, pulls left), or ν(successes, failures) without an end

    Bernoulli rewards. Without an end, and rewards discounted, no agent earns more.

    Args:
      prior: a and b of the Beta prior, which the table depends on.
      discount: γ, at most 1; below 1 without an end.
      pulls: of the trial.
      ends: whether the index takes the trial's end into account.

    Reference: Gittins (1979), Journal of the Royal Statistical Society B 41; with pulls left
    Niño-Mora (2011), INFORMS Journal on Computing 23.
    """
    make_table = indices_with_pulls_left if ends else discounted_indices
    table = jnp.asarray(make_table(pulls, discount, prior))
    return Scoring(_gittins_scores, IndexTable(table, jnp.float32(prior), jnp.asarray(ends)))


def whittle(discount: float) -> Scoring:
    """Pulls the arm of the highest approximate Gittins index, in Whittle's closed form.

    score = μ + μ (1 - μ) / (n √((2c + 1/n) μ (1 - μ)) + μ - 1/2),   c = -ln γ

    Bernoulli rewards. This is the "Gittins" of Duan et al., with γ = 1.

    Args:
      discount: γ in (0, 1].

    Reference: Duan et al. (2016), arXiv:1611.02779, appendix.
    """
    return Scoring(_whittle_scores, jnp.float32(discount))


def bayes_optimal(prior: tuple[float, float], arms: int, pulls: int) -> Scoring:
    """Earns most on average over all bandits of the prior: dynamic programming over counts.

    score = 1 for an arm of the highest action value, else 0

    Bernoulli rewards; bandits that fit into memory.

    Args:
      prior: a and b of the Beta prior, which the table depends on.
      arms: K.
      pulls: of the trial.

    Reference: Bellman (1956), Sankhyā 16.
    """
    table = bayes_optimal_table(arms, pulls, prior)
    return Scoring(_bayes_optimal_scores, (table, jnp.float32(prior)))


class IndexTable(NamedTuple):
    """Gittins indices and how to look them up."""

    indices: jax.Array  # [...] by `table_row`, with an end behind `first_of_total`
    prior: jax.Array  # [2] a and b, which the table's counts do not include
    ends: jax.Array  # [] bool, whether the indices depend on the pulls left


def _mean_scores(numbers: tuple[()], key: jax.Array, memory: Memory) -> jax.Array:
    del numbers, key
    return posterior_of(memory).mean


def _epsilon_greedy_scores(epsilon: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    whether_key, which_key = jax.random.split(key)
    mean = posterior_of(memory).mean
    # Random numbers rather than equal ones: equal ones would all go to the first arm if ties do.
    explored = jax.random.uniform(which_key, mean.shape)
    return jnp.where(jax.random.uniform(whether_key) < epsilon, explored, mean)


def _ucb1_scores(c: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    arms = posterior_of(memory)
    return arms.mean + c * arms.scale * jnp.sqrt(2 * jnp.log(memory.taken + 1) / arms.pulls)


def _kl_ucb_scores(c: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    arms = memory.arms
    assert isinstance(arms, BetaArms)
    log_time = jnp.log(memory.taken + 1)
    budget = log_time + c * jnp.log(jnp.maximum(log_time, 1.0))
    mean = arms.successes / jnp.maximum(arms.pulls, 1e-6)

    def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bracket
        middle = (low + high) / 2
        fits = arms.pulls * bernoulli_divergence(mean, middle) <= budget
        return jnp.where(fits, middle, low), jnp.where(fits, high, middle)

    low, _ = jax.lax.fori_loop(0, 22, halve, (mean, jnp.ones_like(mean)))
    return jnp.where(arms.pulls > 0, low, 2.0)


def bernoulli_divergence(p: jax.Array, q: jax.Array) -> jax.Array:
    """Returns kl(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)), in nats, for q in (0, 1)."""
    entropy = jax.scipy.special.entr(p) + jax.scipy.special.entr(1 - p)
    return -entropy - p * jnp.log(q) - (1 - p) * jnp.log1p(-q)


def _thompson_scores(numbers: tuple[()], key: jax.Array, memory: Memory) -> jax.Array:
    del numbers
    return posterior_of(memory).sample(key)


def _optimistic_thompson_scores(samples: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    arms = posterior_of(memory)

    def consider(index: jax.Array, best: tuple[jax.Array, jax.Array]):
        drawn = arms.sample(jax.random.fold_in(key, index))
        density = arms.log_density(drawn)
        better = density > best[0]
        return jnp.where(better, density, best[0]), jnp.where(better, drawn, best[1])

    first = arms.sample(jax.random.fold_in(key, 0))
    start = (arms.log_density(first), first)
    return jax.lax.fori_loop(1, samples, consider, start)[1]


def _gittins_scores(table: IndexTable, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    successes, pulls = _own_counts(table.prior, memory)
    first = jnp.where(table.ends, first_of_total(pulls + memory.left), 0)
    return table.indices[first + table_row(pulls, successes)]


def _whittle_scores(discount: jax.Array, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    arms = memory.arms
    assert isinstance(arms, BetaArms)
    return whittle_index(arms.successes, arms.failures, discount)


def _bayes_optimal_scores(numbers: Any, key: jax.Array, memory: Memory) -> jax.Array:
    del key
    table, prior = numbers
    successes, pulls = _own_counts(prior, memory)
    best = table.best_action(successes, pulls - successes)
    return jax.nn.one_hot(best, successes.shape[0])


def _own_counts(prior: jax.Array, memory: Memory) -> tuple[jax.Array, jax.Array]:
    """Returns successes and pulls [K] int32 of the arms, without the prior's."""
    arms = memory.arms
    assert isinstance(arms, BetaArms)
    successes = arms.successes - prior[0]
    return _whole(successes), _whole(successes + arms.failures - prior[1])


def _whole(x: jax.Array) -> jax.Array:
    return jnp.round(x).astype(jnp.int32)
