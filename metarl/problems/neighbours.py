"""Digits as points near those of their kind: an embedding that is trained by what is alike in a batch.

A ReLU network makes a point on the unit sphere of an image. For image i with others of its class P(i) in the batch

  loss_i = -log  Σ_{p in P(i)} exp(z_i · z_p / τ) / Σ_{a ≠ i} exp(z_i · z_a / τ),

and the loss is the mean over images that have any. Every example's gradient hangs on all others of its batch. The
metric is how often the nearest other image of a split is of the same class.

Letters: B images, Z dimensions of a point, τ the temperature.

Reference: Goldberger et al. (2005), Neighbourhood Components Analysis; Frosst, Papernot and Hinton (2019), Analyzing
and Improving Representations with the Soft Nearest Neighbor Loss, equation 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .catalogue import CARDS
from .digits import labelled_images
from .networks import mlp
from .problem import Examples, ModelState, Params, Problem

_TEMPERATURE = 0.1  # τ
_NETWORK = mlp(64, 64, 8)
_FAR = -1e9


def digits_neighbours() -> Problem:
    """Returns the problem of placing digits near those of their kind."""

    def loss(
        params: Params, model_state: ModelState, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, ModelState]:
        del key  # nothing is drawn
        return contrast(_alike(params, batch["inputs"]), batch["labels"]), model_state

    def evaluate(params: Params, model_state: ModelState, batch: Examples) -> dict[str, jax.Array]:
        del model_state
        alike, labels = _alike(params, batch["inputs"]), batch["labels"]
        nearest = jnp.argmax(jnp.where(_itself(alike), _FAR, alike), axis=1)
        hits = (labels[nearest] == labels).astype(jnp.float32)
        return {"loss": contrast(alike, labels), "neighbour accuracy": jnp.mean(hits)}

    return Problem.from_card(
        CARDS["digits-neighbours"],
        init=_NETWORK.init,
        loss=loss,
        evaluate=evaluate,
        examples=lambda split: labelled_images()[split],
    )


def _alike(params: Params, pixels: jax.Array) -> jax.Array:
    """Returns z_i · z_j of all pairs of images, [B, B]."""
    points, _ = _NETWORK.apply(params, (), pixels, True)
    size = jnp.sqrt(jnp.sum(jnp.square(points), axis=1, keepdims=True) + 1e-12)
    points = points / size
    return points @ points.T


def contrast(alike: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns the mean of loss_i over the images that have others of their class.

    Args:
      alike: z_i · z_j, [B, B].
      labels: classes [B].

    Returns:
      The mean [].
    """
    scores = jnp.where(_itself(alike), _FAR, alike / _TEMPERATURE)
    same = (labels[:, None] == labels[None, :]) & ~_itself(alike)
    met = jnp.any(same, axis=1)
    own = jax.nn.logsumexp(jnp.where(same, scores, _FAR), axis=1)
    losses = jax.nn.logsumexp(scores, axis=1) - own
    return jnp.sum(jnp.where(met, losses, 0.0)) / jnp.maximum(jnp.sum(met), 1)


def _itself(alike: jax.Array) -> jax.Array:
    return jnp.eye(len(alike), dtype=bool)
