"""Bayes-optimal play of Bernoulli bandits, by dynamic programming over counts.

What is known of an arm is how many successes and failures it gave. The arms are drawn alike, so a
state is a multiset of such pairs: its arms are sorted, which leaves up to K! times fewer states, and
arms that were never pulled need no room at all. A pair has a *code*, larger for more pulls; the
states of one time t are numbered in the lexicographic order of their sorted codes, and the rank of a
state is a sum of K table look-ups, inside compiled programs too.

  V(state) = max over arms of p (1 + V(state with a success)) + (1 - p) V(state with a failure),
  p = (a + successes) / (a + b + successes + failures) for a prior Beta(a, b)

Letters: K arms; n pulls of a trial; t pulls so far; M codes; slots are the arms in sorted order.

Reference: Bellman (1956), "A problem in the sequential design of experiments", Sankhya 16.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import comb, inf
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from ..contract.setting_checks import whole_number

MOST_STATES = 20_000_000  # a byte each in the end, some 30 while they are solved
MOST_COUNTS = 60_000_000  # entries of the ranking table, 4 bytes each


class BayesOptimal(NamedTuple):
    """Bayes-optimal play of a bandit of K arms for n pulls; a PyTree, so an agent can hold it."""

    value: jax.Array  # [] expected sum of rewards of n pulls
    best_slots: jax.Array  # [states] int8, all times one after the other
    first_states: jax.Array  # [n] int32, where the states of each time begin in `best_slots`
    counts: jax.Array  # [slots + 1, M + 1, n] int32, see `count_multisets`

    def best_action(self, successes: jax.Array, failures: jax.Array) -> jax.Array:
        """Returns an arm that a Bayes-optimal player may pull next.

        Args:
          successes: [K] int32, of each arm so far.
          failures: [K] int32; fewer than n pulls in all, for the answer has no meaning afterwards.

        Returns:
          The arm [] int32; of several with the same counts the first.
        """
        pulls, codes = successes + failures, pair_code(successes, failures)
        arms = jnp.argsort(-codes)[: len(self.counts) - 1]  # stable: the first among the equal
        rank = rank_state(self.counts, codes[arms], pulls[arms])
        state = self.first_states[jnp.sum(pulls)] + rank
        return arms[self.best_slots[state]].astype(jnp.int32)


def bayes_optimal_value(arms: int, pulls: int, prior: tuple[float, float] = (1.0, 1.0)) -> float:
    """Returns what the best of all players earns, on average over bandits.

    Args:
      arms: K.
      pulls: n.
      prior: a and b of the Beta(a, b) that each arm's mean is drawn from; (1, 1) is U(0, 1).

    Raises:
      InvalidInput: see `bayes_optimal_table`.
    """
    return float(bayes_optimal_table(arms, pulls, prior).value)


@functools.lru_cache(maxsize=4)
def bayes_optimal_table(
    arms: int, pulls: int, prior: tuple[float, float] = (1.0, 1.0)
) -> BayesOptimal:
    """Solves a Bernoulli bandit: its value, and the best arm for any counts.

    Args:
      arms: K.
      pulls: n.
      prior: a and b of the Beta(a, b) that each arm's mean is drawn from; (1, 1) is U(0, 1).

    Returns:
      The value and a table to act from.

    Raises:
      InvalidInput: a number is not positive, or the table would not fit into memory.
    """
    arms, pulls = whole_number("arms", arms), whole_number("pulls", pulls)
    require(
        len(prior) == 2 and all(0 < x < inf for x in prior),
        f"prior is {prior}; it must be two positive numbers, a and b of Beta(a, b).",
    )
    require(_fits(arms, pulls), _too_large(arms, pulls))
    counts = count_multisets(min(arms, pulls), pulls)
    values, best_slots = np.zeros(0), []
    for time in reversed(range(pulls)):
        values, best = _back_up(counts, time, values, prior)
        best_slots.append(best)
    best_slots.reverse()
    first_states = np.cumsum([0, *map(len, best_slots[:-1])])
    with jax.ensure_compile_time_eval():  # what is cached must not belong to a caller's trace
        return BayesOptimal(
            jnp.asarray(values[0], jnp.float32),
            jnp.asarray(np.concatenate(best_slots)),
            jnp.asarray(first_states, jnp.int32),
            jnp.asarray(counts),
        )


def pair_code(successes: jax.Array, failures: jax.Array) -> jax.Array:
    """Numbers the pairs: by pulls, then by successes. No pull at all is code 0."""
    pulls = successes + failures
    return pulls * (pulls + 1) // 2 + successes


def rank_state(counts: Any, codes: Any, sizes: Any) -> Any:
    """Returns the number of a state among those of its time.

    Args:
      counts: from `count_multisets`.
      codes: [..., slots], in descending order.
      sizes: [..., slots], the pulls of each.

    Returns:
      Rank [...], counted from 0.
    """
    slots = codes.shape[-1]
    left, rank = sizes.sum(-1), 0
    for slot in range(slots):  # how many come before: equal up to here, then smaller
        rank = rank + counts[slots - slot, codes[..., slot], left]
        left = left - sizes[..., slot]
    return rank


def count_multisets(slots: int, pulls: int) -> np.ndarray:
    """Counts the multisets of pairs: the table behind `rank_state`.

      counts[k, c, t] = counts[k, c - 1, t] + counts[k - 1, c, t - size of code c - 1]

    that is, those without code c - 1, and those with it.

    Args:
      slots: the largest number of pairs k.
      pulls: n; times run from 0 to n - 1.

    Returns:
      counts [slots + 1, M + 1, n] int32: multisets of k pairs, of codes below c, of t pulls in all.
    """
    codes = pulls * (pulls + 1) // 2
    counts = np.zeros((slots + 1, codes + 1, pulls), np.int32)
    counts[0, :, 0] = 1
    for code, size in enumerate(_code_sizes(codes)):
        without, with_it = counts[:, code], counts[:, code + 1]
        with_it[:] = without
        for k in range(1, slots + 1):
            with_it[k, size:] += with_it[k - 1, : pulls - size]
    return counts


def _back_up(
    counts: np.ndarray, time: int, later: np.ndarray, prior: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns values [states] and best slots [states] of one time from the values of the next."""
    slots, last = len(counts) - 1, counts.shape[-1] - 1
    sizes, codes = _code_sizes(counts.shape[1]), _states(counts, time)  # [M + 1], [states, slots]
    values, best = np.full(len(codes), -np.inf), np.zeros(len(codes), np.int8)

    def value_after(slot: int, code: np.ndarray) -> np.ndarray | float:
        if time == last:
            return 0.0
        following = codes.copy()
        following[:, slot] = code
        following = -np.sort(-following, axis=-1)
        return later[rank_state(counts, following, sizes[following])]

    for slot in range(slots):
        pulls = sizes[codes[:, slot]]
        successes = codes[:, slot] - pulls * (pulls + 1) // 2
        chance = (prior[0] + successes) / (sum(prior) + pulls)
        failed = (pulls + 1) * (pulls + 2) // 2 + successes  # code of one more failure
        value = chance * (1 + value_after(slot, failed + 1))
        value += (1 - chance) * value_after(slot, failed)
        better = value > values
        values[better], best[better] = value[better], slot
    return values, best


