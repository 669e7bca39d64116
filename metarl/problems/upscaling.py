"""A photograph's details from a coarse picture of it: convolutions with layer norm, a regression on images.

An 8x8 patch of grey shades is given as its 2x2 means; the network says what to add to them. Behind each of the two
inner convolutions the channels of every place are normalised by themselves, so that nothing hangs on the batch.

Letters: B patches, C channels.

Reference: Dong et al. (2014), Learning a Deep Convolutional Network for Image Super-Resolution; Liu et al. (2022), A
ConvNet for the 2020s, for layer norm in place of batch norm.
"""

from __future__ import annotations

import jax
import numpy as np

from .catalogue import CARDS
from .convolutions import conv3x3
from .networks import Network, glorot, he, normal, stateless
from .photographs import shades
from .problem import Params, Problem
from .supervised import regression
from .transformer import layer_norm, norm_start

_SIDE = 8  # pixels
_CHANNELS = 16  # C
_SCALE = 10.0  # of details, so that they are about as large as 1


def flower_upscaling() -> Problem:
    """Returns the problem of sharpening patches of a photograph by three convolutions."""
    return regression(CARDS["flower-upscaling"], _network(), _patches, standardise=False)


def _network() -> Network:
    def init(key: jax.Array) -> Params:
        first, second, last = jax.random.split(key, 3)
        wide = _CHANNELS
        return {
            "conv0": normal(first, (3, 3, 1, wide), he(9, wide)),
            "norm0": norm_start(wide),
            "conv1": normal(second, (3, 3, wide, wide), he(9 * wide, wide)),
            "norm1": norm_start(wide),
            "head": normal(last, (3, 3, wide, 1), glorot(9 * wide, 9)),
        }

    def apply(params: Params, pixels: jax.Array) -> jax.Array:
        hidden = pixels.reshape(-1, _SIDE, _SIDE, 1)
        for layer in range(2):
            hidden = conv3x3(hidden, params[f"conv{layer}"])
            rows = hidden.reshape(len(hidden), _SIDE**2, _CHANNELS)
            rows = layer_norm(rows, **params[f"norm{layer}"])
            hidden = jax.nn.relu(rows).reshape(hidden.shape)
        return conv3x3(hidden, params["head"]).reshape(len(pixels), -1)

    return stateless(init, apply)


def _patches() -> tuple[np.ndarray, np.ndarray]:
    """Returns patches coarse, and what they lack, each [n, 64]; coarse shades have mean 0."""
    grey = shades("flower.jpg", 1).mean(axis=2)  # [427, 640]
    rows, columns = grey.shape[0] // _SIDE, grey.shape[1] // _SIDE
    cut = grey[: rows * _SIDE].reshape(rows, _SIDE, columns, _SIDE)
    whole = cut.transpose(0, 2, 1, 3).reshape(-1, _SIDE, _SIDE)
    half = _SIDE // 2
    means = whole.reshape(-1, half, 2, half, 2).mean(axis=(2, 4))
    coarse = means.repeat(2, axis=1).repeat(2, axis=2)
    detail = _SCALE * (whole - coarse)
    size = _SIDE**2
    return coarse.reshape(-1, size) - coarse.mean(), detail.reshape(-1, size)
