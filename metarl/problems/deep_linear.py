"""A deep linear network: plateaus, then sudden falls, although what it computes is a matrix.

The network W₄ W₃ W₂ W₁ x has no biases and no activations; it is taught the matrix Σ_i s_i u_i v_i' of singular
values s from 1 down to 0.01. Small weights make the origin a saddle: a mode is learnt after a time that goes with
1 / s_i, one after the other, and all can be learnt exactly.

Letters: B examples, D = 32 units.

Reference: Saxe, McClelland and Ganguli (2014), Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear
Neural Networks.
"""

from __future__ import annotations

import jax
import numpy as np

from .catalogue import CARDS
from .networks import Network, normal, stateless
from .problem import Params, Problem
from .supervised import regression

_UNITS = 32  # D
_LAYERS = 4
_EXAMPLES = 2048
_GAIN = 0.8  # of a layer; 1 keeps the size of its inputs


def deep_linear() -> Problem:
    """Returns the problem of learning a matrix by four."""
    return regression(CARDS["deep-linear"], product(_UNITS, _LAYERS), _taught, standardise=False)


def product(units: int, layers: int) -> Network:
    """Returns the network from x [B, D] to x W₁ W₂ ... [B, D].

    Args:
      units: D.
      layers: how many matrices.
    """

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, layers)
        deviation = _GAIN / units**0.5
        return {f"w{i}": normal(one, (units, units), deviation) for i, one in enumerate(keys)}

    def apply(params: Params, rows: jax.Array) -> jax.Array:
        for layer in range(layers):
            rows = rows @ params[f"w{layer}"]
        return rows

    return stateless(init, apply)


def teacher() -> np.ndarray:
    """Returns the matrix that is to be learnt, [D, D]."""
    stream = np.random.RandomState(0)
    left, right = (np.linalg.qr(stream.normal(size=(_UNITS, _UNITS)))[0] for _ in range(2))
    return (left * np.geomspace(1.0, 0.01, _UNITS)) @ right.T


def _taught() -> tuple[np.ndarray, np.ndarray]:
    """Returns normal inputs and what the teacher makes of them, each [n, D]."""
    inputs = np.random.RandomState(1).normal(size=(_EXAMPLES, _UNITS))
    return inputs, inputs @ teacher()
