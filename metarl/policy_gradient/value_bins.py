"""Values as probabilities of bins: what a network is asked for, instead of a number.

  two-hot     a number is told by the two bins beside it, each with the weight of its nearness
  HL-Gauss    each bin has what a normal distribution around the number has of it, at least three bins something
  squashed    h(x) = sign(x) (√(|x| + 1) - 1) + x / 1000 first: small and large numbers on one scale

Learning is then a classification, whose gradient does not grow with the size of what was missed; the number that is
told is the mean of the bins, which undoes `two-hot` exactly.

Letters: K bins.

References: Schrittwieser et al. (2020), "Mastering Atari, Go, chess and shogi by planning with a learned model",
Nature 588, arXiv:1911.08265, appendix F (two-hot; h is by Pohlen et al. 2018, arXiv:1805.11593); Imani & White (2018),
arXiv:1806.04613; Farebrother et al. (2024), arXiv:2403.03950, section 3.1 (HL-Gauss).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require

from .batch import VALUE, TrainablePolicy
from .config import ValueConfig
from .losses import masked_mean

SLOPE = 1e-3


def compressed(values: jax.Array) -> jax.Array:
    """Returns h of values, elementwise."""
    return jnp.sign(values) * (jnp.sqrt(jnp.abs(values) + 1) - 1) + SLOPE * values


def expanded(values: jax.Array) -> jax.Array:
    """Returns what h gives these values, elementwise.

    With u = √(|x| + 1), |h| = u - 1 + ε (u² - 1), so u is the positive root of ε u² + u - (1 + ε + |h|), here
    without a difference of near numbers.
    """
    rest = 1 + SLOPE + jnp.abs(values)
    root = 2 * rest / (1 + jnp.sqrt(1 + 4 * SLOPE * rest))
    return jnp.sign(values) * (root**2 - 1)


@dataclass(frozen=True)
class ValueBins:
    """K bins, evenly from -limit to limit on their scale, and how they tell a number."""

    count: int  # K
    limit: float  # the largest number that they tell, and minus the least
    smoothing: float = 0.0  # deviation of HL-Gauss, in distances from bin to bin; 0 is two-hot
    squashed: bool = False  # the scale is that of h, else that of the numbers

    def weights(self, values: jax.Array) -> jax.Array:
        """Returns the weights of the bins [..., K], of sum 1, that tell numbers [...], cut at ± `limit`.

        Of HL-Gauss a bin reaches half a distance to both sides of its place, and what the normal distribution has
        beyond the outermost is dealt out to all: the mean of the weights is the number, but for those near the limit.
        """
        largest = self._largest()
        share = (jnp.clip(self._squash(values), -largest, largest) / largest + 1) / 2
        places = jnp.arange(self.count, dtype=jnp.float32).reshape(
            (1,) * share.ndim + (self.count,)
        )
        away = share[..., None] * (self.count - 1) - places  # in distances from bin to bin
        if self.smoothing == 0:
            return jnp.maximum(1 - jnp.abs(away), 0.0)
        below = jax.scipy.stats.norm.cdf((0.5 - away) / self.smoothing)
        had = below - jax.scipy.stats.norm.cdf((-0.5 - away) / self.smoothing)
        return had / jnp.sum(had, axis=-1, keepdims=True)

    def told_by(self, logits: jax.Array) -> jax.Array:
        """Returns the numbers [...] that logits of bins [..., K] tell: the mean on their scale, brought back."""
        places = jnp.linspace(-1.0, 1.0, self.count) * self._largest()
        mean = jax.nn.softmax(logits) @ places
        return expanded(mean) if self.squashed else mean

    def _largest(self) -> jax.Array:
        return self._squash(jnp.float32(self.limit))

    def _squash(self, values: jax.Array) -> jax.Array:
        return compressed(values) if self.squashed else values


def make_bins(config: ValueConfig) -> ValueBins | None:
    """Returns the bins of a setting, None for a value that is one number."""
    if config.loss == "squared":
        return None
    smoothing = config.smoothing if config.loss == "hl-gauss" else 0.0
    return ValueBins(config.bins, config.limit, smoothing, config.squashed)


def require_no_rewriting(bins: ValueBins | None, preserve_values: bool) -> None:
    """Raises if a value in bins is to be preserved: no rewriting of its last layer scales a mean of bins."""
    require(
        bins is None or not preserve_values,
        "preserve_values is true, and the value is told in bins, whose last layer cannot be rewritten when the unit "
        "changes; leave --value.loss out, or preserve_values.",
    )


def asked(
    policy: TrainablePolicy, params: Any, inputs: Any, whole: bool
) -> tuple[Any, jax.Array, Mapping[str, jax.Array]]:
    """Returns distribution parameters, values [B, T], and logits by name, none of these unless `whole`."""
    if whole:
        return policy.predict(params, inputs)
    parameters, values = policy.apply(params, inputs)
    return parameters, values, {}


def value_loss(
    values: jax.Array,
    logits: Mapping[str, jax.Array],
    targets: jax.Array,
    mask: jax.Array,
    bins: ValueBins | None,
) -> jax.Array:
    """Returns how far values are from their targets, a mean over steps.

    Args:
      values: [B, T].
      logits: those of the bins [B, T, K] under `VALUE`, where there are bins.
      targets: [B, T].
      mask: [B, T] bool.
      bins: None for half the squared error; else the cross-entropy of the bins, in nats.
    """
    if bins is None:
        return 0.5 * masked_mean((values - targets) ** 2, mask)
    missed = optax.softmax_cross_entropy(logits[VALUE], bins.weights(targets))
    return masked_mean(missed, mask)
