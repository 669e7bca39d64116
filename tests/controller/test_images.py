"""Convolutions of images: against a loop over pixels, one way beside the other."""

from __future__ import annotations

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metarl.controller import LEAST_PIXELS, Sight, dense_front, image_front
from metarl.controller.images import (
    AT_A_TIME,
    as_numbers,
    convolve,
    convolve_patches,
    convolve_twice,
)


def draw(*shape) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def naive_convolution(images, kernel) -> np.ndarray:
    """Returns the sums over 5 x 5 pixels around every second pixel, one by one."""
    high, wide = (images.shape[1] - 5) // 2 + 1, (images.shape[2] - 5) // 2 + 1
    made = np.zeros((len(images), high, wide, kernel.shape[-1]), np.float32)
    for y in range(high):
        for x in range(wide):
            patch = images[:, 2 * y : 2 * y + 5, 2 * x : 2 * x + 5]
            made[:, y, x] = np.einsum("nijc,ijcf->nf", patch, kernel)
    return made


@pytest.mark.parametrize("convolution", [convolve, convolve_patches])
@pytest.mark.parametrize(("height", "width"), [(5, 5), (8, 7), (13, 10)])
def test_both_convolutions_are_the_sum_over_pixels(convolution, height, width):
    images, kernel = draw(2, height, width, 3), draw(5, 5, 3, 4)
    made = jax.jit(convolution)(jnp.asarray(images), jnp.asarray(kernel))
    np.testing.assert_allclose(made, naive_convolution(images, kernel), rtol=1e-4, atol=1e-4)


def test_images_taken_some_at_a_time_give_values_and_gradients_of_all_at_once():
    images = jnp.asarray(draw(AT_A_TIME + 3, 13, 15, 2))
    kernels = [jnp.asarray(draw(5, 5, 2, 3)), jnp.asarray(draw(5, 5, 3, 3)) / 5]

    def at_once(kernels):
        values = images
        for kernel in kernels:
            values = jax.nn.relu(convolve(values, kernel))
        return values.reshape(len(images), -1)

    def values_and_gradients(way):
        def summed(kernels):
            values = way(kernels)
            return jnp.sum(jnp.sin(values)), values

        return jax.jit(jax.grad(summed, has_aux=True))(kernels)

    ours, some = values_and_gradients(lambda kernels: convolve_twice(kernels, images))
    theirs, whole = values_and_gradients(at_once)
    np.testing.assert_allclose(some, whole, rtol=1e-3, atol=1e-3)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-2)


def test_levels_become_numbers_from_minus_one_to_one_and_numbers_stay():
    np.testing.assert_allclose(
        as_numbers(jnp.array([0, 51, 255], jnp.uint8)), [-1, -0.6, 1], atol=1e-6
    )
    np.testing.assert_array_equal(
        as_numbers(jnp.array([0.3, 7.0])), np.array([0.3, 7.0], np.float32)
    )


def test_the_front_gives_filters_of_every_place_and_the_units_beside():
    front = hk.without_apply_rng(hk.transform(image_front(filters=6, beside=9)))
    sight = Sight(jnp.zeros((4, 30, 40, 3), jnp.uint8), jnp.ones((4, 5)))
    params = jax.jit(front.init)(jax.random.key(0), sight)
    features = jax.jit(front.apply)(params, sight)
    assert features.shape == (4, 6 * 5 * 7 + 9)  # 30 x 40 -> 13 x 18 -> 5 x 7
    assert (features >= 0).all()


def test_units_that_see_all_pixels_are_products_with_each_image_in_a_row():
    front = hk.without_apply_rng(hk.transform(dense_front(units=6, beside=9)))
    levels = np.random.default_rng(0).integers(0, 256, (4, 13, 15, 3)).astype(np.uint8)
    told = jnp.asarray(draw(4, 5))
    params = jax.jit(front.init)(jax.random.key(0), Sight(jnp.asarray(levels), told))
    features = jax.jit(front.apply)(params, Sight(jnp.asarray(levels), told))
    expected = []
    for pixels, numbers in zip(levels, told, strict=True):
        seen = (pixels.ravel() / 127.5 - 1) @ params["pixels"]["w"] + params["pixels"]["b"]
        beside = numbers @ params["beside"]["w"] + params["beside"]["b"]
        expected.append(np.maximum(np.concatenate([seen, beside]), 0))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_the_least_image_leaves_one_place():
    kernels = [jnp.zeros((5, 5, 1, 2)), jnp.zeros((5, 5, 2, 2))]
    assert convolve_twice(kernels, jnp.zeros((1, LEAST_PIXELS, LEAST_PIXELS, 1))).shape == (1, 2)
