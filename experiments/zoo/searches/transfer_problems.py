"""Search problems beside those that come with metarl, for a judge that is made for transfer.

    transformer   the lowest rung of the ladder of transformers: width 16, Python's documentation
    residual      the lowest rung of that of residual networks, 8 channels, digits
    waves         a smooth function of eight inputs without noise, by a ReLU network: losses that go on falling
    bowl          `quadratic`, which is the same at every width
    products      targets as products of ten numbers each: curved valleys, gradients without noise

    metarl search --problem transfer_problems:waves ...   # from this folder, or with it on PYTHONPATH

No held-out problem is among them: the ladder's networks are narrower than those of `metarl list problems`, the waves
are drawn here.

Letters: n examples, D inputs, M waves, R products, K factors of each.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from metarl.problems import (
    Card,
    Problem,
    mlp,
    quadratic,
    regression,
    wide_residual,
    wide_transformer,
)

_EXAMPLES, _INPUTS, _WAVES = 2048, 8, 6  # n, D, M
_PRODUCTS, _FACTORS = 8, 10  # R, K


def transformer() -> Problem:
    """Returns the next character by two blocks of width 16, in a hundred steps."""
    return dataclasses.replace(wide_transformer(16), role="search", steps=100)


def residual() -> Problem:
    """Returns digits by two residual blocks of 8 and 16 channels, in a hundred steps."""
    return dataclasses.replace(wide_residual(8), role="search", steps=100)


def waves() -> Problem:
    """Returns a sum of six sines of random directions from eight normal inputs, in three hundred steps."""
    card = Card(
        name="waves",
        family="waves",
        steps=300,
        batch_size=64,
        chance=0.0,
        description="A sum of six sines without noise by two layers of 32 ReLU units.",
        source="a formula",
        data="synthetic",
        leaf_roles={"w0": "matrix", "w1": "matrix", "w2": "output", "b*": "vector"},
    )
    return regression(card, mlp(_INPUTS, 32, 32, 1, activation=jax.nn.relu), _sines)


def _sines() -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs [n, D] and the sum of the waves there [n]."""
    stream = np.random.RandomState(0)
    inputs = stream.normal(size=(_EXAMPLES, _INPUTS))
    directions = stream.normal(size=(_INPUTS, _WAVES)) / _INPUTS**0.5
    shifts = stream.uniform(0, 2 * np.pi, size=_WAVES)
    return inputs, np.sin(1.5 * inputs @ directions + shifts).sum(axis=1)


def bowl() -> Problem:
    """Returns the noisy quadratic of `metarl list problems`, for judges that vary widths: it has none to vary."""
    return dataclasses.replace(quadratic(), name="bowl", at_width=lambda _: bowl())


def products(count: int = _PRODUCTS) -> Problem:
    """Returns R numbers between 1/4 and 4, each as the product of ten, in a hundred steps.

    Args:
      count: R, which a width multiplies.
    """
    targets = np.geomspace(0.25, 4, count)

    def init(key: jax.Array):
        starts = 0.8 + 0.15 * jax.random.normal(key, (count * _FACTORS,), jnp.float32)
        return {"factors": starts}, ()

    def distance(params):
        product = params["factors"].reshape(count, _FACTORS).prod(axis=1)
        return jnp.mean((product - jnp.asarray(targets, jnp.float32)) ** 2)

    card = Card(
        name="products",
        family="landscape",
        steps=100,
        batch_size=1,
        description="Products of ten numbers each that are to equal targets.",
        source="a formula",
        data="synthetic",
        leaf_roles={"factors": "vector"},
    )
    return Problem.from_card(
        card,
        init=init,
        loss=lambda params, state, batch, key: (distance(params), state),
        evaluate=lambda params, state, batch: {"loss": distance(params)},
        examples=lambda _: {"none": np.zeros((1, 1), np.float32)},
        at_width=lambda factor: products(max(1, round(count * factor))),
    )
