"""Convolutions on this machine: XLA's own, products of patches, and units that see all pixels in their place.

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

FILTERS, UNITS, IMAGES = 16, 128, 512


def layers(convolution: Callable, kernels: list[jax.Array], images: jax.Array) -> jax.Array:
    values = as_numbers(images)
    for kernel in kernels:
        values = jax.nn.relu(convolution(values, kernel))
    return values


def units(weights: jax.Array, images: jax.Array) -> jax.Array:
    return jax.nn.relu(as_numbers(images).reshape(len(images), -1) @ weights)


def looped(look: Callable, parameters: Any, images: jax.Array) -> jax.Array:
    part = jax.checkpoint(functools.partial(look, parameters))
    return jax.lax.map(part, images.reshape(-1, AT_A_TIME, *images.shape[1:]))


def programs(ways: dict[str, tuple[Callable, Any]], images: jax.Array) -> dict[str, Any]:
    """Returns every way, a function of parameters and images and its parameters, compiled."""
    made = {}
    for name, (look, parameters) in ways.items():
        for place, forward in {"": look, ", in a loop": functools.partial(looped, look)}.items():

            def loss(parameters: Any, images: jax.Array, forward: Any = forward) -> Any:
                return jnp.sum(forward(parameters, images) ** 2)

            for what, function in {"forward": forward, "gradient": jax.grad(loss)}.items():
                made[f"{name}, {what}{place}"] = functools.partial(
                    jax.jit(function), parameters, images
                )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=30)
    parser.add_argument("--width", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    first_key, second_key, image_key = jax.random.split(jax.random.key(0), 3)
    unit_key = jax.random.fold_in(first_key, 1)
    kernels = [
        0.1 * jax.random.normal(first_key, (5, 5, 3, FILTERS)),
        0.05 * jax.random.normal(second_key, (5, 5, FILTERS, FILTERS)),
    ]
    shape = (IMAGES, given.height, given.width, 3)
    images = jax.random.randint(image_key, shape, 0, 256).astype(jnp.uint8)
    weights = 0.03 * jax.random.normal(unit_key, (given.height * given.width * 3, UNITS))
    by_convolution = {"XLA": convolve, "patches": convolve_patches}
    looks = {
        name: (functools.partial(layers, way), kernels) for name, way in by_convolution.items()
    }
    ways = programs({**looks, f"{UNITS} units": (units, weights)}, images)
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
