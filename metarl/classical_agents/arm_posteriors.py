"""What has been learnt of a bandit's arms: conjugate posteriors of their means, one home for all agents.

Both kinds have the same face, so an agent is written once for either: `mean`, `pulls` and `scale`
[K], `after(action, reward)`, `sample(key)` of all means jointly, and `log_density(means)`.

Letters: K arms.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import xlog1py, xlogy

from .beta_sampling import sample_beta

_NEAREST = 2.0**-24  # the largest number below 1 in float32 is 1 - 2⁻²⁴


class BetaArms(NamedTuple):
    """Independent Beta(successes, failures) over the means of Bernoulli rewards.

    Beta(1, 1), one success and one failure before the first pull, is the uniform prior. Rewards
    are 0 or 1.
    """

    successes: jax.Array  # [K] float32, the prior's included
    failures: jax.Array  # [K] float32, the prior's included

    @property
    def pulls(self) -> jax.Array:
        """How many pulls the posterior is worth [K], the prior's included."""
        return self.successes + self.failures

    @property
    def mean(self) -> jax.Array:
        """The posterior mean [K]."""
        return self.successes / self.pulls

    @property
    def scale(self) -> jax.Array:
        """The span of a reward [K]: 1."""
        return jnp.ones_like(self.successes)

    def after(self, action: jax.Array, reward: jax.Array) -> BetaArms:
        """Returns the posterior after one more pull of arm `action`."""
        pulled = jax.nn.one_hot(action, self.successes.shape[0])  # [K]
        return BetaArms(self.successes + reward * pulled, self.failures + (1 - reward) * pulled)

    def towards(self, prior: BetaArms, keep: jax.Array) -> BetaArms:
        """Returns the posterior drawn back to the prior: of what was learnt a share `keep` [K] is left."""
        lost = 1 - keep
        return BetaArms(
            keep * self.successes + lost * prior.successes,
            keep * self.failures + lost * prior.failures,
        )

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns means [K] drawn from the posterior; `key` is consumed."""
        return sample_beta(key, self.successes, self.failures)

    def log_density(self, means: jax.Array) -> jax.Array:
        """Returns the logarithm of the joint posterior density at `means` [K], up to a constant.

        Means nearer to 0 or 1 than 2⁻²⁴ count as so near: at 0 and 1 it may be infinite.
        """
        inside = jnp.clip(means, _NEAREST, 1 - _NEAREST)
        return jnp.sum(xlogy(self.successes - 1, inside) + xlog1py(self.failures - 1, -inside))


class NormalArms(NamedTuple):
    """Independent N(mean, 1 / precision) over the means of rewards with normal noise."""

    mean: jax.Array  # [K]
    precision: jax.Array  # [K], the prior's included
    noise_precision: jax.Array  # [K], of one reward

    @property
    def pulls(self) -> jax.Array:
        """How many pulls the posterior is worth [K], the prior's included."""
        return self.precision / self.noise_precision

    @property
    def scale(self) -> jax.Array:
        """The deviation of a reward from its arm's mean [K]."""
        return 1 / jnp.sqrt(self.noise_precision)

    def after(self, action: jax.Array, reward: jax.Array) -> NormalArms:
        """Returns the posterior after one more pull of arm `action`."""
        gained = jax.nn.one_hot(action, self.mean.shape[0]) * self.noise_precision  # [K]
        precision = self.precision + gained
        return self._replace(
            mean=self.mean + gained * (reward - self.mean) / precision, precision=precision
        )

    def towards(self, prior: NormalArms, keep: jax.Array) -> NormalArms:
        """Returns the posterior drawn back to the prior: of what was learnt a share `keep` [K] is left."""
        of_prior = (1 - keep) * prior.precision
        precision = keep * self.precision + of_prior
        mean = self.mean + of_prior / precision * (prior.mean - self.mean)
        return self._replace(mean=mean, precision=precision)

    def sample(self, key: jax.Array) -> jax.Array:
        """Returns means [K] drawn from the posterior; `key` is consumed."""
        return self.mean + jax.random.normal(key, self.mean.shape) / jnp.sqrt(self.precision)

    def log_density(self, means: jax.Array) -> jax.Array:
        """Returns the logarithm of the joint posterior density at `means` [K], up to a constant."""
        return -0.5 * jnp.sum(self.precision * (means - self.mean) ** 2)


Arms = BetaArms | NormalArms
