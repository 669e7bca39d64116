"""Gittins indices of Bernoulli arms, by calibration, and Whittle's closed form.

The index of an arm is the sure reward λ per pull for which it does not matter whether one pulls the
arm or retires on λ. For a grid of λ, dynamic programming over the arm's successes and failures
gives what pulling gains over retiring,

  G_m(λ) = p - λ + γ [p max(0, G_(m-1)(λ) after a success) + (1 - p) max(0, G_(m-1)(λ) after a failure)],

and the index is the zero of G in λ, interpolated between two members of the grid. The grid is even
in arcsin √λ, in which posteriors are equally wide everywhere. The interpolation is what errs: an index
with pulls left by less than 0.0006 in trials of 40 pulls and 0.001 in those of 100, a discounted one
by less than 0.0002.

With a discount γ < 1 and no end, the index depends on the arm alone, and pulling the arm with the
highest index is optimal. With m pulls left it depends on m as well, and the rule is no longer
optimal, though near to it.

Letters: n pulls of an arm, s successes among them; m pulls left; T = n + m, the pulls of the trial
if this arm had all so far; p = (a + s) / (a + b + n) for the prior Beta(a, b); λ levels; γ discount.

References: Gittins (1979), "Bandit processes and dynamic allocation indices", Journal of the Royal
Statistical Society B 41; Niño-Mora (2011), "Computing a classic index for finite-horizon bandits",
INFORMS Journal on Computing 23; Whittle's form as in Duan et al. (2016), arXiv:1611.02779, and
Brezzi, Lai (2002), "Optimal learning and experimentation in bandit problems".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

MOST_ENTRIES = 40_000_000  # of 4 bytes
LONGEST_LOOK_AHEAD = 4000  # pulls; what lies beyond is worth little to an arm pulled so often


@functools.lru_cache(maxsize=8)
def discounted_indices(
    pulls: int, discount: float, prior: tuple[float, float] = (1.0, 1.0), levels: int = 513
) -> np.ndarray:
    """Returns the Gittins indices of an arm that may be pulled for ever.

    Args:
      pulls: N; the table holds arms pulled fewer times.
      discount: γ, below 1.
      prior: a and b of the prior Beta(a, b).
      levels: of λ; the error falls with their square.

    Returns:
      Indices [N (N + 1) / 2] float32; that of n and s is at `table_row(n, s)`.

    Raises:
      InvalidInput: the discount is not in [0, 1).
    """
    require(0 <= discount < 1, f"discount is {discount}; without a horizon it must be below 1.")
    reach = math.log(1e-6) / math.log(discount) if discount > 0 else 1
    depth = pulls + min(math.ceil(reach), LONGEST_LOOK_AHEAD)
    rows = _calibrate(depth, discount, prior, levels, keep=pulls, endless=True)
    return np.concatenate(list(rows)[::-1])


@functools.lru_cache(maxsize=2)
def indices_with_pulls_left(
    pulls: int, discount: float = 1.0, prior: tuple[float, float] = (1.0, 1.0), levels: int = 257
) -> np.ndarray:
    """Returns the finite-horizon Gittins indices for all arms and pulls left of a trial.

    Args:
      pulls: of the trial.
      discount: γ, at most 1.
      prior: a and b of the prior Beta(a, b).
      levels: of λ; the error falls with their square.

    Returns:
      Indices float32; the one of n, s with m left is at `first_of_total(n + m) + table_row(n, s)`.

    Raises:
      InvalidInput: the table would not fit into memory.
    """
    entries = first_of_total(pulls + 1)
    require(
        entries <= MOST_ENTRIES,
        f"Gittins indices for {pulls} pulls left would take {entries * 4 / 1e6:,.0f} MB; use a "
        'discount without a horizon, such as "gittins:discount=0.998,horizon=infinite".',
    )
    table = np.empty(entries, np.float32)
    for total in range(1, pulls + 1):
        rows = _calibrate(total, discount, prior, levels, keep=total, endless=False)
        first = first_of_total(total)
        table[first : first_of_total(total + 1)] = np.concatenate(list(rows)[::-1])
    return table


def table_row(n: Any, s: Any) -> Any:
    """Returns the place of an arm in a table that is ordered by pulls n, then by successes s."""
    return n * (n + 1) // 2 + s


def first_of_total(total: Any) -> Any:
    """Returns where the arms of T = n + m begin in a table that is ordered by T first."""
    return (total - 1) * total // 2 * (total + 1) // 3


def whittle_index(successes: jax.Array, failures: jax.Array, discount: jax.Array) -> jax.Array:
    """Returns Whittle's approximation of the Gittins index.

      μ + μ (1 - μ) / (n √((2c + 1/n) μ (1 - μ)) + μ - 1/2),   μ = α / n,  n = α + β,  c = -ln γ

    It is between μ and 1, as an index must be, for all γ and after any rewards if and only if
    α β / n >= 1/4 before the first of them: see `whittle_accepts`.

    Args:
      successes: α [...], the prior's included.
      failures: β [...], the prior's included.
      discount: γ [], at most 1; at 1, c = 0.

    Returns:
      The index [...].
    """
    n = successes + failures
    mean = successes / n
    variance = mean * (1 - mean)
    root = jnp.sqrt((1 / n - 2 * jnp.log(discount)) * variance)
    return mean + variance / (n * root + mean - 0.5)


def whittle_accepts(prior: tuple[float, float]) -> bool:
    """Returns whether Whittle's form makes sense for a prior Beta(a, b): a b / (a + b) >= 1/4.

    Without discount the index is at most 1 if √(a b / (a + b)) >= 1/2, and with less its denominator
    may even be negative. The quotient grows with both counts, so what holds at first holds for ever.
    """
    a, b = prior
    return a * b / (a + b) >= 0.25


def _calibrate(
    depth: int, discount: float, prior: tuple[float, float], levels: int, keep: int, endless: bool
) -> Iterator[np.ndarray]:
    """Yields the indices [n + 1] of arms of n = keep - 1, ..., 0 pulls.

    Args:
      depth: pulls of the arm after which nothing is to be learnt any more.
      discount: γ.
      prior: a and b.
      levels: of λ.
      keep: rows to yield.
      endless: whether the arm may be pulled for ever after that, or is gone.
    """
    sure = np.sin(np.linspace(0, np.pi / 2, levels, dtype=np.float32)) ** 2  # λ [levels]
    sure[-1] = 1 + 1e-6  # above the index of an arm that never failed
    later, now = np.zeros((2, depth + 1, levels), np.float32)  # γ max(0, G) [n + 1, levels]
    if endless:
        later[:] = discount / (1 - discount) * np.maximum(_means(depth, prior) - sure, 0)
    for n in reversed(range(depth)):
        # In place, for rows of G fill no cache otherwise: p (1 + γ G⁺) + (1 - p) γ G⁺ - λ.
        failure, gain = later[: n + 1], now[: n + 1]
        np.subtract(later[1 : n + 2], failure, out=gain)
        gain += 1
        gain *= _means(n, prior)
        gain += failure
        gain -= sure
        if n < keep:
            yield _zeros(gain, sure)
        np.maximum(gain, 0, out=gain)
        gain *= discount
        later, now = now, later


def _means(n: int, prior: tuple[float, float]) -> np.ndarray:
    """Returns the posterior means [n + 1, 1] after n pulls, by successes."""
    return ((prior[0] + np.arange(n + 1)) / (sum(prior) + n)).astype(np.float32)[:, None]


def _zeros(gain: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Returns where each row of `gain` [n + 1, levels], which falls with `sure`, passes zero."""
    rows = np.arange(len(gain))
    high = np.argmax(gain < 0, axis=1)  # λ = 0 is below every index, the last λ above
    low = high - 1
    above, below = gain[rows, low], gain[rows, high]
    return sure[low] + (sure[high] - sure[low]) * above / (above - below)
