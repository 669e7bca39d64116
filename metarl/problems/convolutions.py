"""Convolutional networks, written to be quick on a CPU: shifted copies and one matrix product.

XLA's own convolution is several times slower there on small images, twenty times slower inside a
loop on images of 32x32 as well, and hundreds of times slower under `vmap` over weights. On an
accelerator it is the quicker one.

Letters: B examples, C channels, F filters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .networks import Network, affine, glorot, he, normal, widened
from .problem import ModelState, Params

# images [B, height, width, C], kernel [3, 3, C, F] -> [B, height, width, F], zeros around the images
Convolution = Callable[[jax.Array, jax.Array], jax.Array]


def conv_net(
    channels: int = 16,
    classes: int = 10,
    side: int = 8,
    colours: int = 1,
    convolution: Convolution | None = None,
) -> Network:
    """Returns the child network of neural optimizer search: 16 filters here, 32 in the paper.

    Twice a 3x3 convolution, batch normalisation, ReLU and a 2x2 mean; then an affine map of the
    channels of all places that are left.

    Differs from the paper, which does not say how it pools: 2x2 means.

    Args:
      channels: filters of each convolution.
      classes: outputs.
      side: height and width of an image, a multiple of 4.
      colours: of an image.
      convolution: how 3x3 convolutions are computed; `conv3x3` if not given.

    Returns:
      A network from flat images [B, side side colours] to [B, classes]; its model state holds the
      running means and variances.

    Reference:
      Bello et al. (2017), Neural Optimizer Search with Reinforcement Learning, section 5.
    """
    flat = (side // 4) ** 2 * channels
    convolve = convolution or conv3x3

    def init(key: jax.Array) -> tuple[Params, ModelState]:
        first, second, head = jax.random.split(key, 3)
        params = {
            "conv0": normal(first, (3, 3, colours, channels), he(9 * colours, channels)),
            "conv1": normal(second, (3, 3, channels, channels), he(9 * channels, channels)),
            "head": normal(head, (flat, classes), glorot(flat, classes)),
            "head_bias": jnp.zeros(classes, jnp.float32),
        }
        for layer in "01":
            params["scale" + layer] = jnp.ones(channels, jnp.float32)
            params["shift" + layer] = jnp.zeros(channels, jnp.float32)
        start = Moments(jnp.zeros(channels, jnp.float32), jnp.ones(channels, jnp.float32))
        return params, {"norm0": start, "norm1": start}

    def apply(params: Params, model_state: ModelState, inputs: jax.Array, training: bool):
        hidden, following = inputs.reshape(-1, side, side, colours), {}
        for layer in "01":
            hidden = convolve(hidden, params["conv" + layer])
            hidden, following["norm" + layer] = batch_norm(
                hidden,
                params["scale" + layer],
                params["shift" + layer],
                model_state["norm" + layer],
                training,
            )
            hidden = mean_pool(jax.nn.relu(hidden))  # half the side, then a quarter, C channels
        rows = hidden.reshape(hidden.shape[0], flat)
        return affine(rows, params["head"], params["head_bias"]), following

    def at_width(factor: float) -> Network:
        return conv_net(widened(channels, factor), classes, side, colours, convolution)

    return Network(init, apply, at_width)


def conv3x3(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the 3x3 convolution with zero padding: nine shifted copies and one matrix product.

    Args:
      images: [B, height, width, C].
      kernel: [3, 3, C, F].

    Returns:
      [B, height, width, F], as `jax.lax.conv_general_dilated` in layout NHWC, HWIO, padding "SAME".
    """
    batch, height, width, _ = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    patches = jnp.concatenate(shifted, axis=3)  # [B, height, width, 9 C]
    flat = kernel.reshape(-1, kernel.shape[3])  # [9 C, F]
    return (patches.reshape(-1, len(flat)) @ flat).reshape(batch, height, width, -1)


def xla_conv3x3(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns what `conv3x3` returns, by XLA's own convolution."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=layout)


def quick_conv3x3(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns what `conv3x3` returns, by whichever way is quick where it is compiled for."""
    return jax.lax.platform_dependent(images, kernel, cpu=conv3x3, default=xla_conv3x3)


class Moments(NamedTuple):
    """Running statistics of a batch normalisation."""

    mean: jax.Array  # [C]
    variance: jax.Array  # [C]


def batch_norm(
    images: jax.Array, scale: jax.Array, shift: jax.Array, running: Moments, training: bool
) -> tuple[jax.Array, Moments]:
    """Returns images with every channel normalised, and the next running statistics.

    In training: y = scale (x - mean) / sqrt(variance + 1e-5) + shift with the batch's own moments,
    and running <- 0.9 running + 0.1 batch; in evaluation with the running moments.

    Args:
      images: [B, height, width, C].
      scale: [C].
      shift: [C].
      running: the statistics so far.
      training: which of the two.

    Returns:
      The normalised images [B, height, width, C] and the statistics to keep.

    Reference:
      Ioffe and Szegedy (2015), Batch Normalization.
    """
    used = running
    if training:
        mean = jnp.mean(images, axis=(0, 1, 2))
        variance = jnp.mean(jnp.square(images), axis=(0, 1, 2)) - jnp.square(mean)
        used = Moments(mean, jnp.maximum(variance, 0.0))  # rounding may leave -1e-8
        running = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, running, used)
    factor = scale * jax.lax.rsqrt(used.variance + 1e-5)  # [C]
    offset = shift - used.mean * factor  # [C]
    return images * factor[None, None, None, :] + offset[None, None, None, :], running


def mean_pool(images: jax.Array) -> jax.Array:
    """Returns the means over 2x2 squares: [B, 2 h, 2 w, C] to [B, h, w, C]."""
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return jnp.mean(squares, axis=(2, 4))
