"""Known minima, the quadratic's spectrum, and its noise."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.problems import load, quadratic


def loss_at(problem, params, noise=0.0):
    rows = problem.examples("train")["noise"]
    return problem.loss(params, (), {"noise": noise * rows}, jax.random.key(0))[0]


@pytest.mark.parametrize("name", ["quadratic", "quadratic-ill-conditioned", "rosenbrock", "beale"])
def test_loss_and_gradient_are_zero_at_the_known_minimum(name):
    problem = load(name)
    value, gradient = jax.value_and_grad(lambda params: loss_at(problem, params))(problem.minimum)
    assert float(value) == pytest.approx(0, abs=1e-10)
    np.testing.assert_allclose(gradient["point"], 0, atol=1e-5)
    assert float(problem.evaluate(problem.minimum, (), None)["loss"]) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(
    ("name", "point", "value"),
    [
        ("rosenbrock", (-1.2, 1.0), 24.2),
        ("rosenbrock", (0.0, 0.0), 1.0),
        ("beale", (1.0, 1.0), 14.203125),
        ("beale", (0.0, 0.0), 14.203125),
    ],
)
def test_landscapes_have_their_textbook_values(name, point, value):
    params = {"point": np.array(point, np.float32)}
    assert float(load(name).evaluate(params, (), None)["loss"]) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(("name", "centre"), [("rosenbrock", (-1.2, 1.0)), ("beale", (1.0, 1.0))])
def test_starts_are_drawn_around_the_classic_one(name, centre):
    starts = jax.vmap(load(name).init)(jax.random.split(jax.random.key(0), 400))[0]["point"]
    np.testing.assert_allclose(starts.mean(axis=0), centre, atol=0.02)
    np.testing.assert_allclose(starts.std(axis=0), 0.1, atol=0.02)


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e3])
def test_the_quadratic_has_the_condition_number_asked_for(condition):
    problem = quadratic(condition=condition, noise=0.5, dimension=8)
    hessian = jax.hessian(lambda point: loss_at(problem, {"point": point}))(np.zeros(8, np.float32))
    eigenvalues = np.linalg.eigvalsh(np.asarray(hessian, np.float64))
    assert eigenvalues[-1] == pytest.approx(1, rel=1e-4)
    assert eigenvalues[-1] / eigenvalues[0] == pytest.approx(condition, rel=1e-2)


def test_the_ill_conditioned_quadratic_is_it_and_its_gradients_are_nearly_exact():
    problem = load("quadratic-ill-conditioned")
    hessian = jax.hessian(lambda point: loss_at(problem, {"point": point}))(
        np.zeros(64, np.float32)
    )
    eigenvalues = np.linalg.eigvalsh(np.asarray(hessian, np.float64))
    assert eigenvalues[-1] / eigenvalues[0] == pytest.approx(1e5, rel=0.05)
    assert np.abs(problem.examples("train")["noise"]).max() < 0.05


def test_the_quadratic_is_not_aligned_with_the_coordinates():
    hessian = np.asarray(
        jax.hessian(lambda point: loss_at(load("quadratic"), {"point": point}))(
            np.zeros(32, np.float32)
        )
    )
    off_diagonal = hessian - np.diag(np.diag(hessian))
    assert np.linalg.norm(off_diagonal) > 0.5 * np.linalg.norm(hessian)


def test_gradient_noise_has_the_covariance_of_the_hessian_and_averages_to_zero():
    problem = quadratic(condition=10.0, noise=0.5, dimension=4)
    rows = problem.examples("train")["noise"].astype(np.float64)
    hessian = jax.hessian(lambda point: loss_at(problem, {"point": point}))(np.zeros(4, np.float32))
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(rows.T @ rows / len(rows), 0.25 * hessian, atol=0.03)


def test_noise_enters_the_gradient_of_the_loss_but_not_the_evaluation():
    problem = load("quadratic")
    params, _ = problem.init(jax.random.key(0))
    rows = problem.examples("train")["noise"][:4]
    gradient = jax.grad(lambda p, r: problem.loss(p, (), {"noise": r}, jax.random.key(0))[0])
    shift = gradient(params, 0 * rows)["point"] - gradient(params, rows)["point"]
    np.testing.assert_allclose(shift, rows.mean(axis=0), atol=1e-5)
    noisy = problem.evaluate(params, (), {"noise": rows})["loss"]
    assert float(noisy) == float(problem.evaluate(params, (), {"noise": 0 * rows})["loss"])


def test_a_quadratic_of_other_settings_has_another_name():
    assert quadratic().name == "quadratic"
    assert quadratic(condition=10, noise=0.1).name == "quadratic(10, 0.1, 32, 0)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"condition": 0.5}, "condition must be a finite number of at least 1, not 0.5"),
        ({"condition": float("inf")}, "condition must be a finite number"),
        ({"noise": -1.0}, "noise must be a finite number of at least 0, not -1.0"),
        ({"dimension": 1}, "dimension must be a whole number of at least 2, not 1"),
    ],
)
def test_a_quadratic_refuses_settings_outside_their_range(settings, message):
    with pytest.raises(InvalidInput, match=message):
        quadratic(**settings)


@pytest.mark.parametrize("name", ["quadratic", "quadratic-ill-conditioned"])
def test_the_origin_is_no_better_than_a_start(name):
    """Else weight decay alone would minimise a quadratic, and win a search on it."""
    problem = load(name)
    starts = [problem.init(jax.random.key(seed))[0] for seed in range(8)]
    losses = [float(problem.evaluate(params, (), None)["loss"]) for params in starts]
    origin = {"point": np.zeros_like(starts[0]["point"])}
    assert float(problem.evaluate(origin, (), None)["loss"]) > 0.3 * np.mean(losses)
