"""A signal from how strongly it answers, its signs lost: quartic, not convex, and yet without false minima.

The signal x of length one is measured as y = (a · x)² along random directions a; the point w that is sought makes
(a · w)² equal to y. Both x and -x do; between them the loss has a saddle, and it is flat near the origin.

Letters: D = 32 dimensions, n measurements.

Reference: Candès, Li and Soltanolkotabi (2015), Phase Retrieval via Wirtinger Flow. Differs from it: real numbers, a
random start, batches.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import Network, normal, stateless
from .problem import Params, Problem
from .supervised import regression

_DIMENSIONS = 32  # D
_MEASUREMENTS = 4096


def phase_retrieval() -> Problem:
    """Returns the problem of finding a signal up to its sign."""
    return regression(CARDS["phase-retrieval"], _network(), _measured, standardise=False)


def _network() -> Network:
    def init(key: jax.Array) -> Params:
        return {"signal": normal(key, (_DIMENSIONS,), 1 / _DIMENSIONS**0.5)}

    return stateless(init, lambda params, rows: jnp.square(rows @ params["signal"])[:, None])


def signal() -> np.ndarray:
    """Returns x, [D]."""
    drawn = np.random.RandomState(0).normal(size=_DIMENSIONS)
    return drawn / np.linalg.norm(drawn)


def _measured() -> tuple[np.ndarray, np.ndarray]:
    """Returns directions [n, D] and measurements [n]."""
    directions = np.random.RandomState(1).normal(size=(_MEASUREMENTS, _DIMENSIONS))
    return directions, np.square(directions @ signal())
