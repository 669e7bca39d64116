"""Performance profiles against a naive loop."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.statistics import performance_profile


def test_profiles_equal_a_naive_loop_with_failures_among_the_costs():
    rng = np.random.default_rng(0)
    costs = rng.gamma(2.0, size=(4, 7))
    costs[rng.random(costs.shape) < 0.3] = np.inf
    costs[:, 2] = np.inf
    factors = [1.0, 1.5, 3.0, 100.0]
    profile = performance_profile(costs, factors)
    for optimizer in range(4):
        for column, factor in enumerate(factors):
            solved = sum(
                np.isfinite(costs[optimizer, p])
                and costs[optimizer, p] <= factor * min(costs[:, p])
                for p in range(7)
            )
            assert profile[optimizer, column] == pytest.approx(solved / 7)


@pytest.mark.parametrize(
    ("costs", "factors", "message"),
    [
        ([1.0, 2.0], [1.0], "matrix"),
        ([[0.0, 2.0]], [1.0], "positive"),
        ([[1.0, 2.0]], [0.5], "at least 1"),
    ],
)
def test_bad_costs_and_factors_are_refused(costs, factors, message):
    with pytest.raises(InvalidInput, match=message):
        performance_profile(costs, factors)
