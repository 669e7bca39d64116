"""Digits as sixteen patches of 2x2 pixels, by a patch transformer.

A vector is made of each patch, and one of its place added; in one block every patch attends to every patch; the class
is read from the mean of all. Layer norms stand in front ("pre-norm").

Letters: B images, T = 16 patches, H = 32 units, A heads, M = 64 hidden units, K classes.

Reference: Dosovitskiy et al. (2021), An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.
Differs from it: the mean of all patches in place of a patch of its own for the class.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .catalogue import CARDS
from .digits import images
from .networks import Network, affine, glorot, he, normal, stateless
from .problem import Params, Problem
from .supervised import classification
from .transformer import block_start, layer_norm, norm_start, through_block

_SIDE, _PATCH = 8, 2  # pixels
_PATCHES = (_SIDE // _PATCH) ** 2  # T
_WIDTH, _HEADS, _HIDDEN = 32, 2, 64  # H, A, M
_CLASSES = 10


def digits_patches() -> Problem:
    """Returns digits by a transformer of one block on patches of 2x2 pixels."""
    return classification(CARDS["digits-patches"], _network(), images, standardise=False)


def _network() -> Network:
    """Returns the network from images [B, 64] to [B, K]."""

    def init(key: jax.Array) -> Params:
        patches, places, block, head = jax.random.split(key, 4)
        size = _PATCH**2
        return {
            "patches": normal(patches, (size, _WIDTH), he(size, _WIDTH)),
            "places": normal(places, (_PATCHES, _WIDTH), 0.1),
            "block": block_start(block, _WIDTH, _HIDDEN),
            "norm": norm_start(_WIDTH),
            "head": normal(head, (_WIDTH, _CLASSES), glorot(_WIDTH, _CLASSES)),
            "head_bias": jnp.zeros(_CLASSES, jnp.float32),
        }

    def apply(params: Params, pixels: jax.Array) -> jax.Array:
        cut = patches(pixels)
        hidden = (cut.reshape(-1, _PATCH**2) @ params["patches"]).reshape(-1, _PATCHES, _WIDTH)
        hidden = hidden + params["places"][None, :, :]
        hidden = through_block(params["block"], hidden, _HEADS, past_only=False)
        mean = jnp.mean(layer_norm(hidden, **params["norm"]), axis=1)  # [B, H]
        return affine(mean, params["head"], params["head_bias"])

    return stateless(init, apply)


def patches(pixels: jax.Array) -> jax.Array:
    """Returns the 2x2 patches of images [B, 64], row by row: [B, T, 4]."""
    across = _SIDE // _PATCH
    squares = pixels.reshape(-1, across, _PATCH, across, _PATCH)
    return jnp.swapaxes(squares, 2, 3).reshape(-1, _PATCHES, _PATCH**2)
