"""A student learns what a smaller network teaches: plateaus on which its units do not yet know whom to follow.

The teacher is the sum of four units erf(u_m · x / √2) with orthonormal u_m; the student has eight units of the same
kind, output weights and biases, and sees normal inputs x and the teacher's answers without noise. While its units are
alike it stays on a plateau; it leaves it when each takes to one of the teacher's.

Letters: D = 32 inputs, M = 4 units of the teacher.

Reference: Saad and Solla (1995), On-Line Learning in Soft Committee Machines. Differs from it: the student has more
units than the teacher, and learns its output weights.
"""

from __future__ import annotations

import jax
import numpy as np
from scipy import special

from .catalogue import CARDS
from .networks import mlp
from .problem import Problem
from .supervised import regression

_INPUTS, _TEACHERS, _STUDENTS = 32, 4, 8  # D, M
_EXAMPLES = 4096


def committee() -> Problem:
    """Returns the problem of learning from a committee of four units."""
    network = mlp(_INPUTS, _STUDENTS, 1, activation=lambda x: jax.lax.erf(x / 2**0.5))
    return regression(CARDS["committee"], network, _taught, standardise=False)


def _taught() -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs [n, D] and the teacher's answers [n]."""
    stream = np.random.RandomState(0)
    units = np.linalg.qr(stream.normal(size=(_INPUTS, _INPUTS)))[0][:, :_TEACHERS]
    inputs = stream.normal(size=(_EXAMPLES, _INPUTS))
    return inputs, special.erf(inputs @ units / 2**0.5).sum(axis=1)
