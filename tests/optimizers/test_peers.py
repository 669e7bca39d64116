"""Rivals that optax lacks, step by step as an independent library of torch has them."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from metarl import optimizers

pytestmark = pytest.mark.extras

STEPS, RATE = 25, 0.01
SHAPES = {"matrix": (4, 4), "bias": (5,)}


def trees(first: float = 1.0) -> list[dict[str, np.ndarray]]:
    """Returns the gradients of all steps, the first one times a factor.

    Squares alone are matrices: of a longer one's first gradient a second moment has eigenvalues of zero, whose vectors
    are anybody's choice. Those here lie far apart.
    """
    rng = np.random.default_rng(0)
    found = []
    for step in range(STEPS):
        tree = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
        tree["matrix"] = np.diag([4.0, 2.0, 1.0, 0.5]) + 0.1 * tree["matrix"]
        size = 1.0 if step else first
        found.append({name: (size * leaf).astype(np.float32) for name, leaf in tree.items()})
    return found


def ours(optimizer: Any, gradients: Any) -> list[dict[str, np.ndarray]]:
    """Returns the parameters after every step."""
    update = jax.jit(optimizer.update)
    params = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    state, found = optimizer.init(params), []
    for tree in gradients:
        updates, state = update(tree, state, params)
        params = jax.tree.map(lambda w, u: np.asarray(w + u), params, updates)
        found.append(params)
    return found


def theirs(make: Any, gradients: Any) -> list[dict[str, np.ndarray]]:
    """Returns the same of an optimizer of torch."""
    torch = pytest.importorskip("torch")
    params = {name: torch.nn.Parameter(torch.ones(shape)) for name, shape in SHAPES.items()}
    optimizer, found = make(list(params.values())), []
    for tree in gradients:
        for name, leaf in params.items():
            leaf.grad = torch.from_numpy(tree[name].copy())
        optimizer.step()
        found.append({name: leaf.detach().numpy().copy() for name, leaf in params.items()})
    return found


@pytest.fixture
def library():
    return pytest.importorskip("pytorch_optimizer")


def agree(optimizer: Any, make: Any, gradients: Any = None, atol: float = 1e-5) -> None:
    gradients = gradients or trees()
    pairs = zip(ours(optimizer, gradients), theirs(make, gradients), strict=True)
    for mine, other in pairs:
        for name, leaf in mine.items():
            np.testing.assert_allclose(leaf, other[name], 1e-4, atol, err_msg=name)


def test_adan(library):
    agree(optimizers.adan(RATE), lambda params: library.Adan(params, lr=RATE))


def test_adan_decays_weights_decoupled(library):
    agree(
        optimizers.adan(RATE, weight_decay=0.5),
        lambda params: library.Adan(params, lr=RATE, weight_decay=0.5, weight_decouple=True),
    )


def test_mars(library):
    """The library's gradient before the first is zero, ours the first: so the first is zero here."""
    agree(
        optimizers.mars(RATE),
        lambda params: library.MARS(params, lr=RATE, optimize_1d=True, weight_decay=0.0),
        trees(0.0),
    )


def test_soap(library):
    agree(
        optimizers.soap(RATE, precondition_frequency=5),
        lambda params: library.SOAP(params, lr=RATE, precondition_frequency=5, weight_decay=0.0),
        atol=1e-4,
    )
