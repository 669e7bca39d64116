"""Gittins indices of Gaussian arms, by calibration.

An arm's mean is N(μ, σ² / n) after so many pulls that the posterior is worth n of them, σ being the
noise of a reward. The index only shifts with μ and grows with σ, so it is enough to know it for σ = 1
and a sure reward of 0: with x = μ what pulling gains over retiring is

  G_m(x, n) = x + γ E max(0, G_(m-1)(x + Z √(1/n - 1/(n+1)), n + 1)),   Z ~ N(0, 1),

and the index is μ + σ b(n, m), where G_m(-b, n) = 0. G is kept on a grid that is even in x √n, as a
piecewise linear function, whose expectation is exact.

With a discount γ < 1 and no end, the index depends on the arm alone, and pulling the arm with the
highest index is optimal. With m pulls left it depends on m as well, and the rule is no longer
optimal, though near to it.

Letters: n = n0 + k, of which n0 = (σ / deviation of the arms' means)² is the prior's; m pulls left; T
pulls of the trial; J cells of the grid; γ discount.

References: Gittins, Glazebrook, Weber (2011), "Multi-armed bandit allocation indices", chapter 8;
Yao (2006), "Some results on the Gittins index for a normal reward process".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr

from metarl.errors import require

MOST_PULLS = 1000  # some minutes
LONGEST_LOOK_AHEAD = 4000  # pulls; what lies beyond is worth little to an arm pulled so often
REACH = 6.0  # of the grid to both sides, in standard deviations of the posterior


@functools.lru_cache(maxsize=4)
def normal_indices_with_pulls_left(
    pulls: int, prior_pulls: float, discount: float = 1.0, cells: int = 512
) -> np.ndarray:
    """Returns what the finite-horizon Gittins index adds to an arm's mean.

    Args:
      pulls: T.
      prior_pulls: n0, above 0.
      discount: γ, at most 1.
      cells: J, even; the error falls with its square.

    Returns:
      b [T, T + 1] float32, in units of the noise: of an arm that was pulled k times, with m pulls left,
      at [k, m]; 0 where k + m > T.

    Raises:
      InvalidInput: the table would take very long.
    """
    require(
        pulls <= MOST_PULLS,
        f"Gittins indices of Gaussian arms for {pulls} pulls left take too long; at most {MOST_PULLS} "
        'are accepted. Use a discount without a horizon: "gittins:discount=0.998,horizon=infinite".',
    )
    table = np.zeros((pulls, pulls + 1), np.float32)
    gained = np.zeros((1, cells + 1))  # max(0, G_m) [m, J + 1]
    for k, grid, weights in _backwards(pulls, prior_pulls, cells):
        gain = grid + discount * _expected(gained[: pulls - k], weights)
        table[k, 1 : len(gain) + 1] = -_zeros(gain, grid)
        gained = np.concatenate([np.zeros((1, cells + 1)), np.maximum(gain, 0)])
    return table


@functools.lru_cache(maxsize=8)
def discounted_normal_indices(
    pulls: int, prior_pulls: float, discount: float, cells: int = 512
) -> np.ndarray:
    """Returns what the Gittins index of an arm that may be pulled for ever adds to its mean.

    Args:
      pulls: T; the table holds arms pulled fewer times.
      prior_pulls: n0, above 0.
      discount: γ, below 1.
      cells: J, even; the error falls with its square.

    Returns:
      b [T] float32, in units of the noise, of an arm that was pulled k times.

    Raises:
      InvalidInput: the discount is not in [0, 1).
    """
    require(0 <= discount < 1, f"discount is {discount}; without a horizon it must be below 1.")
    reach = math.log(1e-6) / math.log(discount) if discount > 0 else 1
    depth = pulls + min(math.ceil(reach), LONGEST_LOOK_AHEAD)
    table = np.zeros(pulls, np.float32)
    last = np.linspace(-REACH, REACH, cells + 1) / math.sqrt(prior_pulls + depth)
    gained = np.maximum(last / (1 - discount), 0)[None]
    for k, grid, weights in _backwards(depth, prior_pulls, cells):
        gain = grid + discount * _expected(gained, weights)
        if k < pulls:
            table[k] = -_zeros(gain, grid)[0]
        gained = np.maximum(gain, 0)
    return table


def _backwards(
    pulls: int, prior_pulls: float, cells: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields k = pulls - 1, ..., 0, the grid of x there [J + 1], and weights for `_expected`."""
    even = np.linspace(-REACH, REACH, cells + 1)  # 0 is a node
    for k in reversed(range(pulls)):
        n = prior_pulls + k
        grid, nodes = even / math.sqrt(n), even / math.sqrt(n + 1)
        yield k, grid, _ramps(grid, nodes, math.sqrt(1 / n - 1 / (n + 1)))


def _ramps(grid: np.ndarray, nodes: np.ndarray, step: float) -> np.ndarray:
    """Returns E (x + s Z - u)⁺ = s (φ(v) + v Φ(v)), v = (x - u) / s, in units of a cell [J, J + 1].

    Args:
      grid: x [J + 1].
      nodes: evenly spaced; u are all but the last [J + 1].
      step: s.
    """
    v = (grid - nodes[:-1, None]) / step
    ramps = step * (np.exp(-0.5 * v * v) / math.sqrt(2 * math.pi) + v * ndtr(v))
    return ramps / (nodes[1] - nodes[0])


def _expected(values: np.ndarray, ramps: np.ndarray) -> np.ndarray:
    """Returns E f(x + s Z) [M, J + 1] of functions that are piecewise linear between nodes.

    Args:
      values: of each f at the nodes [M, J + 1]; left of them it is 0, right of them it goes on as
        in the last cell.
      ramps: from `_ramps`.
    """
    slopes = np.diff(values, axis=-1)  # [M, J], in units of a cell
    return np.diff(slopes, axis=-1, prepend=0.0) @ ramps


def _zeros(gain: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Returns where each row of `gain` [M, J + 1], which rises with x, passes zero."""
    rows = np.arange(len(gain))
    high = np.maximum(np.argmax(gain >= 0, axis=1), 1)
    below, above = gain[rows, high - 1], gain[rows, high]
    return grid[high - 1] - below * (grid[high] - grid[high - 1]) / (above - below)
