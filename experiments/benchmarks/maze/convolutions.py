"""Convolutions on this machine, one way beside the other: XLA's own, and products of patches.

    python convolutions.py [--height 30 --width 40 --repeats 7] > convolutions.json

Each way is timed forward, as in acting, and with its gradient, as in learning; "in a loop" takes 64 images at
a time by `lax.map`, as a program that acts step by step does. Rounds measure all ways in turn within one
process; medians are printed, in microseconds an image.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from metarl.controller.images import AT_A_TIME, as_numbers, convolve, convolve_patches
from metarl.rl_squared.measuring.benchmark import median_seconds

FILTERS, IMAGES = 16, 512
WAYS = {"XLA": convolve, "patches": convolve_patches}


def layers(convolution: Callable, kernels: list[jax.Array], images: jax.Array) -> jax.Array:
    values = as_numbers(images)
    for kernel in kernels:
        values = jax.nn.relu(convolution(values, kernel))
    return values


def looped(convolution: Callable, kernels: list[jax.Array], images: jax.Array) -> jax.Array:
    part = jax.checkpoint(functools.partial(layers, convolution, kernels))
    return jax.lax.map(part, images.reshape(-1, AT_A_TIME, *images.shape[1:]))


def programs(kernels: list[jax.Array], images: jax.Array) -> dict[str, Callable[[], Any]]:
    """Returns every way, compiled."""
    made = {}
    for name, convolution in WAYS.items():
        for place, apply in {"": layers, ", in a loop": looped}.items():
            forward = functools.partial(apply, convolution)

            def loss(kernels: list[jax.Array], images: jax.Array, forward: Any = forward) -> Any:
                return jnp.sum(forward(kernels, images) ** 2)

            for what, function in {"forward": forward, "gradient": jax.grad(loss)}.items():
                made[f"{name}, {what}{place}"] = functools.partial(
                    jax.jit(function), kernels, images
                )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=30)
    parser.add_argument("--width", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    first_key, second_key, image_key = jax.random.split(jax.random.key(0), 3)
    kernels = [
        0.1 * jax.random.normal(first_key, (5, 5, 3, FILTERS)),
        0.05 * jax.random.normal(second_key, (5, 5, FILTERS, FILTERS)),
    ]
    shape = (IMAGES, given.height, given.width, 3)
    images = jax.random.randint(image_key, shape, 0, 256).astype(jnp.uint8)
    ways = programs(kernels, images)
    seconds = median_seconds(ways, given.repeats, lambda text: print(text, file=sys.stderr))
    medians = {name: 1e6 * found / IMAGES for name, found in seconds.items()}
    document = {
        "height": given.height,
        "width": given.width,
        "images": IMAGES,
        "platform": jax.default_backend(),
        "microseconds_an_image": {name: round(value, 2) for name, value in medians.items()},
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