def _states(counts: np.ndarray, time: int) -> np.ndarray:
    """Returns the sorted codes [states, slots] of all states of one time, in order of rank."""
    slots = len(counts) - 1
    rank = np.arange(counts[slots, -1, time])
    left = np.full(len(rank), time)
    codes = np.zeros((len(rank), slots), np.int32)
    for slot in range(slots):
        for size in np.unique(left):
            here = left == size
            table = counts[slots - slot, :, size]
            codes[here, slot] = np.searchsorted(table, rank[here], side="right") - 1
        rank = rank - counts[slots - slot, codes[:, slot], left]
        left = left - _code_sizes(counts.shape[1])[codes[:, slot]]
    return codes


@functools.cache
def _code_sizes(codes: int) -> np.ndarray:
    """Returns the pulls of the pair of each code [codes]: 0, 1, 1, 2, 2, 2 ..."""
    return np.repeat(np.arange(codes), np.arange(1, codes + 1))[:codes]


@functools.cache
def _fits(arms: int, pulls: int) -> bool:
    slots = min(arms, pulls)
    entries = (slots + 1) * (pulls * (pulls + 1) // 2 + 1) * pulls
    return (
        entries <= MOST_COUNTS and slots <= 127 and _number_of_states(slots, pulls) <= MOST_STATES
    )


def _number_of_states(slots: int, pulls: int) -> int:
    """Counts the states of all times; pairs of one size m are m + 1 kinds, so C(m + j, j) for j."""
    ways = [[1] + [0] * (pulls - 1)] + [[0] * pulls for _ in range(slots)]  # [pairs][pulls]
    for size in range(1, pulls):
        ways = [
            [
                sum(
                    comb(size + j, j) * ways[k - j][t - j * size]
                    for j in range(min(k, t // size) + 1)
                )
                for t in range(pulls)
            ]
            for k in range(slots + 1)
        ]
    return sum(map(sum, ways))


def _too_large(arms: int, pulls: int) -> str:
    """Says which sizes fit instead."""
    most_pulls = _largest(lambda n: _fits(arms, n), pulls)
    most_arms = _largest(lambda k: _fits(k, pulls), arms)
    offers = [f"{most_pulls} pulls of {arms} arms"] if most_pulls else []
    offers += [f"{most_arms} arms for {pulls} pulls"] if most_arms else []
    return (
        f"The Bayes optimum of {arms} arms and {pulls} pulls does not fit into memory; "
        f"{' or '.join(offers) or 'a smaller bandit'} would."
    )


def _largest(fits: Callable[[int], bool], above: int) -> int:
    """Returns the largest size below `above` that fits, 0 if none does; what fits is downward closed."""
    low, high = 0, above
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
