"""Means with normal intervals, and ratios of means over the same tasks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.statistics import Mean, mean_interval, ratio_interval, share_interval


def test_the_interval_is_the_textbooks():
    numbers = np.array([1.0, 2.0, 4.0, 7.0] * 2)
    error = math.sqrt(sum((x - 3.5) ** 2 for x in numbers) / 7 / 8)
    found = mean_interval(numbers)
    assert found.mean == 3.5
    assert found.standard_error == pytest.approx(error)
    reach = 2.3646 * error  # Student's t of 7 degrees of freedom
    assert (found.low, found.high) == pytest.approx((3.5 - reach, 3.5 + reach), 1e-4)


def test_a_few_numbers_say_nothing_of_their_spread():
    assert mean_interval([2.0]) == Mean(2.0, math.inf, -math.inf, math.inf)
    assert mean_interval([2.0] * 7) == Mean(2.0, 0.0, -math.inf, math.inf)
    assert mean_interval([2.0] * 8) == Mean(2.0, 0.0, 2.0, 2.0)
    assert ratio_interval([1.0] * 7, [2.0] * 7).high == math.inf


def test_intervals_of_means_and_ratios_cover_as_often_as_they_say():
    generator = np.random.default_rng(0)
    covered_mean = covered_ratio = 0
    for _ in range(1000):
        below = generator.exponential(2.0, 200) + 1.0
        above = 0.7 * below + generator.normal(0.3, 1.0, 200)
        mean, ratio = mean_interval(below), ratio_interval(above, below)
        covered_mean += mean.low <= 3.0 <= mean.high
        covered_ratio += ratio.low <= 0.8 <= ratio.high
    assert 0.92 <= covered_mean / 1000 <= 0.97
    assert 0.92 <= covered_ratio / 1000 <= 0.97


def test_a_ratio_keeps_what_both_sides_share():
    below = np.random.default_rng(1).normal(5.0, 2.0, 100)
    found = ratio_interval(0.5 * below, below)
    assert found.mean == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0]), "equally many numbers on both sides; received 2 and 1"),
        (([1.0, 2.0], [1.0, -1.0]), "there is no ratio"),
        (([1.0, float("nan")], [1.0, 2.0]), "NaN"),
        (([[1.0]], [[1.0]]), r"vector of numbers; received shape \(1, 1\)"),
    ],
)
def test_what_has_no_ratio_is_refused(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        ratio_interval(*arguments)


def test_no_interval_is_made_of_infinite_numbers():
    """Their mean has no spread that Student's t could use; both came out as NaN, without an error."""
    with pytest.raises(InvalidInput, match=r"finite.*`iqm`"):
        mean_interval([1.0] * 8 + [float("inf")])
    with pytest.raises(InvalidInput, match="finite"):
        ratio_interval([1.0, float("-inf")], [1.0, 2.0])


@pytest.mark.parametrize("events", [[1.0, float("nan")], ["yes", "no"], [0.2, 0.9]])
def test_what_is_neither_true_nor_false_is_no_event(events):
    """Python takes all of them for true."""
    with pytest.raises(InvalidInput, match=r"true or false"):
        share_interval(events)


def test_events_in_rows_of_different_lengths_are_refused():
    with pytest.raises(InvalidInput, match="rows of different lengths"):
        share_interval([[True, False], [True]])


def test_events_may_be_written_as_ones_and_noughts():
    assert share_interval([1, 0, 1.0, 0]).estimate == share_interval([True, False] * 2).estimate


def test_a_confidence_out_of_range_is_refused():
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        mean_interval([1.0, 2.0], confidence=95)


def test_a_share_at_a_confidence_that_is_one_but_for_rounding_is_anything():
    assert share_interval([True, False] * 50, confidence=1 - 2**-53) == (0.5, 0.0, 1.0)


def test_there_is_no_ratio_to_what_is_next_to_nothing():
    with pytest.raises(InvalidInput, match="next to nothing; there is no ratio"):
        ratio_interval([1.0] * 8, [5e-324] * 8)


@pytest.mark.parametrize(("happened", "count"), [(0, 20), (3, 20), (20, 20), (57, 200)])
def test_the_ends_of_a_shares_interval_are_the_shares_that_a_test_just_does_not_reject(
    happened, count
):
    found = share_interval(np.arange(count) < happened)
    assert found.estimate == happened / count
    for end in (found.low, found.high):
        if 0 < end < 1:  # the deviation of the share that was seen, were the end true
            assert abs(found.estimate - end) == pytest.approx(
                1.959964 * np.sqrt(end * (1 - end) / count)
            )
    assert 0 <= found.low < found.high <= 1


def test_a_share_of_fewer_than_eight_is_anything():
    assert share_interval([True] * 7)[1:] == (0.0, 1.0)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        share_interval([True] * 8, confidence=1.0)
