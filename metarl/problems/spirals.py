"""Two spirals that wind around each other: a classic that a small network finds hard.

A point of one spiral lies at angle φ in 0 ... 2.5 turns and radius φ / 2.5 turns, one of the other half a turn
further. Each point is moved by a little noise, so that none occurs twice.

Letters: n examples.

Reference: Lang and Witbrock (1988), Learning to Tell Two Spirals Apart. Differs from it: 4,000 points in place of 194,
no connections past a layer.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import mlp
from .problem import Problem
from .supervised import classification

_EXAMPLES = 4000
TURNS = 2.5
_NOISE = 0.02  # deviation; the spirals are 1 / (2 turns) apart


def spirals() -> Problem:
    """Returns the classification of points by a 2-32-32-32-2 tanh network."""
    network = mlp(2, 32, 32, 32, 2, activation=jnp.tanh)
    return classification(CARDS["spirals"], network, _points, standardise=False)


def _points() -> tuple[np.ndarray, np.ndarray]:
    """Returns points [n, 2] within the unit circle, nearly, and their spirals [n]."""
    stream = np.random.RandomState(0)
    spiral = np.arange(_EXAMPLES) % 2
    radius = np.sqrt(stream.uniform(0.01, 1, size=_EXAMPLES))  # evenly along the line
    angle = 2 * np.pi * TURNS * radius + np.pi * spiral
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + stream.normal(scale=_NOISE, size=points.shape), spiral
