"""told rules: the last rules of a search and what they earned, for strategies that learn from them again.

Letters: M rules remembered; K rules of a generation; L tokens; N pairs; B numbers noted of a rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

ArrayLike = Any  # numpy or jax


class Pairs(NamedTuple):
    """Rules two by two, by their rows."""

    better: jax.Array  # [N] int32
    worse: jax.Array  # [N] int32
    differ: jax.Array  # [N] bool, False where neither is better, or none was told yet


class ToldRules(NamedTuple):
    """The last M distinct rules, the newest generation first."""

    tokens: jax.Array  # [M, L] int32
    rewards: jax.Array  # [M] float32
    present: jax.Array  # [M] bool, where a rule stands
    notes: jax.Array  # [M, B] float32, what else is known of it

    @classmethod
    def none(cls, size: int, length: int, notes: int = 0) -> ToldRules:
        """Returns M empty places for rules of so many tokens, with so many numbers noted of each."""
        return cls(
            jnp.zeros((size, length), jnp.int32),
            jnp.zeros(size),
            jnp.zeros(size, bool),
            jnp.zeros((size, notes)),
        )

    def after(
        self,
        tokens: ArrayLike,
        rewards: ArrayLike,
        wanted: ArrayLike,
        notes: ArrayLike | None = None,
    ) -> ToldRules:
        """Returns the memory with those of K rules that are wanted, [K] bool: not met before."""
        noted = jnp.zeros((len(tokens), self.notes.shape[1])) if notes is None else notes
        everything = ToldRules(
            jnp.concatenate([jnp.asarray(tokens, jnp.int32), self.tokens]),
            jnp.concatenate([jnp.asarray(rewards, jnp.float32), self.rewards]),
            jnp.concatenate([wanted, self.present]),
            jnp.concatenate([noted, self.notes]),
        )
        order = jnp.argsort(~everything.present, stable=True)[: len(self.rewards)]
        kept = ToldRules(*(column[order] for column in everything))
        # empty places hold nothing of the rules that were not wanted
        return ToldRules(*(jax.vmap(_or_zero)(kept.present, column) for column in kept))

    def pairs(self, key: jax.Array, count: int, sample: int) -> Pairs:
        """Draws pairs: the better one is the best of a sample of rules, the worse one any rule.

        Args:
          key: of the draws, with replacement.
          count: N.
          sample: rules in a tournament.
        """
        drawn = self.rows(key, (count, sample + 1))
        contenders, any_rule = drawn[:, 1:], drawn[:, 0]
        best = jnp.argmax(self.rewards[contenders], axis=1)
        first = jnp.take_along_axis(contenders, best[:, None], axis=1)[:, 0]
        swapped = self.rewards[any_rule] > self.rewards[first]
        better = jnp.where(swapped, any_rule, first)
        worse = jnp.where(swapped, first, any_rule)
        differ = (self.rewards[better] > self.rewards[worse]) & jnp.any(self.present)
        return Pairs(better, worse, differ)

    def rows(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Draws rows of rules that are there, with replacement; row 0 where there are none."""
        return jax.random.randint(key, shape, 0, jnp.maximum(jnp.sum(self.present), 1))


def _or_zero(there: jax.Array, value: jax.Array) -> jax.Array:
    """Returns a value, or zeros of its kind where nothing is there."""
    return jnp.where(there, value, jnp.zeros_like(value))
