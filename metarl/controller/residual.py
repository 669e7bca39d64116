"""A residual stack: layers that look back in time, and layers that do not, one above the other.

  h₀ = W x,   hₗ = hₗ₋₁ + fₗ(norm(hₗ₋₁)),   output norm(h_L)

Each layer fₗ is a core of its own, so the stack takes single steps when it acts and all steps at once
when it learns if its layers do. The linear recurrence, the delta rule and attention are such layers;
between them stands a `FeedForward`, which has no memory.

Letters: T steps; B batch; F features; D hidden units; L layers.

Reference: Xiong et al. (2020), arXiv:2002.04745 (the norm before the layer, and one at the end).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import chex
import haiku as hk
import jax

from .cores import Core, unroll
from .feed_forward import Stateless
from .linear import linear

Advance = Callable[[hk.RNNCore, jax.Array, Any], tuple[jax.Array, Any]]


class ResidualStack(hk.RNNCore):
    """Layers that each add something to what the ones below have made."""

    def __init__(self, hidden_size: int, layers: Sequence[Core], name: str | None = None):
        """Makes the stack.

        Args:
          hidden_size: D, what every layer takes and gives.
          layers: their makers, from the inputs upwards.
          name: of the module.
        """
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.layers = [make() for make in layers]

    def __call__(
        self, inputs: jax.Array, prev_state: Sequence[Any]
    ) -> tuple[jax.Array, tuple[Any, ...]]:
        """Takes one step.

        Args:
          inputs: [B, F].
          prev_state: of each layer [L].

        Returns:
          The output [B, D], and the next state of each layer.
        """
        chex.assert_rank(inputs, 2)
        return self._climb(inputs, prev_state, lambda layer, below, state: layer(below, state))

    def unroll(
        self, inputs: jax.Array, state: Sequence[Any] | None = None
    ) -> tuple[jax.Array, tuple[Any, ...]]:
        """Takes T steps, layer by layer: inputs [T, B, F] -> outputs [T, B, D]."""
        chex.assert_rank(inputs, 3)
        states = [None] * len(self.layers) if state is None else state
        return self._climb(inputs, states, unroll)

    def initial_state(self, batch_size: int | None) -> tuple[Any, ...]:
        """Returns the initial state of each layer."""
        return tuple(layer.initial_state(batch_size) for layer in self.layers)

    def _climb(
        self, inputs: jax.Array, states: Sequence[Any], advance: Advance
    ) -> tuple[jax.Array, tuple[Any, ...]]:
        hidden, after = linear(inputs, self.hidden_size, name="embed"), []
        for layer, before in zip(self.layers, states, strict=True):
            change, state = advance(layer, _normalised(hidden), before)
            hidden = hidden + change
            after.append(state)
        return _normalised(hidden), tuple(after)


class FeedForward(Stateless):
    """W₂ gelu(W₁ h), of each step alone; the state is empty."""

    def __init__(self, widening: int = 4, name: str | None = None):
        """Makes the layer, whose inner one is `widening` times as wide as what it takes."""
        super().__init__(name=name)
        self.widening = widening

    def __call__(self, inputs: jax.Array, prev_state: tuple[()]) -> tuple[jax.Array, tuple[()]]:
        """Returns the outputs [..., D] of inputs [..., D], and no state."""
        width = inputs.shape[-1]
        inner = jax.nn.gelu(linear(inputs, self.widening * width, name="widen"))
        return linear(inner, width, name="narrow"), prev_state


def _normalised(hidden: jax.Array) -> jax.Array:
    return hk.LayerNorm(axis=-1, create_scale=True, create_offset=True, name="norm")(hidden)
