"""Aggregates against scipy and naive loops, and with diverged runs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metarl.errors import InvalidInput
from metarl.statistics import extended_mean, geometric_mean, iqm

INF = float("inf")
losses = st.lists(st.floats(-1e6, 1e6) | st.just(INF) | st.just(-INF), min_size=1, max_size=40)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 60])
def test_iqm_equals_the_trimmed_mean_of_scipy(count: int):
    values = np.random.default_rng(count).normal(size=(3, count))
    np.testing.assert_allclose(iqm(values), stats.trim_mean(values, 0.25, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(iqm(values.T, axis=0), iqm(values), rtol=1e-12)


def test_a_quarter_of_diverged_runs_leaves_the_iqm_finite_and_more_make_it_infinite():
    assert iqm([1, 2, 3, 4, 5, 6, INF, INF]) == np.mean([3, 4, 5, 6])
    assert iqm([1, 2, 3, 4, 5, INF, INF, INF]) == INF


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0], 1.5),
        ([1.0, INF], INF),
        ([1.0, -INF], -INF),
        ([4.0, INF, -INF, 2.0], 1.5),  # M - M + 4 + 2, over four
        ([INF, INF, -INF], INF),
        ([INF, -INF], 0.0),
    ],
)
def test_the_mean_is_the_limit_of_large_losses_in_place_of_infinite_ones(values, expected):
    assert extended_mean(values) == expected


@settings(max_examples=100, deadline=None)
@given(losses)
def test_aggregates_are_never_nan_and_flip_with_the_sign(values):
    for aggregate in (extended_mean, iqm):
        result = aggregate(values)
        assert not np.isnan(result)
        np.testing.assert_allclose(aggregate(-np.array(values)), -result, rtol=1e-9, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20))
def test_the_geometric_mean_equals_a_loop_and_inverts_with_its_ratios(ratios):
    product = 1.0
    for ratio in ratios:
        product *= ratio ** (1 / len(ratios))
    np.testing.assert_allclose(geometric_mean(ratios), product, rtol=1e-9)
    np.testing.assert_allclose(geometric_mean(1 / np.array(ratios)), 1 / product, rtol=1e-9)


def test_ratios_of_zero_and_infinity_are_counted_in_the_geometric_mean():
    assert geometric_mean([0.0, 2.0]) == 0.0
    assert geometric_mean([INF, 2.0]) == INF
    assert geometric_mean([INF, 0.0, 4.0]) == pytest.approx(4 ** (1 / 3))


@pytest.mark.parametrize("aggregate", [extended_mean, iqm, geometric_mean])
@pytest.mark.parametrize(
    ("values", "message"),
    [([1.0, float("nan")], r"\+inf for a loss"), ([], r"shape \(0,\)"), (1.0, r"shape \(\)")],
)
def test_aggregates_refuse_nan_and_nothing(aggregate, values, message):
    with pytest.raises(InvalidInput, match=message):
        aggregate(values)


@pytest.mark.parametrize("aggregate", [extended_mean, iqm, geometric_mean])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ma.masked_less([1.0, 5.0, 9.0], 4.0), "masked array"),
        ([1.0 + 2.0j, 3.0], "real numbers; received complex128"),
        (["0.5", "0.7"], "real numbers; received <U3"),
        ([[1.0, 2.0], [3.0]], "real numbers; received rows of different lengths"),
        ([{}, 1.0], "real numbers; received object"),
    ],
)
def test_what_would_be_counted_as_another_number_is_refused(aggregate, values, message):
    """numpy drops a mask and the imaginary part, and reads texts."""
    with pytest.raises(InvalidInput, match=message):
        aggregate(values)


def test_whole_numbers_truths_and_narrow_types_are_numbers():
    for values in (
        [1, 0],
        [True, False],
        np.array([1, 0], np.float16),
        jnp.array([1, 0], jnp.bfloat16),
    ):
        assert extended_mean(values) == 0.5
    assert extended_mean(np.array([1, 0], object)) == 0.5


def test_a_negative_ratio_is_refused():
    with pytest.raises(InvalidInput, match="negative"):
        geometric_mean([1.0, -1.0])
