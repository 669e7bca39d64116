"""Residual networks with batch norm, pre-activation: a small one for digits, a denoiser, Wide ResNet for CIFAR.

A block adds to its inputs what two 3x3 convolutions make of them, each after a batch norm and a ReLU. Where
the channels grow, the inputs come through a 1x1 convolution, and where the side is halved, through 2x2
means first; the block then works on the small side.

Reference: He et al. (2016), Identity Mappings in Deep Residual Networks; Zagoruyko and Komodakis (2016), Wide
Residual Networks. Differs from both: halving is by 2x2 means in front of a block, not by strides
inside it.

Letters: B examples, C channels, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .convolutions import Convolution, Moments, batch_norm, conv3x3, mean_pool
from .networks import Network, affine, glorot, he, normal, widened
from .problem import ModelState, Params


class Block(NamedTuple):
    """One residual block."""

    inputs: int  # channels
    outputs: int  # channels
    halve: bool  # whether the side is halved first


def wide_blocks(depth: int, widening: int) -> list[Block]:
    """Returns the blocks of a Wide ResNet of three groups, (depth - 4) / 6 blocks in each."""
    widths = [16, 16 * widening, 32 * widening, 64 * widening]
    return [
        Block(widths[group] if first else widths[group + 1], widths[group + 1], first and group > 0)
        for group in range(3)
        for first in [True] + [False] * ((depth - 4) // 6 - 1)
    ]


def residual_net(
    blocks: Sequence[Block],
    classes: int = 10,
    side: int = 8,
    colours: int = 1,
    convolution: Convolution = conv3x3,
) -> Network:
    """Returns a 3x3 convolution, residual blocks, batch norm, ReLU, the mean of all places, and an affine map.

    Args:
      blocks: in their order; each takes the channels that the one before gives.
      classes: K.
      side: height and width of an image.
      colours: of an image.
      convolution: how 3x3 convolutions are computed.

    Returns:
      A network from flat images [B, side side colours] to [B, K]; its model state holds running moments.
    """
    last = blocks[-1].outputs

    def init(key: jax.Array) -> tuple[Params, ModelState]:
        stem_key, head_key, *keys = jax.random.split(key, len(blocks) + 2)
        starts = [_block_start(key, block) for key, block in zip(keys, blocks, strict=True)]
        first = blocks[0].inputs
        params = {
            "stem": normal(stem_key, (3, 3, colours, first), he(9 * colours, first)),
            "blocks": [start[0] for start in starts],
            "norm": _norm_start(last),
            "head": normal(head_key, (last, classes), glorot(last, classes)),
            "head_bias": jnp.zeros(classes, jnp.float32),
        }
        return params, {"blocks": [start[1] for start in starts], "norm": _moments_start(last)}

    def apply(params: Params, model_state: ModelState, inputs: jax.Array, training: bool):
        images = inputs.reshape(-1, side, side, colours)
        hidden, following = convolution(images, params["stem"]), []
        for block, weights, moments in zip(
            blocks, params["blocks"], model_state["blocks"], strict=True
        ):
            hidden = mean_pool(hidden) if block.halve else hidden
            hidden, moments = _residual(convolution, weights, moments, hidden, training)
            following.append(moments)
        hidden, norm = _normalised(params["norm"], model_state["norm"], hidden, training)
        rows = jnp.mean(hidden, axis=(1, 2))  # [B, C]
        outputs = affine(rows, params["head"], params["head_bias"])
        return outputs, {"blocks": following, "norm": norm}

    def at_width(factor: float) -> Network:
        wider = [
            Block(widened(block.inputs, factor), widened(block.outputs, factor), block.halve)
            for block in blocks
        ]
        return residual_net(wider, classes, side, colours, convolution)

    return Network(init, apply, at_width)


def residual_denoiser(width: int, blocks: int, side: int) -> Network:
    """Returns a network that takes off an image the noise that it sees: a stem, residual blocks, one channel again.

    Args:
      width: C, channels of every block.
      blocks: how many; none halves the side.
      side: height and width of an image.

    Returns:
      A network from flat grey images [B, side side] to images of the same shape; its model state holds running moments.

    Reference:
      Zhang et al. (2017), Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising. Differs:
      batch norms stand before the convolutions, and two of these make a residual block.
    """
    block = Block(width, width, False)

    def init(key: jax.Array) -> tuple[Params, ModelState]:
        stem_key, head_key, *keys = jax.random.split(key, blocks + 2)
        starts = [_block_start(key, block) for key in keys]
        params = {
            "stem": normal(stem_key, (3, 3, 1, width), he(9, width)),
            "blocks": [start[0] for start in starts],
            "norm": _norm_start(width),
            "head": normal(head_key, (3, 3, width, 1), glorot(9 * width, 9)),
        }
        return params, {"blocks": [start[1] for start in starts], "norm": _moments_start(width)}

    def apply(params: Params, model_state: ModelState, inputs: jax.Array, training: bool):
        images = inputs.reshape(-1, side, side, 1)
        hidden, following = conv3x3(images, params["stem"]), []
        for weights, moments in zip(params["blocks"], model_state["blocks"], strict=True):
            hidden, moments = _residual(conv3x3, weights, moments, hidden, training)
            following.append(moments)
        hidden, norm = _normalised(params["norm"], model_state["norm"], hidden, training)
        noise = conv3x3(hidden, params["head"])
        return (images - noise).reshape(inputs.shape), {"blocks": following, "norm": norm}

    def at_width(factor: float) -> Network:
        return residual_denoiser(widened(width, factor), blocks, side)

    return Network(init, apply, at_width)


def _residual(
    convolution: Convolution, weights: Params, moments: dict, inputs: jax.Array, training: bool
) -> tuple[jax.Array, dict]:
    """Returns inputs [B, h, w, C] plus what the block makes of them, and its next running moments."""
    hidden, first = _normalised(weights["norm0"], moments["norm0"], inputs, training)
    # where the channels change, the way past the block begins behind its first ReLU
    past = hidden @ weights["past"] if "past" in weights else inputs
    hidden = convolution(hidden, weights["conv0"])
    hidden, second = _normalised(weights["norm1"], moments["norm1"], hidden, training)
    return past + convolution(hidden, weights["conv1"]), {"norm0": first, "norm1": second}


def _normalised(
    weights: Params, moments: Moments, images: jax.Array, training: bool
) -> tuple[jax.Array, Moments]:
    """Returns images after batch norm and ReLU, and the next running moments."""
    images, moments = batch_norm(images, weights["scale"], weights["shift"], moments, training)
    return jax.nn.relu(images), moments


def _block_start(key: jax.Array, block: Block) -> tuple[Params, dict]:
    """Returns the weights and running moments that a block starts with."""
    first, second, past = jax.random.split(key, 3)
    inputs, outputs, _ = block
    weights = {
        "norm0": _norm_start(inputs),
        "conv0": normal(first, (3, 3, inputs, outputs), he(9 * inputs, outputs)),
        "norm1": _norm_start(outputs),
        "conv1": normal(second, (3, 3, outputs, outputs), he(9 * outputs, outputs)),
    }
    if inputs != outputs:
        weights["past"] = normal(past, (inputs, outputs), he(inputs, outputs))
    return weights, {"norm0": _moments_start(inputs), "norm1": _moments_start(outputs)}


def _norm_start(channels: int) -> Params:
    return {
        "scale": jnp.ones(channels, jnp.float32),
        "shift": jnp.zeros(channels, jnp.float32),
    }


def _moments_start(channels: int) -> Moments:
    return Moments(jnp.zeros(channels, jnp.float32), jnp.ones(channels, jnp.float32))
