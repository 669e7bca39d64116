"""A fast-weight memory: a sum of outer products whose keys and values are learnt.

  k = W_k x,   v = (W_v x) ∘ σ(W_g x),   M' = M + k vᵀ,   h = f(W_2 f(W_1 [x, M']))

Nothing is forgotten within a sequence, so M' is a sum over all steps: of anything that the keys tell
apart (a state with an action, say) it holds how often it came and what followed. A GRU of the same
size has to learn such counters first.

Letters: B batch; F features; K keys; V values; H hidden units.

Reference: Schmidhuber (1992), Learning to control fast-weight memories; Schlag et al. (2021),
arXiv:2102.11174, equation 10, whose normalisation and forgetting are left out.
"""

from __future__ import annotations

import functools

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from .cores import Core


def outer_product_memory(hidden_size: int, keys: int = 64, values: int = 16) -> Core:
    """Returns the maker of an `OuterProductMemory`."""
    return functools.partial(
        OuterProductMemory, hidden_size, keys, values, name="outer_product_memory"
    )


class OuterProductMemory(hk.RNNCore):
    """A sum of outer products, read as a whole by a network of two layers."""

    def __init__(self, hidden_size: int, keys: int, values: int, name: str | None = None):
        """Makes the core.

        Args:
          hidden_size: H.
          keys: K.
          values: V.
          name: of the module.
        """
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.keys = keys
        self.values = values

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the output [B, H] and the next memory [B, K, V] of inputs [B, F]."""
        chex.assert_rank([inputs, prev_state], [2, 3])
        unit = hk.initializers.RandomNormal(self.keys**-0.5)
        key = hk.Linear(self.keys, with_bias=False, w_init=unit, name="key")(inputs)  # [B, K]
        value = hk.Linear(self.values, w_init=_ORDER_ONE, name="value")(inputs)  # [B, V]
        gate = jax.nn.sigmoid(hk.Linear(self.values, name="gate")(inputs))
        memory = prev_state + key[:, :, None] * (value * gate)[:, None, :]
        seen = jnp.concatenate([inputs, memory.reshape(memory.shape[0], -1)], axis=-1)
        hidden = jax.nn.relu(hk.Linear(self.hidden_size, name="read")(seen))
        return jax.nn.relu(hk.Linear(self.hidden_size, name="think")(hidden)), memory

    def initial_state(self, batch_size: int | None) -> jax.Array:
        """Returns zeros [B, K, V]."""
        leading = () if batch_size is None else (batch_size,)
        return jnp.zeros((*leading, self.keys, self.values))


# Inputs are mostly one-hot, so a value is a sum of few weights whatever their number.
_ORDER_ONE = hk.initializers.RandomNormal(0.5)
