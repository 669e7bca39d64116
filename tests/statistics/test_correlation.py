"""Rank correlation against scipy, and its interval where the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from metarl.errors import InvalidInput
from metarl.statistics import rank_correlation


@pytest.mark.parametrize("ties", [False, True])
def test_the_estimate_is_scipys(ties):
    rng = np.random.default_rng(0)
    one = rng.normal(size=25)
    other = one + rng.normal(size=25)
    if ties:
        one, other = np.round(one), np.round(other)
    theirs: Any = spearmanr(one, other)
    assert rank_correlation(one, other).estimate == pytest.approx(theirs.statistic)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Pairs of normal numbers with correlation r have the rank correlation 6 / pi asin(r / 2)."""
    rng, inside = np.random.default_rng(1), 0
    truth = 6 / np.pi * np.arcsin(0.6 / 2)
    for trial in range(60):
        one = rng.normal(size=30)
        other = 0.6 * one + 0.8 * rng.normal(size=30)
        found = rank_correlation(one, other, seed=trial)
        inside += found.low <= truth <= found.high
    assert inside >= 52


def test_the_same_order_is_one_the_reverse_minus_one_and_no_order_zero():
    up = np.arange(8.0)
    assert rank_correlation(up, up**3) == (1.0, 1.0, 1.0)
    assert rank_correlation(up, -up) == (-1.0, -1.0, -1.0)
    assert rank_correlation(up, np.ones(8)) == (0.0, 0.0, 0.0)


def test_a_few_pairs_say_nothing():
    up = np.arange(7.0)
    assert rank_correlation(up, up) == (1.0, -1.0, 1.0)
    assert rank_correlation([1.0, 2.0], [3.0, 5.0]) == (1.0, -1.0, 1.0)
    assert rank_correlation([1.0], [3.0]) == (0.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "two vectors of one length"),
        ([], [], "two vectors of one length"),
        ([1.0], 2.0, "two vectors of one length"),
        ([1.0, np.inf, 2.0], [1.0, 2.0, 3.0], "finite numbers"),
        (["a", "b"], [1.0, 2.0], "real numbers"),
        ([[1.0, 2.0], [3.0]], [1.0, 2.0], "rows of different lengths"),
        (np.ma.masked_less([1.0, 5.0], 4.0), [1.0, 2.0], "masked array"),
    ],
)
def test_what_are_no_pairs_of_numbers_is_refused(one, other, text):
    with pytest.raises(InvalidInput, match=text):
        rank_correlation(one, other)
