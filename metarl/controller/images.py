"""The front of a network that sees images: two convolutions, and what else is told beside them.

  c = f(K₂ * f(K₁ * pixels)),   s = f(W told + b),   features = [c, s]

Both convolutions have kernels of 5 x 5 and strides of 2, without padding; f is ReLU.

On CPU a convolution is a matrix product of patches, made of strided slices for some images at a time and
made again for the gradient. XLA's own convolution is several times slower there within the loops of
acting and learning (experiments/benchmarks/maze); on other devices it is the one to take.

Letters: N images; H x W pixels; C channels; F filters; S units beside; D numbers told.

Reference: Duan et al. (2016), arXiv:1611.02779, section 3.3 and appendix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

KERNEL, STRIDE = 5, 2
LEAST_PIXELS = 13  # along a side: the fewest of which two convolutions leave one
AT_A_TIME = 64  # images whose patches are in memory

Convolution = Callable[[jax.Array, jax.Array], jax.Array]


class Sight(NamedTuple):
    """What is seen and told at a step."""

    pixels: jax.Array  # [N, H, W, C] uint8, or float32 as the network is to see them
    told: jax.Array  # [N, D]


def image_front(filters: int, beside: int) -> Callable[[Sight], jax.Array]:
    """Returns the front, Sight -> features [N, ...], to be run inside a haiku transform.

    Args:
      filters: F, of each convolution.
      beside: S.
    """

    def see(pixels: jax.Array) -> jax.Array:
        channels = pixels.shape[-1]
        kernels = [_kernel("first", channels, filters), _kernel("second", filters, filters)]
        return convolve_twice(kernels, pixels)

    return _beside(see, beside)


def dense_front(units: int, beside: int) -> Callable[[Sight], jax.Array]:
    """Returns a front whose units see all pixels, Sight -> features [N, units + S], in place of convolutions.

    It is to be run inside a haiku transform. Of few pixels it costs less on a CPU (experiments/benchmarks/maze).

    Args:
      units: that see the pixels; f is ReLU here too.
      beside: S.
    """

    def see(pixels: jax.Array) -> jax.Array:
        in_rows = as_numbers(pixels).reshape(pixels.shape[0], -1)
        return jax.nn.relu(hk.Linear(units, name="pixels")(in_rows))

    return _beside(see, beside)


def _beside(see: Callable[[jax.Array], jax.Array], units: int) -> Callable[[Sight], jax.Array]:
    """Returns the front that tells what is seen of the pixels, and units of what is told beside them."""

    def front(sight: Sight) -> jax.Array:
        seen = see(sight.pixels)
        told = jax.nn.relu(hk.Linear(units, name="beside")(sight.told))
        return jnp.concatenate([seen, told], axis=-1)

    return front


def convolve_twice(kernels: list[jax.Array], pixels: jax.Array) -> jax.Array:
    """Returns what the convolutions make of images [N, H, W, C], in a row [N, ...]."""
    if jax.default_backend() != "cpu":
        return _two_layers(convolve, kernels, pixels)

    @jax.checkpoint
    def of_one(image: jax.Array) -> jax.Array:
        return _two_layers(convolve_patches, kernels, image[None])[0]

    return jax.lax.map(of_one, pixels, batch_size=AT_A_TIME)


def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves images [N, H, W, C] with a kernel [5, 5, C, F], by XLA."""
    return jax.lax.conv_general_dilated(
        images, kernel, (STRIDE, STRIDE), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def convolve_patches(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves as `convolve` does, by a product of patches [N H' W', 25 C] and the kernel."""
    high, wide = (1 + (length - KERNEL) // STRIDE for length in images.shape[1:3])
    slices = [
        images[:, down : down + STRIDE * (high - 1) + 1 : STRIDE][
            :, :, right : right + STRIDE * (wide - 1) + 1 : STRIDE
        ]
        for down in range(KERNEL)
        for right in range(KERNEL)
    ]
    patches = jnp.concatenate(slices, axis=-1)  # [N, H', W', 25 C]
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def _two_layers(convolution: Convolution, kernels: list[jax.Array], pixels: jax.Array) -> jax.Array:
    values = as_numbers(pixels)
    for kernel in kernels:
        values = jax.nn.relu(convolution(values, kernel))
    return values.reshape(values.shape[0], -1)


def as_numbers(pixels: jax.Array) -> jax.Array:
    """Returns levels 0 to 255 as numbers from -1 to 1, and numbers as they are."""
    if pixels.dtype == jnp.uint8:
        return pixels.astype(jnp.float32) / 127.5 - 1
    return pixels


def _kernel(name: str, channels: int, filters: int) -> jax.Array:
    shape = (KERNEL, KERNEL, channels, filters)
    return hk.get_parameter(f"{name}_kernel", shape, init=_for_relu)


_for_relu = hk.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
