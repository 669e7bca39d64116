"""Performance profiles: on what share of the problems is an optimizer within a factor of the best.

One curve per optimizer. Its value at factor 1 is the share of problems that it wins, its height far
to the right the share that it solves at all; a curve above another is better at every tolerance,
with no scale to agree on between problems.

Letters: O optimizers, P problems, F factors.

Paper: Dolan and Moré (2002), Benchmarking Optimization Software with Performance Profiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import require

from .aggregates import checked_numbers


def performance_profile(costs: ArrayLike, factors: ArrayLike) -> np.ndarray:
    """Returns the share of problems on which each optimizer costs at most a factor times the best.

    ρ_o(τ) = |{p : cost[o, p] ≤ τ min_o' cost[o', p]}| / P

    Args:
      costs: [O, P] positive costs, such as losses or steps to a target; +inf where an optimizer
        failed. On a problem where all failed, nobody is within any factor.
      factors: [F] the tolerances τ, at least 1.

    Returns:
      [O, F] Shares between 0 and 1, rising along F.

    Raises:
      InvalidInput: if the costs are no positive matrix without NaN, or a factor is below 1.

    Reference:
      Dolan and Moré (2002), the definition of ρ in Section 2.

    >>> performance_profile([[1.0, 4.0], [2.0, 2.0]], [1.0, 2.0]).tolist()
    [[0.5, 1.0], [0.5, 1.0]]
    """
    matrix, tolerances = checked_numbers(costs), checked_numbers(factors)
    require(
        matrix.ndim == 2, f"Costs form a matrix [optimizers, problems]; received {matrix.shape}."
    )
    require(
        bool(np.all(matrix > 0)),
        "A performance profile takes positive costs, and received one that is not.",
    )
    require(
        tolerances.ndim == 1 and bool(np.all(tolerances >= 1)),
        "The factors of a performance profile form a vector of numbers of at least 1.",
    )
    allowed = np.min(matrix, axis=0)[:, None] * tolerances  # [P, F]
    within = (matrix[:, :, None] <= allowed) & np.isfinite(matrix)[:, :, None]  # [O, P, F]
    return np.mean(within, axis=1)
