"""What has been learnt of arms whose means are linear in their features: a joint normal posterior.

Letters: K arms; d features of an arm, φ; θ the task; Λ [d, d] posterior precision; σ noise.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class LinearArms(NamedTuple):
    """θ ~ N(Λ⁻¹ b, Λ⁻¹), and the means of the arms are φ · θ."""

    precision: jax.Array  # Λ [d, d]
    weighted: jax.Array  # b [d]: Λ times the posterior mean
    features: jax.Array  # φ [K, d]
    noise_precision: jax.Array  # [] 1 / σ²

    @classmethod
    def of(cls, features: jax.Array, mean: float, deviation: float, noise: float) -> LinearArms:
        """Returns the prior in which every component of θ is N(mean, deviation²)."""
        width = features.shape[1]
        of_prior = max(deviation, 1e-3) ** -2.0
        precision = of_prior * jnp.eye(width)
        return cls(precision, jnp.full(width, of_prior * mean), features, jnp.float32(noise**-2.0))

    @property
    def mean(self) -> jax.Array:
        """The posterior mean of each arm [K]."""
        return self.features @ self._solve(self.weighted)

    @property
    def deviation(self) -> jax.Array:
        """The posterior deviation of each arm's mean [K]."""
        return jnp.sqrt(jnp.sum(self.features * self._solve(self.features.T).T, axis=1))

    def after(self, action: jax.Array, reward: jax.Array) -> LinearArms:
        """Returns the posterior after one more pull of arm `action`."""
        pulled = self.features[action]  # [d]
        return self._replace(
            precision=self.precision + self.noise_precision * jnp.outer(pulled, pulled),
            weighted=self.weighted + self.noise_precision * reward * pulled,
        )

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns the arms' means [K] for a θ drawn from the posterior; `key` is consumed."""
        root = jnp.linalg.cholesky(self.precision)  # Λ = L Lᵀ, so L⁻ᵀ z ~ N(0, Λ⁻¹)
        luck = jax.random.normal(key, self.weighted.shape)
        away = jax.scipy.linalg.solve_triangular(root, luck, trans=1, lower=True)
        return self.features @ (self._solve(self.weighted) + away)

    def _solve(self, right: jax.Array) -> jax.Array:
        """Returns Λ⁻¹ times a vector [d] or a matrix [d, ...]."""
        return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(self.precision), True), right)
