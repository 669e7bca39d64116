"""The usual picture: what a learner from pictures takes off before it looks.

Most numbers of a picture are always the same. A gradient step moves the weights of all of them alike, and the sum of
hundreds of such moves can drive units into saturation, after which nothing that differs is seen any more. So a network
is shown

  (x - μ) / σ        μ the mean picture; σ² the variance around it, in the mean over all numbers

One deviation for all numbers, so that those that hardly ever change are not blown up.

Letters: B pictures; F numbers of a picture.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

DECAY = 0.99  # how much less each batch counts than the one after it
LEAST_VARIANCE = 1e-4  # below it pictures are taken for alike


class UsualPicture(NamedTuple):
    """What pictures look like, the recent counting more."""

    mean: jax.Array  # μ [F]
    variance: jax.Array  # σ² []
    weight: jax.Array  # [] of all batches so far, that of the last being 1


def no_picture(numbers: int) -> UsualPicture:
    """Returns what leaves pictures of so many numbers as they are."""
    return UsualPicture(jnp.zeros(numbers), jnp.ones(()), jnp.zeros(()))


def followed(usual: UsualPicture, pictures: jax.Array) -> UsualPicture:
    """Returns the usual picture after a batch of them [B, F]; the first batch alone fixes it."""
    weight = DECAY * usual.weight + 1
    mean = usual.mean + (jnp.mean(pictures, axis=0) - usual.mean) / weight
    around = jnp.mean((pictures - mean[None]) ** 2)
    return UsualPicture(mean, usual.variance + (around - usual.variance) / weight, weight)


def different(usual: UsualPicture, pictures: jax.Array) -> jax.Array:
    """Returns how pictures differ from the usual one, in its deviations; both [..., F]."""
    mean = usual.mean.reshape((1,) * (pictures.ndim - 1) + (-1,))
    return (pictures - mean) / jnp.sqrt(jnp.maximum(usual.variance, LEAST_VARIANCE))
