"""The compiler's scope: what a rule sees of one leaf of the parameters, as jax arrays.

Letters: P entries of one leaf, of any shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .expression import Draw
from .primitives import share_of_run
from .tensor_functions import of_leaf

_LARGEST_MULTIPLIED_EXPONENT = 16


@dataclass
class LeafScope:
    """What a rule sees of one leaf of the parameters; see `metarl.update_rules.primitives.Scope`."""

    g: jax.Array  # [P], as m, v, y, s, c, w
    m: jax.Array
    v: jax.Array
    y: jax.Array
    s: jax.Array
    c: jax.Array
    w: jax.Array
    t: jax.Array  # [], int32
    total_steps: Any  # [], a whole number; None if the run's length is not known
    epsilon: jax.Array  # []
    key: jax.Array  # consumed by folding in the number of each draw
    draws: list[Draw]  # of the rule, numbered from 1
    may_be_matrix: bool = True  # see `leaf_roles`

    xp = jnp
    scalar = jnp

    @property
    def progress(self) -> Any:
        return share_of_run(self)

    def normal(self, name: str) -> jax.Array:
        return jax.random.normal(self._key_of((name, 0.0)), self.g.shape, self.g.dtype)

    def keep(self, x: Any, rate: float) -> jax.Array:
        kept = jax.random.bernoulli(self._key_of(("drop", rate)), 1.0 - rate, self.g.shape)
        return jnp.where(kept, x, 0.0)

    def of_tensors(self, name: str, x: Any) -> jax.Array:
        is_whole = isinstance(x, jax.Array) and x.shape == self.g.shape
        x = x if is_whole else jnp.full_like(self.g, x)
        shape, may_be = self.g.shape, self.may_be_matrix
        return of_leaf(jnp, name, x, self.g, shape, self.epsilon, may_be_matrix=may_be)

    def power(self, x: Any, y: Any) -> jax.Array:
        whole = isinstance(y, int | float) and float(y).is_integer()
        if whole and isinstance(x, jax.Array) and abs(y) <= _LARGEST_MULTIPLIED_EXPONENT:
            return x ** int(y)  # by multiplications
        return jnp.power(x, y)

    def _key_of(self, draw: Draw) -> jax.Array:
        return jax.random.fold_in(self.key, 1 + self.draws.index(draw))
