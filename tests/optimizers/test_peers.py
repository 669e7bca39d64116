"""Rivals that optax lacks, step by step as an independent library of torch has them."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import numpy as np
import optax
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


def moves(params: Any, decay: float = 0.0) -> list[dict[str, np.ndarray]]:
    """Returns what every step adds to the parameters but for their decay."""
    first = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    return [
        {name: leaf - (1.0 - decay * RATE) * before[name] for name, leaf in after.items()}
        for before, after in itertools.pairwise([first, *params])
    ]


def agree_in_direction(optimizer: Any, make: Any, decay: float = 0.0) -> None:
    """Compares cautious steps, each leaf's for itself.

    Their size differs: the library divides by the share of the entries kept and one more, the authors' later code, as
    ours, by that of those kept.
    """
    gradients = trees()
    found = (moves(x, decay) for x in (ours(optimizer, gradients), theirs(make, gradients)))
    left_out = 0
    for mine, other in zip(*found, strict=True):
        for name, leaf in mine.items():
            sizes = [np.linalg.norm(x) for x in (leaf, other[name])]
            assert min(sizes) > 1e-4 and 1.0 < sizes[0] / sizes[1] < 2.001
            one, two = leaf / sizes[0], other[name] / sizes[1]
            np.testing.assert_allclose(one, two, atol=1e-4, err_msg=name)
            left_out += np.sum(np.abs(one) < 1e-4)
    assert left_out > 20


def test_cautious_adamw_decays_weights_outside_of_the_mask(library):
    """The library's AdEMAMix without its slow average is AdamW."""
    agree_in_direction(
        optimizers.cautious_adamw(RATE, weight_decay=0.5),
        lambda params: library.AdEMAMix(
            params, RATE, alpha=0.0, weight_decay=0.5, weight_decouple=True, cautious=True
        ),
        decay=0.5,
    )


def test_cautious_lion(library):
    agree_in_direction(
        optimizers.cautious(optax.lion(RATE, weight_decay=0.0)),
        lambda params: library.Lion(params, lr=RATE, weight_decay=0.0, cautious=True),
    )
