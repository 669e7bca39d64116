"""Digits read row by row: a plain recurrent network whose gradient comes back through eight steps.

  h <- relu(W h + U x + b),  x the next row of eight pixels;  the class is read from the last h.

W starts as the identity, so that at first nothing is forgotten and no gradient vanishes.

Letters: B images, T = 8 rows, H = 48 units, K classes.

Reference: Le, Jaitly and Hinton (2015), A Simple Way to Initialize Recurrent Networks of Rectified Linear Units.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .catalogue import CARDS
from .digits import images
from .networks import Network, affine, glorot, normal, stateless, widened
from .problem import Params, Problem
from .supervised import classification

_ROWS = _PIXELS = 8
_UNITS = 48
_CLASSES = 10


def digits_rows() -> Problem:
    """Returns digits by a recurrent network of 48 ReLU units over their rows."""
    return classification(CARDS["digits-rows"], reader(_UNITS), images, standardise=False)


def reader(units: int) -> Network:
    """Returns the network from images [B, 64] to [B, K].

    Args:
      units: H.
    """

    def init(key: jax.Array) -> Params:
        inward, head = jax.random.split(key)
        return {
            "inward": normal(inward, (_PIXELS, units), 0.1),
            "recurrent": jnp.eye(units, dtype=jnp.float32),
            "bias": jnp.zeros(units, jnp.float32),
            "head": normal(head, (units, _CLASSES), glorot(units, _CLASSES)),
            "head_bias": jnp.zeros(_CLASSES, jnp.float32),
        }

    def apply(params: Params, pixels: jax.Array) -> jax.Array:
        rows = pixels.reshape(-1, _ROWS, _PIXELS)
        inward = (rows.reshape(-1, _PIXELS) @ params["inward"]).reshape(len(rows), _ROWS, -1)
        hidden = jnp.zeros_like(inward[:, 0])  # [B, H]
        for row in range(_ROWS):
            own = affine(hidden, params["recurrent"], params["bias"])
            hidden = jax.nn.relu(own + inward[:, row])
        return affine(hidden, params["head"], params["head_bias"])

    return stateless(init, apply, lambda factor: reader(widened(units, factor)))
