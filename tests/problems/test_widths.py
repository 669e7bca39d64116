"""Problems at other widths: which have them, what becomes wider, and what stays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.errors import InvalidInput
from metarl.problems import at_width, linear, load, mlp, require_widths, suite
from metarl.problems.networks import in_series, widened

WIDENED = {
    "digits-mlp",
    "digits-conv",
    "china-denoising",
    "python-docs-ngram",
    "digits-deep-mlp",
    "digits-wide-mlp",
    "digits-residual",
    "digits-autoencoder",
    "digits-vae",
    "wine-mlp",
    "diabetes-regression",
    "python-docs-gru",
    "python-docs-transformer",
    "flower-coordinates",
    "digits-rows",
    "spirals",
    "committee",
    "lorenz",
    "torus",
}


def shapes_of(problem):
    start = jax.eval_shape(problem.init, jax.random.key(0))[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(start)
    }


def test_those_with_hidden_layers_of_a_few_kinds_have_widths():
    assert {name for name in suite() if load(name).at_width is not None} == WIDENED


@pytest.mark.parametrize("name", sorted(WIDENED))
def test_at_other_widths_a_problem_takes_and_gives_the_same(name):
    problem = load(name)
    assert at_width(problem, 1.0) is problem
    assert problem.at_width is not None
    same = problem.at_width(1.0)
    assert shapes_of(same) == shapes_of(problem) and same.name == name
    rows = jax.tree.map(lambda leaf: leaf[:4], problem.examples("train"))
    sizes = []
    for factor in (0.5, 1.0, 3.0):
        wide = at_width(problem, factor)
        assert at_width(problem, factor) is wide  # and so compiled once
        start = jax.eval_shape(wide.init, jax.random.key(0))
        loss, state = jax.eval_shape(wide.loss, *start, rows, jax.random.key(1))
        assert loss.shape == () and jax.tree.map(lambda x: x.shape, state) == jax.tree.map(
            lambda x: x.shape, start[1]
        )
        found = jax.eval_shape(wide.evaluate, *start, rows)
        assert set(found) == {"loss", *([problem.metric] if problem.metric else [])}
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(start[0])))
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("name", ["digits-mlp", "python-docs-ngram", "python-docs-transformer"])
def test_a_problem_at_a_width_of_one_is_the_problem_to_the_last_bit(name):
    problem = load(name)
    assert problem.at_width is not None
    same = problem.at_width(1.0)
    start, other = (jax.jit(p.init)(jax.random.key(3)) for p in (problem, same))
    jax.tree.map(np.testing.assert_array_equal, start, other)
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[:4]), problem.examples("train"))
    one, two = (jax.jit(p.loss)(*start, rows, jax.random.key(1))[0] for p in (problem, same))
    assert one == two and np.isfinite(one)


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [
        ("digits-mlp", 0.5, {"w0": (64, 32), "b0": (32,), "w1": (32, 10), "b1": (10,)}),
        ("digits-conv", 2.0, {"conv0": (3, 3, 1, 32), "head": (128, 10)}),
        # what lies between two networks keeps its size: the code, the table of letters
        (
            "digits-autoencoder",
            2.0,
            {"first/w0": (64, 64), "first/w1": (64, 8), "second/w0": (8, 64)},
        ),
        ("python-docs-ngram", 0.25, {"first/table": (96, 12), "second/w0": (96, 16)}),
        (
            "digits-residual",
            0.5,
            {"stem": (3, 3, 1, 8), "blocks/1/past": (8, 16), "head": (16, 10)},
        ),
        ("python-docs-transformer", 0.5, {"letters": (96, 16), "blocks/0/up": (16, 32)}),
        ("python-docs-gru", 2.0, {"recurrent": (64, 192), "head": (64, 96)}),
        (
            "digits-vae",
            0.5,
            {"encoder/w0": (64, 32), "encoder/w1": (32, 16), "decoder/w0": (8, 32)},
        ),
        ("wine-mlp", 1 / 32, {"w0": (13, 1), "w1": (1, 3)}),  # half a unit is one
    ],
)
def test_hidden_layers_alone_are_widened(name, factor, expected):
    found = shapes_of(at_width(load(name), factor))
    assert {path: found[path] for path in expected} == expected


def test_networks_without_hidden_layers_have_no_widths():
    assert linear(3, 2).at_width is None and mlp(3, 2).at_width is None
    assert in_series(linear(3, 4), mlp(4, 2)).at_width is None
    assert [widened(16, factor) for factor in (0.01, 0.5, 1.0, 1.51)] == [1, 8, 16, 24]


def test_problems_without_widths_are_refused_by_name():
    quadratic, beale = load("quadratic"), load("beale")
    with pytest.raises(InvalidInput, match=r"'quadratic' has none that can be widened\. Leave it"):
        at_width(quadratic, 2.0)
    with pytest.raises(InvalidInput, match=r"'quadratic', 'beale' have none .* Leave them out"):
        require_widths([quadratic, load("digits-mlp"), beale])
