"""Gittins indices: published values, and the equation that defines them."""

from __future__ import annotations

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from metarl.classical_agents.gittins import (
    discounted_indices,
    first_of_total,
    indices_with_pulls_left,
    table_row,
    whittle_accepts,
    whittle_index,
)
from metarl.errors import InvalidInput


def gain(sure: float, n: int, s: int, left: int, discount: float, prior=(1.0, 1.0)) -> float:
    """What pulling an arm gains over a sure reward, with `left` pulls to go, by plain recursion."""

    @functools.cache
    def pulling(n: int, s: int, left: int) -> float:
        if left == 0:
            return 0.0
        p = (prior[0] + s) / (sum(prior) + n)
        success = max(0.0, pulling(n + 1, s + 1, left - 1))
        failure = max(0.0, pulling(n + 1, s, left - 1))
        return p - sure + discount * (p * success + (1 - p) * failure)

    return pulling(n, s, left)


@pytest.mark.parametrize(
    ("discount", "successes", "failures", "published"),
    [
        # Gittins (1979) and Gittins, Glazebrook, Weber (2011), in counts beside the uniform prior.
        (0.9, 0, 0, 0.7029),
        (0.9, 1, 1, 0.6346),
        (0.9, 2, 2, 0.6010),
        (0.9, 9, 1, 0.8695),
        (0.99, 0, 0, 0.8699),
    ],
)
def test_discounted_indices_are_the_published_ones(discount, successes, failures, published):
    table = discounted_indices(20, discount)
    assert table[table_row(successes + failures, successes)] == pytest.approx(published, abs=6e-5)


@pytest.mark.parametrize("prior", [(1.0, 1.0), (2.0, 0.5)])
def test_at_a_discounted_index_pulling_gains_nothing(prior):
    table = discounted_indices(6, 0.8, prior)
    for n in range(6):
        for s in range(n + 1):
            index = float(table[table_row(n, s)])
            assert abs(gain(index, n, s, 60, 0.8, prior)) < 3e-4, (n, s)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_at_an_index_with_pulls_left_pulling_gains_nothing(discount):
    table = indices_with_pulls_left(9, discount)
    for n, left in itertools.product(range(5), range(1, 5)):
        for s in range(n + 1):
            index = float(table[first_of_total(n + left) + table_row(n, s)])
            assert abs(gain(index, n, s, left, discount)) < 1e-3, (n, s, left)


def test_a_finer_grid_changes_indices_no_more_than_is_said():
    rough = indices_with_pulls_left(9, prior=(0.1, 0.1))
    fine = indices_with_pulls_left(9, prior=(0.1, 0.1), levels=2049)
    assert np.abs(rough - fine).max() < 6e-4


@pytest.mark.slow
@pytest.mark.parametrize("prior", [(1.0, 1.0), (0.1, 0.1)])
def test_indices_are_as_true_as_is_said(prior):
    rough = indices_with_pulls_left(40, prior=prior)
    fine = indices_with_pulls_left(40, prior=prior, levels=2049)
    assert np.abs(rough - fine).max() < 6e-4
    rough, fine = (discounted_indices(20, 0.99, prior, levels) for levels in (513, 4097))
    assert np.abs(rough - fine).max() < 2e-4


@pytest.mark.parametrize("prior", [(0.5, 0.5), (0.3, 1.6), (1.0, 1.0), (20.0, 0.26)])
@pytest.mark.parametrize("discount", [1.0, 0.5])
def test_whittles_form_is_between_the_mean_and_1_where_it_is_accepted(prior, discount):
    assert whittle_accepts(prior)
    wins, losses = np.meshgrid(np.arange(40.0), np.arange(40.0))
    wins, losses = wins + prior[0], losses + prior[1]
    index = np.asarray(whittle_index(wins, losses, jnp.float32(discount)))
    assert (index > wins / (wins + losses)).all() and index.max() <= 1 + 1e-6


def test_whittles_form_is_not_accepted_where_it_leaves_0_to_1():
    assert not whittle_accepts((0.45, 0.45)) and not whittle_accepts((0.25, 100.0))
    assert float(whittle_index(jnp.float32(0.45), jnp.float32(0.45), jnp.float32(1))) > 1
    assert float(whittle_index(jnp.float32(0.2), jnp.float32(99), jnp.float32(1))) < 0


def test_with_one_pull_left_the_index_is_the_mean():
    table = indices_with_pulls_left(8)
    for n in range(8):
        means = (1 + np.arange(n + 1)) / (2 + n)
        found = [table[first_of_total(n + 1) + table_row(n, s)] for s in range(n + 1)]
        np.testing.assert_allclose(found, means, atol=1e-4)


def test_indices_rise_with_the_pulls_left_and_exceed_the_mean():
    table = indices_with_pulls_left(40)
    of_untried = [float(table[first_of_total(left) + table_row(0, 0)]) for left in range(1, 41)]
    assert of_untried[0] == pytest.approx(0.5, abs=1e-4)
    assert all(a < b for a, b in itertools.pairwise(of_untried))


def test_tables_hold_every_arm_of_a_trial():
    assert indices_with_pulls_left(7).shape == (sum(t * (t + 1) // 2 for t in range(1, 8)),)
    assert discounted_indices(7, 0.5).shape == (7 * 8 // 2,)
    places = [
        first_of_total(total) + table_row(n, s)
        for total in range(1, 8)
        for n in range(total)
        for s in range(n + 1)
    ]
    assert places == list(range(len(places)))


def test_a_table_that_would_not_fit_is_refused_with_a_way_out():
    with pytest.raises(InvalidInput, match=r"1000 pulls left would take 669 MB; use a discount"):
        indices_with_pulls_left(1000)


def test_without_discount_and_horizon_there_is_no_index():
    with pytest.raises(InvalidInput, match="without a horizon it must be below 1"):
        discounted_indices(5, 1.0)
