"""Weather in three numbers: a network learns where Lorenz's system goes in a fifth of a unit of time.

  x' = σ (y - x),  y' = x (ρ - z) - y,  z' = x y - β z,  σ = 10, ρ = 28, β = 8/3.

States are taken along one long path, in the order of which nothing is learnt; the target is by how much the state
changes. On the attractor nearby states part quickly, so the map has steep folds.

Letters: n states.

Reference: Lorenz (1963), Deterministic Nonperiodic Flow; Brunton, Proctor and Kutz (2016), Discovering Governing
Equations from Data, for learning it from its path.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import mlp
from .problem import Problem
from .supervised import regression

SIGMA, RHO, BETA = 10.0, 28.0, 8.0 / 3.0
AHEAD = 0.2  # units of time

_STATES = 4096
_STEP = 0.005  # of the integration
_SETTLED = 2000  # steps until the path is on the attractor


def lorenz() -> Problem:
    """Returns the regression of the next state by a 3-32-32-3 tanh network."""
    network = mlp(3, 32, 32, 3, activation=jnp.tanh)
    return regression(CARDS["lorenz"], network, _changes)


def path(steps: int) -> np.ndarray:
    """Returns a path [steps + 1, 3] by Runge and Kutta's method of order four."""

    def slope(state: np.ndarray) -> np.ndarray:
        x, y, z = state
        return np.array([SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z])

    states = [np.array([1.0, 1.0, 1.0])]
    for _ in range(steps):
        state = states[-1]
        first = slope(state)
        second = slope(state + _STEP / 2 * first)
        third = slope(state + _STEP / 2 * second)
        fourth = slope(state + _STEP * third)
        states.append(state + _STEP / 6 * (first + 2 * second + 2 * third + fourth))
    return np.stack(states)


@functools.cache
def _changes() -> tuple[np.ndarray, np.ndarray]:
    """Returns states [n, 3] and by how much they change, each [n, 3]."""
    apart, ahead = 4, round(AHEAD / _STEP)  # steps
    states = path(_SETTLED + apart * _STATES + ahead)[_SETTLED:]
    now = states[: apart * _STATES : apart]
    return now, states[ahead : ahead + apart * _STATES : apart] - now
