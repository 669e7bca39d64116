"""Photographs, factorised matrices and the pendulum: data, formulas and derivatives."""

from __future__ import annotations

import collections
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from metarl.problems import SPLITS, load, pendulum, photographs
from metarl.problems.factorisation import factors
from metarl.problems.language import text


def test_shades_are_means_of_squares_of_a_photograph():
    whole, coarse = photographs.shades("flower.jpg", 1), photographs.shades("flower.jpg", 8)
    assert whole.shape == (427, 640, 3) and coarse.shape == (53, 80, 3)
    assert whole.min() >= 0 and whole.max() <= 1
    np.testing.assert_allclose(
        coarse[2, 5], whole[16:24, 40:48].reshape(64, 3).mean(axis=0), rtol=1e-5
    )


def test_patches_are_squares_of_the_photograph_with_noise_beside_them():
    noisy, clean = photographs._noisy_patches()
    grey = photographs.shades("china.jpg", 1).mean(axis=2)
    np.testing.assert_array_equal(clean[81], grey[8:16, 8:16].reshape(64))
    assert clean.shape == noisy.shape == (53 * 80, 64)
    assert (noisy - clean).std() == pytest.approx(0.1, rel=0.02)


def test_waves_are_sines_and_cosines_of_fixed_frequencies():
    network = photographs.waves(3, 2.0)
    points = np.array([[0.0, 0.0], [0.3, -0.2]], np.float32)
    received, _ = network.apply({}, (), jnp.asarray(points), True)
    drawn = np.random.RandomState(0).normal(scale=4 * np.pi, size=(2, 3))
    np.testing.assert_allclose(received[:, :3], np.sin(points @ drawn), atol=1e-5)
    np.testing.assert_allclose(received[:, 3:], np.cos(points @ drawn), atol=1e-5)


def test_the_flower_has_its_colours_at_its_coordinates():
    batch = load("flower-coordinates").examples("test")
    coarse = photographs.shades("flower.jpg", 8)
    for point, colour in zip(batch["inputs"][:5], batch["targets"][:5], strict=True):
        row, column = round((point[0] + 1) / 2 * 52), round((point[1] + 1) / 2 * 79)
        np.testing.assert_allclose(colour, coarse[row, column], rtol=1e-5)


def test_an_entry_is_a_product_of_two_vectors_and_two_biases():
    params = {
        "left": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32),
        "left_bias": np.array([0.1, 0.2], np.float32),
        "right": np.array([[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]], np.float32),
        "right_bias": np.array([0.01, 0.02, 0.03], np.float32),
    }
    outputs, _ = factors(2, 3, 2).apply(params, (), jnp.array([[1, 2], [0, 1]]), True)
    expected = [[3 * 9 + 4 * 10 + 0.2 + 0.03], [1 * 7 + 2 * 8 + 0.1 + 0.02]]
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["word-vectors", "flower-completion"])
def test_gradients_of_a_factorisation_are_zero_where_the_batch_is_not(name):
    problem = load(name)
    params, _ = jax.jit(problem.init)(jax.random.key(0))
    batch = jax.tree.map(lambda leaf: leaf[:4], problem.examples("train"))
    gradient = jax.grad(lambda p: problem.loss(p, (), batch, jax.random.key(1))[0])(params)
    touched = np.flatnonzero(np.abs(gradient["left"]).max(axis=1))
    assert set(touched) == set(batch["inputs"][:, 0].astype(int))


def test_word_counts_equal_a_loop_over_the_text():
    words = re.findall(r"[a-z_]+", text().lower())
    ranked = [word for word, _ in collections.Counter(words).most_common(60)]
    batch = load("word-vectors").examples("test")
    pairs = zip(batch["inputs"].tolist(), batch["targets"][:, 0], strict=True)
    common = [(pair, target) for pair, target in pairs if max(pair) < 60][:3]
    assert len(common) == 3
    for (first, second), target in common:
        near = 0
        for place, word in enumerate(words):
            if word == ranked[first]:
                near += words[place + 1 : place + 6].count(ranked[second])
        assert target == pytest.approx(np.log(near), rel=1e-5)


def test_rare_pairs_weigh_less_in_the_loss_of_words():
    problem = load("word-vectors")
    params, _ = jax.jit(problem.init)(jax.random.key(0))
    params = jax.tree.map(jnp.zeros_like, params)
    counts = np.array([1.0, 5.0, 200.0])
    batch = {
        "inputs": np.array([[0, 1], [2, 3], [4, 5]], np.int32),
        "targets": np.log(counts)[:, None].astype(np.float32),
    }
    weights = [(1 / 20) ** 0.75, (5 / 20) ** 0.75, 1.0]
    expected = np.mean(weights * np.log(counts) ** 2)
    loss, _ = problem.loss(params, (), batch, jax.random.key(0))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_true_motion_obeys_the_equation_of_the_pendulum():
    times = np.linspace(0, pendulum.DURATION, 9)
    expected = solve_ivp(
        lambda t, y: [y[1], -np.sin(y[0]) - pendulum.DAMPING * y[1]],
        (0, pendulum.DURATION),
        [pendulum.FIRST_ANGLE, 0.0],
        t_eval=times,
        rtol=1e-9,
        atol=1e-9,
    ).y[0]
    np.testing.assert_allclose(pendulum.solution(times), expected, atol=1e-5)
    together = np.concatenate([load("pendulum").examples(split)["angle"] for split in SPLITS])
    assert together.min() < -1 and together.max() == pytest.approx(2, abs=1e-3)


def test_the_residual_has_the_derivatives_of_finite_differences():
    problem = load("pendulum")
    params, _ = jax.jit(problem.init)(jax.random.key(0))
    w = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def angle(time):
        share = time / pendulum.DURATION
        hidden = np.tanh(share[:, None] @ w["w0"] + w["b0"])
        hidden = np.tanh(hidden @ w["w1"] + w["b1"])
        return pendulum.FIRST_ANGLE + share**2 * (hidden @ w["w2"] + w["b2"])[:, 0]

    time, step = np.linspace(0.5, 4.5, 7), 1e-4
    speed = (angle(time + step) - angle(time - step)) / (2 * step)
    acceleration = (angle(time + step) - 2 * angle(time) + angle(time - step)) / step**2
    expected = acceleration + np.sin(angle(time)) + pendulum.DAMPING * speed
    received, residual = pendulum.motion(params, jnp.asarray(time, jnp.float32))
    np.testing.assert_allclose(received, angle(time), rtol=1e-5)
    np.testing.assert_allclose(residual, expected, atol=1e-4)


def test_the_motion_starts_right_whatever_the_network_is():
    params, _ = load("pendulum").init(jax.random.key(3))
    start = jnp.array([0.0, 1e-3])
    angle, _ = pendulum.motion(params, start)
    assert float(angle[0]) == pendulum.FIRST_ANGLE
    assert abs(float(angle[1] - angle[0])) < 1e-5
