"""best rules: the few best distinct rules of a search so far, for strategies that learn from them.

Letters: Q rules kept; K rules of a generation; L tokens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

ArrayLike = Any  # numpy or jax


class BestRules(NamedTuple):
    """The best Q rules, best first; of equal ones the first that was found."""

    tokens: jax.Array  # [Q, L] int32
    rewards: jax.Array  # [Q] float32, -inf where no rule stands yet

    @classmethod
    def none(cls, size: int, length: int) -> BestRules:
        """Returns Q empty places."""
        return cls(jnp.zeros((size, length), jnp.int32), jnp.full(size, -jnp.inf))

    @property
    def present(self) -> jax.Array:
        """Where a rule stands, [Q] bool."""
        return self.rewards > -jnp.inf

    def after(self, tokens: ArrayLike, rewards: ArrayLike, wanted: ArrayLike) -> BestRules:
        """Returns the best Q of these and of others.

        Args:
          tokens: of the others, [K, L].
          rewards: theirs, [K].
          wanted: [K] bool, which of them are rules to be kept: not met before, not failed.
        """
        everything = jnp.concatenate([self.tokens, jnp.asarray(tokens, jnp.int32)])
        earned = jnp.concatenate([self.rewards, jnp.where(wanted, rewards, -jnp.inf)])
        order = jnp.argsort(-earned, stable=True)[: len(self.rewards)]
        return BestRules(everything[order], earned[order])
