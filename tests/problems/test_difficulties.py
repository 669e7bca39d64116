"""Diagnostics: each has the one difficulty that it is named for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.problems import SPLITS, diagnostics, names

DIAGNOSTICS = {diagnostic.name: diagnostic for diagnostic in diagnostics()}
POINTS = ("ill-conditioned", "saddle", "plateau", "sparse", "heavy tails")
KEY = 3


def start(problem):
    return jax.jit(problem.init)(jax.random.key(KEY))


def value(problem, point):
    return float(
        problem.evaluate({"point": jnp.asarray(point)}, (), problem.examples("test"))["loss"]
    )


def gradient(problem, params, rows):
    batch = jax.tree.map(lambda x: jnp.asarray(x[rows]), problem.examples("train"))
    key = jax.random.key(0)
    return jax.grad(lambda p: problem.loss(p, (), batch, key)[0])(params)["point"]


def test_diagnostics_are_no_members_of_the_suite():
    for diagnostic in DIAGNOSTICS.values():
        for problem in (diagnostic.problem, *diagnostic.variants):
            assert problem.name not in set(names()) - {"digits-mlp", "quadratic"}


@pytest.mark.parametrize("name", POINTS)
def test_the_loss_is_zero_at_the_minimum_and_positive_elsewhere(name):
    problem = DIAGNOSTICS[name].problem
    assert problem.minimum is not None
    lowest = np.asarray(problem.minimum["point"])
    assert value(problem, lowest) == pytest.approx(0.0, abs=1e-6)
    params, _ = start(problem)
    assert value(problem, params["point"]) > 0.1
    assert set(SPLITS) == {split for split in SPLITS if problem.examples(split)}


def test_the_saddle_is_flat_along_the_ridge_and_falls_beside_it():
    problem = DIAGNOSTICS["saddle"].problem
    ridge = np.zeros(16, np.float32)
    assert value(problem, ridge) == pytest.approx(1.0)
    np.testing.assert_allclose(
        gradient(problem, {"point": jnp.asarray(ridge)}, [0]), 0.0, atol=1e-7
    )
    beside = ridge.copy()
    beside[:4] = 0.1
    assert value(problem, beside) < 1.0
    point, expected = np.linspace(-1.0, 1.5, 16), 0.0
    for place, x in enumerate(point):
        expected += 0.25 - x**2 / 2 + x**4 / 4 if place < 4 else x**2 / 2
    assert value(problem, point.astype(np.float32)) == pytest.approx(expected, rel=1e-5)


def test_the_plateau_is_flat_at_the_start_and_points_home():
    problem = DIAGNOSTICS["plateau"].problem
    params, _ = start(problem)
    slope = gradient(problem, params, [0])
    radius = float(jnp.linalg.norm(params["point"]))
    assert radius == pytest.approx(4.7, rel=1e-5)
    expected = radius * np.exp(-(radius**2) / 2)
    assert float(jnp.linalg.norm(slope)) == pytest.approx(expected, rel=1e-3)
    assert expected == pytest.approx(1e-4, rel=0.3)
    cosine = jnp.dot(slope, params["point"]) / jnp.linalg.norm(slope) / radius
    assert float(cosine) == pytest.approx(1.0, rel=1e-4)


def test_sparse_gradients_touch_a_thirty_second_and_average_to_the_whole():
    problem = DIAGNOSTICS["sparse"].problem
    params, _ = start(problem)
    shares = [float(jnp.mean(gradient(problem, params, [row]) != 0)) for row in range(20)]
    assert np.mean(shares) == pytest.approx(1 / 32, rel=0.5)
    rows = np.asarray(problem.examples("train")["rows"])
    assert rows.mean() == pytest.approx(1 / 32, rel=0.05)
    whole = gradient(problem, params, slice(None))
    point = np.asarray(params["point"])
    h = np.geomspace(1.0, 100.0, 64) / 100.0
    np.testing.assert_allclose(whole, rows.mean(axis=0) * h * point, rtol=1e-3, atol=1e-6)


def test_heavy_tails_have_outliers_that_normal_noise_has_not():
    rows = np.asarray(DIAGNOSTICS["heavy tails"].problem.examples("train")["rows"])
    spread = np.quantile(np.abs(rows), 0.68)
    assert np.abs(rows).max() > 50 * spread


def test_scaling_changes_the_gradient_and_not_the_judgement():
    diagnostic = DIAGNOSTICS["scale 1e-3, 1e3"]
    params, _ = start(diagnostic.problem)
    own = gradient(diagnostic.problem, params, slice(0, 4))
    for factor, variant in zip((1e-3, 1e3), diagnostic.variants, strict=True):
        np.testing.assert_allclose(gradient(variant, params, slice(0, 4)), factor * own, rtol=1e-5)
        assert value(variant, params["point"]) == value(diagnostic.problem, params["point"])


def test_batches_are_what_they_say():
    variants = DIAGNOSTICS["batch 8, 512"].variants
    assert [variant.batch_size for variant in variants] == [8, 512]


def test_parameters_and_gradients_of_the_last_one_are_bfloat16():
    (variant,) = DIAGNOSTICS["bfloat16"].variants
    params, state = start(variant)
    batch = jax.tree.map(lambda x: jnp.asarray(x[:8]), variant.examples("train"))
    grads = jax.grad(lambda p: variant.loss(p, state, batch, jax.random.key(0))[0])(params)
    for tree in (params, grads):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("name", list(DIAGNOSTICS))
def test_what_passes_is_said_in_words(name):
    diagnostic = DIAGNOSTICS[name]
    assert f"{diagnostic.bound:g}" in diagnostic.criterion and diagnostic.question
