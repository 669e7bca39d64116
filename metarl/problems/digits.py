"""Handwritten digits, real and bundled with scikit-learn: seven networks on the same 1797 images.

All digit problems share one split, 800 / 332 / 333 / 332 images for train / search / choice / test,
stratified by class (see splits.py). An image has 8x8 pixels in 0 ... 1. The writers of the images
are mixed over the splits.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import numpy as np

from metarl.errors import require

from . import variational
from .catalogue import CARDS
from .convolutions import conv_net
from .networks import in_series, mlp, widened
from .problem import Examples, ModelState, Params, Problem, Split
from .residual import Block, residual_net
from .splits import cut, stratified_indices
from .supervised import classification, regression


def digits_mlp() -> Problem:
    """Returns digits by a 64-64-10 ReLU network: the quickest real problem to search on."""
    return classification(CARDS["digits-mlp"], mlp(64, 64, 10), images, standardise=False)


def digits_deep_mlp() -> Problem:
    """Returns digits by eight layers of 32 ReLU units: gradients come a long way."""
    network = mlp(64, *[32] * 8, 10)
    return classification(CARDS["digits-deep-mlp"], network, images, standardise=False)


def digits_wide_mlp() -> Problem:
    """Returns digits by one layer of 512 ReLU units: forty parameters for every example."""
    network = mlp(64, 512, 10)
    return classification(CARDS["digits-wide-mlp"], network, images, standardise=False)


def digits_conv() -> Problem:
    """Returns digits by the paper's child network: convolutions, batch norm, a model state."""
    return classification(CARDS["digits-conv"], conv_net(), images, standardise=False)


def digits_residual() -> Problem:
    """Returns digits by a residual network: 16 channels on 4x4 places, then 32 on 2x2."""
    network = residual_net([Block(16, 16, True), Block(16, 32, True)])
    return classification(CARDS["digits-residual"], network, images, standardise=False)


def wide_residual(width: int) -> Problem:
    """Returns digits by a residual network of `width` channels on 4x4 places, then twice as many on 2x2.

    Args:
      width: C, at least 1; 16 is `digits_residual` by another name.

    Raises:
      InvalidInput: the width is none.
    """
    require(width >= 1, f"A residual network has at least 1 channel; received {width}.")
    card = dataclasses.replace(
        CARDS["digits-residual"],
        name=f"digits-residual-{width}",
        description=f"Digits by two residual blocks of {width} and {2 * width} channels with batch norm.",
    )
    network = residual_net([Block(width, width, True), Block(width, 2 * width, True)])
    return classification(card, network, images, standardise=False)


def digits_autoencoder() -> Problem:
    """Returns digits through 8 linear units: a deep network whose loss is slow to fall.

    Reference:
      Hinton and Salakhutdinov (2006), Reducing the Dimensionality of Data with Neural Networks.
    """
    return regression(
        CARDS["digits-autoencoder"],
        in_series(mlp(64, 32, 8), mlp(8, 32, 64)),
        lambda: (images()[0], images()[0]),
        standardise=False,
        strata=lambda: images()[1],
    )


def digits_vae() -> Problem:
    """Returns digits by a variational autoencoder 64-64-8-64-64; see variational.py."""
    return _vae(64)


def _vae(hidden: int) -> Problem:
    model = variational.autoencoder(pixels=64, hidden=hidden, code=8)

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        return variational.negative_bound(model, params, batch["inputs"], key), model_state

    return Problem.from_card(
        CARDS["digits-vae"],
        init=functools.partial(variational.start, model),
        loss=loss,
        evaluate=functools.partial(variational.evaluate, model),
        examples=lambda split: _image_splits()[split],
        at_width=lambda factor: _vae(widened(hidden, factor)),
    )


@functools.cache
def _image_splits() -> dict[Split, Examples]:
    """Returns the images of every split without their classes."""
    pixels, digits = images()
    return cut(stratified_indices(digits), inputs=pixels)


@functools.cache
def labelled_images() -> dict[Split, Examples]:
    """Returns the images of every split and their classes, as `classification` cuts them."""
    pixels, digits = images()
    return cut(stratified_indices(digits), inputs=pixels, labels=digits.astype(np.int32))


@functools.cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels [1797, 64] in 0 ... 1 and the digits [1797]."""
    from sklearn.datasets import load_digits  # heavy: loaded when data are first asked for

    pixels, digits = load_digits(return_X_y=True)
    return (pixels / 16.0).astype(np.float32), digits
