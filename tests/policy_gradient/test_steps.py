"""Backtracking, on a line where the accepted part is known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from metarl.policy_gradient.steps import backtrack, global_norm

START, GOAL = (
    {"x": jnp.array([0.0]), "y": jnp.array(1.0)},
    {"x": jnp.array([8.0]), "y": jnp.array(5.0)},
)


@pytest.mark.parametrize(
    ("limit", "fraction"),
    [(9.0, 1.0), (8.0, 1.0), (7.9, 0.5), (2.1, 0.25), (1.0, 0.125), (0.9, 0.0)],
)
def test_the_first_accepted_point_is_taken(limit, fraction):
    point, taken = backtrack(START, GOAL, lambda p: p["x"][0] <= limit, factor=0.5, tries=4)
    assert taken == (fraction if limit > 0.9 else 0)
    np.testing.assert_allclose(point["x"], [8 * fraction])
    np.testing.assert_allclose(point["y"], 1 + 4 * fraction)


def test_a_goal_that_is_not_a_number_is_refused():
    goal = {"x": jnp.array([jnp.nan]), "y": jnp.array(5.0)}
    point, taken = backtrack(START, goal, lambda p: p["x"][0] <= 1.0, factor=0.5, tries=4)
    assert taken == 0
    np.testing.assert_array_equal(point["x"], START["x"])
    np.testing.assert_array_equal(point["y"], START["y"])


def test_the_global_norm_is_that_of_all_numbers_together():
    np.testing.assert_allclose(global_norm({"a": jnp.array([3.0]), "b": jnp.array([[4.0]])}), 5)
