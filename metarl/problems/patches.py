"""Digits as sixteen patches of 2x2 pixels: a patch transformer, and a mixer without attention.

Both make a vector of each patch, send the patches through one block and read the class from the mean of all. In the
transformer a patch attends to every patch; in the mixer one small network works across the patches of every unit, the
same for all units, and one across the units of every patch. Layer norms stand in front ("pre-norm").

Letters: B images, T = 16 patches, H = 32 units, M = 64 hidden units, K classes.

Reference: Dosovitskiy et al. (2021), An Image is Worth 16x16 Words; Tolstikhin et al. (2021), MLP-Mixer.
"""

from __future__ import annotations

from collections.abc import Callable

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

    def through(block: Params, hidden: jax.Array) -> jax.Array:
        return through_block(block, hidden, _HEADS, past_only=False)

    network = _of_patches(lambda key: block_start(key, _WIDTH, _HIDDEN), through)
    return classification(CARDS["digits-patches"], network, images, standardise=False)


def digits_mixer() -> Problem:
    """Returns digits by a mixer of one block on patches of 2x2 pixels."""
    network = _of_patches(_mixer_start, mixed)
    return classification(CARDS["digits-mixer"], network, images, standardise=False)


def _of_patches(
    block_start: Callable[[jax.Array], Params], through: Callable[[Params, jax.Array], jax.Array]
) -> Network:
    """Returns the network from images [B, 64] to [B, K] whose block is `through`."""

    def init(key: jax.Array) -> Params:
        patches, places, block, head = jax.random.split(key, 4)
        size = _PATCH**2
        return {
            "patches": normal(patches, (size, _WIDTH), he(size, _WIDTH)),
            "places": normal(places, (_PATCHES, _WIDTH), 0.1),
            "block": block_start(block),
            "norm": norm_start(_WIDTH),
            "head": normal(head, (_WIDTH, _CLASSES), glorot(_WIDTH, _CLASSES)),
            "head_bias": jnp.zeros(_CLASSES, jnp.float32),
        }

    def apply(params: Params, pixels: jax.Array) -> jax.Array:
        cut = patches(pixels)
        hidden = (cut.reshape(-1, _PATCH**2) @ params["patches"]).reshape(-1, _PATCHES, _WIDTH)
        hidden = through(params["block"], hidden + params["places"][None, :, :])
        mean = jnp.mean(layer_norm(hidden, **params["norm"]), axis=1)  # [B, H]
        return affine(mean, params["head"], params["head_bias"])

    return stateless(init, apply)


def patches(pixels: jax.Array) -> jax.Array:
    """Returns the 2x2 patches of images [B, 64], row by row: [B, T, 4]."""
    across = _SIDE // _PATCH
    squares = pixels.reshape(-1, across, _PATCH, across, _PATCH)
    return jnp.swapaxes(squares, 2, 3).reshape(-1, _PATCHES, _PATCH**2)


def _mixer_start(key: jax.Array) -> Params:
    across, back, up, down = jax.random.split(key, 4)
    return {
        "norm0": norm_start(_WIDTH),
        "across": normal(across, (_PATCHES, _HIDDEN), he(_PATCHES, _HIDDEN)),
        "across_bias": jnp.zeros(_HIDDEN, jnp.float32),
        "back": normal(back, (_HIDDEN, _PATCHES), glorot(_HIDDEN, _PATCHES)),
        "back_bias": jnp.zeros(_PATCHES, jnp.float32),
        "norm1": norm_start(_WIDTH),
        "up": normal(up, (_WIDTH, _HIDDEN), he(_WIDTH, _HIDDEN)),
        "up_bias": jnp.zeros(_HIDDEN, jnp.float32),
        "down": normal(down, (_HIDDEN, _WIDTH), glorot(_HIDDEN, _WIDTH)),
        "down_bias": jnp.zeros(_WIDTH, jnp.float32),
    }


def mixed(block: Params, hidden: jax.Array) -> jax.Array:
    """Returns x [B, T, H] after x <- x + (W₂ relu(W₁ norm(x)'))' and x <- x + V₂ relu(V₁ norm(x)), with biases.

    Reference:
      Tolstikhin et al. (2021), MLP-Mixer, equation 1. Differs from it: ReLU in place of GELU.
    """
    columns = jnp.swapaxes(layer_norm(hidden, **block["norm0"]), 1, 2)  # [B, H, T]
    inner = jax.nn.relu(
        affine(columns.reshape(-1, _PATCHES), block["across"], block["across_bias"])
    )
    back = affine(inner, block["back"], block["back_bias"]).reshape(columns.shape)
    hidden = hidden + jnp.swapaxes(back, 1, 2)
    inner = layer_norm(hidden, **block["norm1"]).reshape(-1, _WIDTH)
    inner = jax.nn.relu(affine(inner, block["up"], block["up_bias"]))
    return hidden + affine(inner, block["down"], block["down_bias"]).reshape(hidden.shape)
