"""A core without memory: what it gives depends on the inputs of the step alone.

With it a policy is an ordinary feed-forward network, which acts and learns as any other.

Letters: T steps; B batch; F features; H units of the last layer.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
from jax.nn.initializers import orthogonal

from .cores import Core


class Stateless(hk.RNNCore):
    """A core whose state is empty: what makes its outputs of a step makes those of many."""

    def unroll(
        self, inputs: jax.Array, state: tuple[()] | None = None
    ) -> tuple[jax.Array, tuple[()]]:
        """Does the same at every step [T, B, F]."""
        del state
        return self(inputs, ())

    def initial_state(self, batch_size: int | None) -> tuple[()]:
        """Returns nothing."""
        del batch_size
        return ()


class Memoryless(Stateless):
    """Layers with tanh, orthogonal at first; the state is empty.

    Reference: Schulman et al. (2017), arXiv:1707.06347, section 6.1 (the network).
    """

    def __init__(self, sizes: Sequence[int], name: str | None = None):
        """Makes the core.

        Args:
          sizes: units of each layer; none hands the inputs on.
          name: of the module.
        """
        super().__init__(name=name)
        self.sizes = tuple(sizes)

    def __call__(self, inputs: jax.Array, prev_state: tuple[()]) -> tuple[jax.Array, tuple[()]]:
        """Returns the outputs [..., H] of inputs [..., F], and no state."""
        if not self.sizes:
            return inputs, prev_state
        network = hk.nets.MLP(
            self.sizes, w_init=_draw_first, activation=jnp.tanh, activate_final=True
        )
        return network(inputs), prev_state


def memoryless(sizes: Sequence[int]) -> Core:
    """Returns the maker of a `Memoryless`."""
    return functools.partial(Memoryless, tuple(sizes), name="memoryless")


def _draw_first(shape: Sequence[int], dtype: Any) -> jax.Array:
    return orthogonal(2**0.5)(hk.next_rng_key(), shape, dtype)
