"""Rivals that optax lacks, step by step as an independent library of torch has them."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from metarl import optimizers

pytestmark = pytest.mark.extras

STEPS, RATE = 25, 0.01
SHAPES = {"matrix": (4, 6), "square": (3, 3), "bias": (5,)}


def trees() -> list[dict[str, np.ndarray]]:
    """Returns the gradients of all steps; sides of matrices have second moments far apart, so that their bases are one."""
    rng = np.random.default_rng(0)
    left = {"matrix": np.geomspace(4, 0.2, 4), "square": np.geomspace(3, 0.3, 3)}
    found = []
    for _ in range(STEPS):
        tree = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
        for name, sizes in left.items():
            right = np.geomspace(1, 0.1, SHAPES[name][1])
            tree[name] = sizes[:, None] * tree[name] * right
        found.append({name: leaf.astype(np.float32) for name, leaf in tree.items()})
    return found


def ours(optimizer: Any) -> list[dict[str, np.ndarray]]:
    """Returns the parameters after every step."""
    update = jax.jit(optimizer.update)
    params = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    state, found = optimizer.init(params), []
    for gradients in trees():
        updates, state = update(gradients, state, params)
        params = jax.tree.map(lambda w, u: np.asarray(w + u), params, updates)
        found.append(params)
    return found


def theirs(make: Any) -> list[dict[str, np.ndarray]]:
    """Returns the same of an optimizer of torch."""
    torch = pytest.importorskip("torch")
    params = {name: torch.nn.Parameter(torch.ones(shape)) for name, shape in SHAPES.items()}
    optimizer, found = make(list(params.values())), []
    for gradients in trees():
        for name, leaf in params.items():
            leaf.grad = torch.from_numpy(gradients[name].copy())
        optimizer.step()
        found.append({name: leaf.detach().numpy().copy() for name, leaf in params.items()})
    return found


@pytest.fixture
def library():
    return pytest.importorskip("pytorch_optimizer")


def agree(optimizer: Any, make: Any, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    for mine, other in zip(ours(optimizer), theirs(make), strict=True):
        for name, leaf in mine.items():
            np.testing.assert_allclose(leaf, other[name], rtol, atol, err_msg=name)


def test_adan(library):
    agree(optimizers.adan(RATE), lambda params: library.Adan(params, lr=RATE))


def test_adan_decays_weights_decoupled(library):
    agree(
        optimizers.adan(RATE, weight_decay=0.5),
        lambda params: library.Adan(params, lr=RATE, weight_decay=0.5, weight_decouple=True),
    )


def test_mars(library):
    agree(
        optimizers.mars(RATE),
        lambda params: library.MARS(params, lr=RATE, optimize_1d=True, weight_decay=0.0),
    )


def test_soap(library):
    agree(
        optimizers.soap(RATE, precondition_frequency=5),
        lambda params: library.SOAP(params, lr=RATE, precondition_frequency=5, weight_decay=0.0),
        rtol=1e-3,
        atol=1e-3,
    )


def test_cautious_adamw(library):
    agree(
        optimizers.cautious_adamw(RATE, weight_decay=0.1),
        lambda params: library.AdamW(
            params, lr=RATE, weight_decay=0.1, weight_decouple=True, cautious=True
        ),
    )
