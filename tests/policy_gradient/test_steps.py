"""Backtracking, on a line where the accepted part is known; conjugate gradients, on systems that numpy solves."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.policy_gradient.steps import backtrack, conjugate_gradients, global_norm

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


def a_system(seed: int, size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Returns a symmetric and positive definite A, and b."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    return (root @ root.T + np.eye(size)).astype(np.float32), rng.normal(size=size).astype("f")


def solved(matrix: Any, target: Any, steps: int, **settings: Any) -> jax.Array:
    """Conjugate gradients on PyTrees of two parts."""

    def product(x: Any) -> Any:
        whole = matrix @ jnp.concatenate([x["a"], x["b"]])
        return {"a": whole[:2], "b": whole[2:]}

    x = conjugate_gradients(product, {"a": target[:2], "b": target[2:]}, steps, **settings)
    return jnp.concatenate([x["a"], x["b"]])


def test_conjugate_gradients_solve_a_system_in_as_many_steps_as_it_has_unknowns():
    matrix, target = a_system(0)
    x = solved(matrix, target, 6)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, target), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(solved(matrix, target, 50), x, rtol=1e-3, atol=1e-4)


def test_the_first_conjugate_gradient_is_the_steepest_descent():
    matrix, target = a_system(1)
    rate = target @ target / (target @ matrix @ target)
    np.testing.assert_allclose(solved(matrix, target, 1), rate * target, rtol=1e-5)


def test_conjugate_gradients_stop_where_it_is_near_enough():
    matrix, target = a_system(2)
    np.testing.assert_array_equal(solved(matrix, target, 9, tolerance=2.0), np.zeros(6))
    np.testing.assert_array_equal(solved(matrix, 0 * target, 9), np.zeros(6))


def test_many_systems_are_solved_as_each_alone():
    """65 and more at once, of which jax.scipy.sparse.linalg.cg made NaN on a CPU (jaxlib 0.10.2)."""
    systems = [a_system(seed) for seed in range(130)]
    matrices, targets = (np.stack(parts) for parts in zip(*systems, strict=True))
    together = jax.jit(jax.vmap(functools.partial(solved, steps=10)))(matrices, targets)
    expected = np.linalg.solve(matrices, targets[..., None])[..., 0]
    np.testing.assert_allclose(together, expected, rtol=1e-2, atol=1e-3)
