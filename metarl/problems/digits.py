"""Handwritten digits, real and bundled with scikit-learn: three networks on the same 1797 images.

All digit problems share one split, 800 / 332 / 333 / 332 images for train / search / choice / test,
stratified by class (see splits.py). An image has 8x8 pixels in 0 ... 1. The writers of the images
are mixed over the splits.
"""

from __future__ import annotations

import functools

import numpy as np

from .catalogue import CARDS
from .networks import conv_net, in_series, mlp
from .problem import Problem
from .supervised import classification, regression


def digits_mlp() -> Problem:
    """Returns digits by a 64-64-10 ReLU network: the quickest real problem to search on."""
    return classification(CARDS["digits-mlp"], mlp(64, 64, 10), _images, standardise=False)


def digits_conv() -> Problem:
    """Returns digits by the paper's child network: convolutions, batch norm, a model state."""
    return classification(CARDS["digits-conv"], conv_net(), _images, standardise=False)


def digits_autoencoder() -> Problem:
    """Returns digits through 8 linear units: a deep network whose loss is slow to fall.

    Reference:
      Hinton and Salakhutdinov (2006), Reducing the Dimensionality of Data with Neural Networks.
    """
    return regression(
        CARDS["digits-autoencoder"],
        in_series(mlp(64, 32, 8), mlp(8, 32, 64)),
        lambda: (_images()[0], _images()[0]),
        standardise=False,
        strata=lambda: _images()[1],
    )


@functools.cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels [1797, 64] in 0 ... 1 and the digits [1797]."""
    from sklearn.datasets import load_digits  # heavy: loaded when data are first asked for

    pixels, digits = load_digits(return_X_y=True)
    return (pixels / 16.0).astype(np.float32), digits
