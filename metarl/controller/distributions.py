"""Distributions over actions: categorical, masked categorical, diagonal Gaussian.

A distribution is an object without state; what a head puts out are its parameters. Every function
is written for any number of leading axes and reduces the last one.

Letters: ... leading axes (B, or B and T); A actions; D numbers in a continuous action.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp


class Distribution(Protocol):
    """What an algorithm asks of a distribution over actions."""

    def sample(self, key: jax.Array, parameters: Any) -> jax.Array:
        """Returns one action for each leading index."""
        ...

    def mode(self, parameters: Any) -> jax.Array:
        """Returns the likeliest action."""
        ...

    def log_prob(self, parameters: Any, action: jax.Array) -> jax.Array:
        """Returns log p(action) [...]."""
        ...

    def entropy(self, parameters: Any) -> jax.Array:
        """Returns the entropy [...] in nats."""
        ...

    def kl(self, p: Any, q: Any) -> jax.Array:
        """Returns KL(p || q) [...] in nats."""
        ...


def mask_logits(logits: jax.Array, mask: jax.Array) -> jax.Array:
    """Takes the masked actions out of a categorical distribution.

    The floor is finite: exp(floor - max) is exactly 0, while 0 · (floor - floor), which entropies
    and divergences contain, is still 0 and not NaN. Where nothing is allowed the distribution is
    uniform, so that padding stays finite too.

    Args:
      logits: [..., A].
      mask: [..., A] bool, True where an action is allowed.

    Returns:
      Logits [..., A] of the distribution over the allowed actions.
    """
    chex.assert_equal_shape([logits, mask])
    floor = 0.5 * jnp.finfo(logits.dtype).min  # half: subtracting a logit cannot overflow
    return jnp.where(mask, logits, floor)


@dataclass(frozen=True)
class Categorical:
    """Integer actions; the parameters are logits [..., A], masked or not."""

    def sample(self, key: jax.Array, parameters: jax.Array) -> jax.Array:
        return jax.random.categorical(key, parameters, axis=-1)  # [...] int32

    def mode(self, parameters: jax.Array) -> jax.Array:
        return jnp.argmax(parameters, axis=-1)  # [...] int32

    def log_prob(self, parameters: jax.Array, action: jax.Array) -> jax.Array:
        log_probs = jax.nn.log_softmax(parameters)  # [..., A]
        return jnp.take_along_axis(log_probs, action[..., None], axis=-1)[..., 0]

    def entropy(self, parameters: jax.Array) -> jax.Array:
        log_probs = jax.nn.log_softmax(parameters)
        return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)

    def kl(self, p: jax.Array, q: jax.Array) -> jax.Array:
        log_p, log_q = jax.nn.log_softmax(p), jax.nn.log_softmax(q)
        return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


class GaussianParameters(NamedTuple):
    """Parameters of a diagonal Gaussian."""

    mean: jax.Array  # [..., D]
    log_deviation: jax.Array  # [..., D]


@dataclass(frozen=True)
class DiagonalGaussian:
    """Actions of D independent normal numbers.

    Attributes:
      shape: of an action, D numbers in all; [D] if not given.
    """

    shape: tuple[int, ...] | None = None

    def sample(self, key: jax.Array, parameters: GaussianParameters) -> jax.Array:
        noise = jax.random.normal(key, parameters.mean.shape, parameters.mean.dtype)
        numbers = parameters.mean + jnp.exp(parameters.log_deviation) * noise  # [..., D]
        return self._shaped(numbers)

    def mode(self, parameters: GaussianParameters) -> jax.Array:
        return self._shaped(parameters.mean)

    def log_prob(self, parameters: GaussianParameters, action: jax.Array) -> jax.Array:
        if self.shape is not None:
            action = action.reshape(parameters.mean.shape)  # [..., D]
        score = (action - parameters.mean) * jnp.exp(-parameters.log_deviation)
        log_density = -0.5 * (score**2 + math.log(2 * math.pi)) - parameters.log_deviation
        return jnp.sum(log_density, axis=-1)

    def entropy(self, parameters: GaussianParameters) -> jax.Array:
        return jnp.sum(parameters.log_deviation + 0.5 * (1 + math.log(2 * math.pi)), axis=-1)

    def kl(self, p: GaussianParameters, q: GaussianParameters) -> jax.Array:
        log_ratio = p.log_deviation - q.log_deviation  # of the deviations
        distance = (p.mean - q.mean) * jnp.exp(-q.log_deviation)
        return jnp.sum(0.5 * (jnp.exp(2 * log_ratio) + distance**2 - 1) - log_ratio, axis=-1)

    def _shaped(self, numbers: jax.Array) -> jax.Array:
        return numbers if self.shape is None else numbers.reshape(*numbers.shape[:-1], *self.shape)
