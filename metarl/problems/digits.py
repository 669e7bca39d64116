"""Handwritten digits, real and bundled with scikit-learn: three networks on the same 1797 images.

All digit problems share one split, 800 / 332 / 332 / 333 images for train / search / choice / test, stratified by
class (see splits.py). An image has 8x8 pixels in 0 ... 1. The writers of the images are mixed over the splits.
"""

from __future__ import annotations

import functools

import numpy as np

from .catalogue import CARDS
from .networks import mlp
from .problem import Problem
from .supervised import classification


def digits_mlp() -> Problem:
    """Returns digits by a 64-64-10 ReLU network: the quickest real problem to search on."""
    return classification(CARDS["digits-mlp"], mlp(64, 64, 10), _images, standardise=False)


@functools.cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels [1797, 64] in 0 ... 1 and the digits [1797]."""
    from sklearn.datasets import load_digits  # heavy: loaded when data are first asked for

    pixels, digits = load_digits(return_X_y=True)
    return (pixels / 16.0).astype(np.float32), digits
