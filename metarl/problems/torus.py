"""A surface as a function: the signed distance of points in space to a torus, negative inside.

  d(p) = sqrt((sqrt(x² + y²) - R)² + z²) - r

A network of the three coordinates represents the shape: its zeros are the surface. It is judged by the squared error of
the distance at other points.

Letters: n points, R the radius of the ring, r that of the tube.

Reference: Park et al. (2019), DeepSDF: Learning Continuous Signed Distance Functions for Shape Representation. Differs
from it: the distance is known by a formula, and errors are squared.
"""

from __future__ import annotations

import numpy as np

from .catalogue import CARDS
from .networks import mlp
from .problem import Problem
from .supervised import regression

RING, TUBE = 0.6, 0.25  # R, r

_POINTS = 8192


def torus() -> Problem:
    """Returns the regression of a distance by a 3-32-32-32-1 ReLU network."""
    return regression(CARDS["torus"], mlp(3, 32, 32, 32, 1), _distances)


def _distances() -> tuple[np.ndarray, np.ndarray]:
    """Returns points [n, 3] of the cube -1 ... 1 and their distances [n]."""
    points = np.random.RandomState(0).uniform(-1, 1, size=(_POINTS, 3))
    around = np.hypot(points[:, 0], points[:, 1]) - RING
    return points, np.hypot(around, points[:, 2]) - TUBE
