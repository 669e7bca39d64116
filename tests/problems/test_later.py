"""Problems that joined later: formulas against naive loops, data against what they are made of."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.problems import (
    burgers,
    deep_linear,
    load,
    lorenz,
    patches,
    phase_retrieval,
    recall,
    spirals,
    torus,
)
from metarl.problems.chapters import known_words, passages
from metarl.problems.language import text
from metarl.problems.neighbours import contrast
from metarl.problems.rms_transformer import block_start, rms_norm, through_block
from metarl.problems.rows import reader
from metarl.problems.transformer import attention


@pytest.fixture
def random():
    return np.random.default_rng(0)


def doubled(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def start(name):
    return jax.jit(load(name).init)(jax.random.key(0))[0]


def test_the_wave_of_burgers_begins_and_ends_right_and_obeys_its_equation():
    place = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(
        burgers.solution(np.full(9, 1e-9), place), -np.sin(np.pi * place), atol=1e-6
    )
    time, place, step = np.full(7, 0.4), np.linspace(-0.9, 0.9, 7), 1e-3
    u = burgers.solution(time, place)
    right, left = (burgers.solution(time, place + d) for d in (step, -step))
    in_time = (burgers.solution(time + step, place) - burgers.solution(time - step, place)) / 2e-3
    residual = in_time + u * (right - left) / 2e-3
    residual -= burgers.VISCOSITY * (right - 2 * u + left) / step**2
    np.testing.assert_allclose(residual, 0, atol=1e-4)
    np.testing.assert_allclose(burgers.solution(time, np.ones(7)), 0, atol=1e-9)


def test_the_residual_of_burgers_has_the_derivatives_of_finite_differences():
    params = start("burgers")
    w = doubled(params)

    def height(time, place):
        hidden = np.tanh(np.stack([time, place], axis=1) @ w["w0"] + w["b0"])
        hidden = np.tanh(hidden @ w["w1"] + w["b1"])
        return -np.sin(np.pi * place) + time * (1 - place**2) * (hidden @ w["w2"] + w["b2"])[:, 0]

    time, place, step = np.linspace(0.1, 0.9, 5), np.linspace(-0.8, 0.7, 5), 1e-4
    u, right, left = (height(time, place + d) for d in (0, step, -step))
    expected = (height(time + step, place) - height(time - step, place)) / (2 * step)
    expected += u * (right - left) / (2 * step)
    expected -= burgers.VISCOSITY * (right - 2 * u + left) / step**2
    received, residual = jax.jit(burgers.wave)(params, *jnp.array([time, place], jnp.float32))
    np.testing.assert_allclose(received, u, atol=1e-5)
    np.testing.assert_allclose(residual, expected, atol=1e-4)


def test_a_deep_linear_network_is_a_product_that_can_be_its_teacher(random):
    problem = load("deep-linear")
    np.testing.assert_allclose(
        np.linalg.svd(deep_linear.teacher())[1], np.geomspace(1, 0.01, 32), rtol=1e-6
    )
    assert sorted(start("deep-linear")) == [f"w{layer}" for layer in range(4)]
    factors = [np.linalg.qr(random.normal(size=(32, 32)))[0] for _ in range(3)]
    last = np.linalg.inv(np.linalg.multi_dot(factors)) @ deep_linear.teacher()
    params = {f"w{i}": jnp.array(w, jnp.float32) for i, w in enumerate([*factors, last])}
    assert float(problem.evaluate(params, (), problem.examples("test"))["r2"]) > 0.999


def test_a_student_can_be_the_committee_that_teaches_it():
    problem = load("committee")
    batch = problem.examples("test")
    stream = np.random.RandomState(0)
    teacher = np.linalg.qr(stream.normal(size=(32, 32)))[0][:, :4]
    params = {
        "w0": np.concatenate([teacher, np.zeros((32, 4))], axis=1).astype(np.float32),
        "b0": np.zeros(8, np.float32),
        "w1": np.array([[1.0]] * 4 + [[0.0]] * 4, np.float32),
        "b1": np.zeros(1, np.float32),
    }
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, start("committee"))
    assert float(problem.evaluate(params, (), batch)["loss"]) < 1e-10


def test_the_spirals_lie_half_a_turn_apart():
    points, spiral = spirals._points()
    radius = np.hypot(*points.T)
    turn = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) - spirals.TURNS * radius
    off = (turn - spiral / 2 + 0.5) % 1 - 0.5  # of a turn: noise across the line, and along it
    outer = radius > 0.4
    assert (
        np.abs(off[outer]).max() < 0.2
        and np.abs(off[outer]).mean() < 0.05
        and np.bincount(spiral).tolist() == [2000, 2000]
    )


def test_the_path_of_lorenz_obeys_its_equations():
    states, step = lorenz.path(400)[300:], 0.005
    x, y, z = states[1:-1].T
    slopes = (states[2:] - states[:-2]) / (2 * step)
    expected = np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=1)
    np.testing.assert_allclose(slopes, expected, atol=0.02 * np.abs(expected).max())
    now, change = lorenz._changes()
    np.testing.assert_allclose(now[10:100] + change[10:100], now[20:110])  # 40 steps of 0.005 later


def test_distances_to_the_torus_are_those_to_its_nearest_point():
    points, distances = torus._distances()
    turn, tube = np.meshgrid(*[np.linspace(0, 2 * np.pi, 181)] * 2)
    out = torus.RING + torus.TUBE * np.cos(tube)
    surface = np.stack([out * np.cos(turn), out * np.sin(turn), torus.TUBE * np.sin(tube)], -1)
    for point, distance in zip(points[:20], distances[:20], strict=True):
        nearest = np.linalg.norm(surface - point, axis=-1).min()
        assert abs(distance) == pytest.approx(nearest, abs=0.01)
        inside = np.hypot(np.hypot(*point[:2]) - torus.RING, point[2]) < torus.TUBE
        assert (distance < 0) == inside


def test_a_signal_and_its_mirror_image_are_measured_alike():
    problem = load("phase-retrieval")
    for sign in (1, -1):
        params = {"signal": (sign * phase_retrieval.signal()).astype(np.float32)}
        scores = problem.evaluate(params, (), problem.examples("test"))
        assert float(scores["loss"]) < 1e-10 and float(scores["r2"]) == pytest.approx(1)


def test_patches_are_squares_of_two_by_two_pixels():
    pixels = np.arange(128.0).reshape(2, 64)
    received = patches.patches(jnp.array(pixels))
    for image in range(2):
        whole = pixels[image].reshape(8, 8)
        expected = [
            whole[y : y + 2, x : x + 2].ravel() for y in range(0, 8, 2) for x in range(0, 8, 2)
        ]
        np.testing.assert_array_equal(received[image], expected)


def test_attention_to_all_places_equals_a_loop(random):
    rows = random.normal(size=(1, 4, 6)).astype(np.float32)
    look, out = random.normal(size=(6, 18)), random.normal(size=(6, 6))
    read_all = jax.jit(attention, static_argnums=(3, 4))
    received = read_all(*(jnp.array(x, jnp.float32) for x in (rows, look, out)), 1, False)
    queries, keys, values = np.split(rows[0] @ look, 3, axis=1)
    read = []
    for query in queries:
        weights = np.exp(keys @ query / 6**0.5)
        read.append(weights @ values / weights.sum())
    np.testing.assert_allclose(received[0], np.array(read) @ out, atol=1e-4)


def test_rms_norm_and_gated_units_equal_a_loop_over_rows(random):
    rows = random.normal(2.0, 3.0, size=(1, 3, 4)).astype(np.float32)
    block = jax.jit(block_start, static_argnums=(1, 2))(jax.random.key(0), 4, 6)
    block["out"] = jnp.zeros((4, 4))  # no attention
    block["norm1"] = jnp.array(random.normal(size=4), jnp.float32)
    w = doubled(block)
    received = jax.jit(through_block, static_argnums=2)(block, jnp.array(rows), 2)
    norm = jax.jit(rms_norm)
    for place, row in enumerate(rows[0].astype(np.float64)):
        normal = w["norm1"] * row / np.sqrt(np.mean(row**2) + 1e-6)
        np.testing.assert_allclose(
            norm(jnp.array(rows), block["norm1"])[0, place], normal, atol=1e-5
        )
        gate = normal @ w["gate"]
        inner = gate / (1 + np.exp(-gate)) * (normal @ w["up"])
        np.testing.assert_allclose(received[0, place], row + inner @ w["down"], atol=1e-4)


def test_what_is_recalled_is_the_value_beside_the_key_that_is_asked_for():
    windows, values = recall._windows()
    for window, value in zip(windows[:200].tolist(), values[:200].tolist(), strict=True):
        *pairs, (asked, nothing) = window
        assert nothing == 12 and len({key for key, _ in pairs}) == 5
        assert dict(map(tuple, pairs))[asked] == value


def test_a_reader_of_rows_equals_its_loop(random):
    network = reader(5)
    params, _ = jax.jit(network.init)(jax.random.key(0))
    np.testing.assert_array_equal(params["recurrent"], np.eye(5))
    params["recurrent"] = jnp.array(random.normal(size=(5, 5)), jnp.float32)
    images = random.uniform(size=(2, 64)).astype(np.float32)
    received, _ = jax.jit(network.apply, static_argnums=3)(params, (), jnp.array(images), True)
    w = doubled(params)
    for image, logits in zip(images.reshape(2, 8, 8), received, strict=True):
        hidden = np.zeros(5)
        for row in image:
            hidden = np.maximum(row @ w["inward"] + hidden @ w["recurrent"] + w["bias"], 0)
        np.testing.assert_allclose(
            logits, hidden @ w["head"] + w["head_bias"], rtol=1e-3, atol=1e-3
        )


def test_contrast_equals_a_loop_over_pairs_and_leaves_the_lonely_out(random):
    labels = [0, 1, 0, 2, 1, 0]  # 2 has nobody
    points = random.normal(size=(6, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    terms = []
    for i in range(6):
        shares = {a: np.exp(points[i] @ points[a] / 0.1) for a in range(6) if a != i}
        own = [a for a in shares if labels[a] == labels[i]]
        if own:
            terms.append(-np.log(sum(shares[a] for a in own) / sum(shares.values())))
    received = contrast(jnp.array(points @ points.T, jnp.float32), jnp.array(labels))
    assert len(terms) == 5 and float(received) == pytest.approx(np.mean(terms), rel=1e-4)


def test_nearest_neighbours_are_others():
    problem = load("digits-neighbours")
    params = start("digits-neighbours")
    evaluate = jax.jit(problem.evaluate)
    batch = jax.tree.map(lambda leaf: leaf[:1], problem.examples("test"))
    twice = jax.tree.map(lambda leaf: np.repeat(leaf, 2, axis=0), batch)
    other = dict(twice, labels=np.array([1, 2], np.int32))
    assert float(evaluate(params, (), twice)["neighbour accuracy"]) == 1
    assert float(evaluate(params, (), other)["neighbour accuracy"]) == 0


def test_features_of_passages_are_their_words_and_parts_are_in_order():
    features, part = passages()
    words = re.findall(r"[a-z_]+", text().lower())
    places = known_words(words)
    for number in (0, 5, 100):  # so far none repeats another
        own = set(words[24 * number : 24 * number + 24])
        assert {place for word, place in places.items() if word in own} == set(
            np.flatnonzero(features[number])
        )
    assert part[0] == 0 and part[-1] == 15 and (np.diff(part) >= 0).all()
