"""A variational autoencoder: the one problem whose loss draws noise of its own.

The encoder gives the mean μ and log-variance λ of a normal distribution of codes z, the decoder the
logit of every pixel. The loss is minus the evidence lower bound in nats an image,

  Σ_d softplus(l_d) - x_d l_d  +  ½ Σ_k μ_k² + exp(λ_k) - 1 - λ_k,

with l the logits of z = μ + exp(λ / 2) ε, ε standard normal and drawn anew at every step. Pixels x
are shades in 0 ... 1 and taken for probabilities, so the loss is positive and cannot reach zero.

Letters: B examples, D pixels, H hidden units, Z dimensions of a code.

Reference: Kingma and Welling (2014), Auto-Encoding Variational Bayes.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .networks import Network, mlp
from .problem import Examples, ModelState, Params


class Autoencoder(NamedTuple):
    """The two halves."""

    encoder: Network  # [B, D] -> [B, 2 Z]: means, then log-variances
    decoder: Network  # [B, Z] -> [B, D]: logits
    code: int  # Z


class Bound(NamedTuple):
    """The two terms of minus the bound, means over examples in nats."""

    reconstruction: jax.Array  # []
    divergence: jax.Array  # []


def autoencoder(pixels: int, hidden: int, code: int) -> Autoencoder:
    """Returns a variational autoencoder D-H-Z-H-D of ReLU networks."""
    return Autoencoder(mlp(pixels, hidden, 2 * code), mlp(code, hidden, pixels), code)


def start(model: Autoencoder, key: jax.Array) -> tuple[Params, ModelState]:
    """Returns {"encoder": ..., "decoder": ...} and no model state."""
    first, second = jax.random.split(key)
    return {"encoder": model.encoder.init(first)[0], "decoder": model.decoder.init(second)[0]}, ()


def bound(model: Autoencoder, params: Params, pixels: jax.Array, noise: jax.Array) -> Bound:
    """Returns both terms for images [B, D] and noise ε [B, Z]."""
    moments, _ = model.encoder.apply(params["encoder"], (), pixels, True)  # [B, 2 Z]
    mean, log_variance = moments[:, : model.code], moments[:, model.code :]
    codes = mean + jnp.exp(0.5 * log_variance) * noise  # [B, Z]
    logits, _ = model.decoder.apply(params["decoder"], (), codes, True)  # [B, D]
    surprise = jax.nn.softplus(logits) - pixels * logits
    excess = jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance
    return Bound(jnp.mean(jnp.sum(surprise, axis=1)), 0.5 * jnp.mean(jnp.sum(excess, axis=1)))


def negative_bound(
    model: Autoencoder, params: Params, pixels: jax.Array, key: jax.Array
) -> jax.Array:
    """Returns minus the evidence lower bound [], with noise drawn by `key`."""
    noise = jax.random.normal(key, (pixels.shape[0], model.code), jnp.float32)
    return sum(bound(model, params, pixels, noise), jnp.float32(0))


def evaluate(
    model: Autoencoder, params: Params, model_state: ModelState, batch: Examples
) -> dict[str, jax.Array]:
    """Returns the loss with noise that is always the same, so that optimizers are judged alike."""
    del model_state
    return {"loss": negative_bound(model, params, batch["inputs"], jax.random.key(0))}
