"""A fast-weight memory written by the delta rule: what a key held is replaced, not only added to.

  k, q = φ(W_k u), φ(W_q u),   v = W_v u,   β = σ(w u)
  M' = M + β k (v - Mᵀ k)ᵀ                            what is written
  y = M'ᵀ q,   f(u) = W_o y                           what is read

with φ(x) = silu(x) / |silu(x)|, so that β = 1 replaces what was held under k by v, β = 0 leaves it, and M stays
bounded. Keys, values and strengths are learnt from all inputs, and the memory is read by a learnt
query, so it serves any world; the memory of `fast_weights` knows what actions are and asks about each.
Several heads have memories of their own.

Only who makes a key again finds what is held under it. Where one walks, keys had best be places; pictures do not
tell which, but the sum of all turns and steps does, and a memory that is written and read does not add up. A GRU
below it does: from its states keys, values and queries are made (`gru_below_delta_rule`).

All that does not look back is computed for all steps at once; the memories alone are scanned.

Letters: T steps; B batch; D hidden units; H heads; K keys and V values of a head, D / H each.

Reference: Schlag, Irie & Schmidhuber (2021), arXiv:2102.11174, equations 23 to 26. Differs from the
paper: φ is that of Yang et al. (2024), arXiv:2406.06484, section 2.2, instead of DPFP with a sum of 1.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from .cores import Core, GatedRecurrentUnit
from .linear import linear
from .residual import FeedForward, ResidualStack

_TINY = 1e-6


class Write(NamedTuple):
    """What one step, or each of many, does to the memory and asks of it."""

    key: jax.Array  # [..., B, H, K] of length 1
    value: jax.Array  # [..., B, H, V]
    strength: jax.Array  # [..., B, H] between 0 and 1
    query: jax.Array  # [..., B, H, K] of length 1


def delta_rule(hidden_size: int, layers: int = 2, heads: int = 4) -> Core:
    """Returns the maker of a stack of delta-rule memories, each with a feed-forward layer above it.

    Args:
      hidden_size: D, a multiple of the heads.
      layers: how many memories, one above the other.
      heads: H, of each.
    """
    stacked = _memories(hidden_size, layers, heads)
    return functools.partial(ResidualStack, hidden_size, stacked, name="delta")


def gru_below_delta_rule(hidden_size: int, layers: int = 1, heads: int = 4) -> Core:
    """Returns the maker of a GRU below a stack of delta-rule memories, each with a feed-forward layer above it.

    Args:
      hidden_size: D, of the GRU too, a multiple of the heads.
      layers: how many memories, one above the other.
      heads: H, of each.
    """
    count = functools.partial(GatedRecurrentUnit, hidden_size, name="count")
    stacked = (count, *_memories(hidden_size, layers, heads))
    return functools.partial(ResidualStack, hidden_size, stacked, name="gru_delta")


def _memories(hidden_size: int, layers: int, heads: int) -> tuple[Core, ...]:
    memory = functools.partial(DeltaRuleMemory, hidden_size, heads, name="memory")
    think = functools.partial(FeedForward, name="think")
    return (memory, think) * layers


class DeltaRuleMemory(hk.RNNCore):
    """The memory, as a layer of a stack."""

    def __init__(self, hidden_size: int, heads: int, name: str | None = None):
        """Makes the layer.

        Args:
          hidden_size: D, a multiple of the heads.
          heads: H.
          name: of the module.
        """
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.heads = heads

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Takes one step: inputs [B, D] and M [B, H, K, V] -> outputs [B, D] and the next M."""
        chex.assert_rank([inputs, prev_state], [2, 4])
        state, read = write(prev_state, self._prepare(inputs))
        return self._output(read), state

    def unroll(
        self, inputs: jax.Array, state: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Takes T steps: inputs [T, B, D] -> outputs [T, B, D], and M after the last."""
        chex.assert_rank(inputs, 3)
        start = self.initial_state(inputs.shape[1]) if state is None else state
        state, read = jax.lax.scan(write, start, self._prepare(inputs))
        return self._output(read), state

    def initial_state(self, batch_size: int | None) -> jax.Array:
        """Returns zeros [B, H, K, V]."""
        size = self.hidden_size // self.heads
        leading = () if batch_size is None else (batch_size,)
        return jnp.zeros((*leading, self.heads, size, size))

    def _prepare(self, inputs: jax.Array) -> Write:
        """Returns what all that looks at single steps alone makes of inputs [..., D]."""
        key, value, query = (
            linear(inputs, self.hidden_size, with_bias=False, name=name).reshape(
                *inputs.shape[:-1], self.heads, -1
            )
            for name in ("key", "value", "query")
        )
        strength = jax.nn.sigmoid(linear(inputs, self.heads, name="strength"))
        return Write(_of_length_one(key), value, strength, _of_length_one(query))

    def _output(self, read: jax.Array) -> jax.Array:
        """Returns f [..., D] of what the heads have read [..., H, V]."""
        joined = read.reshape(*read.shape[:-2], self.hidden_size)
        return linear(joined, self.hidden_size, with_bias=False, name="output")


def write(memory: jax.Array, step: Write) -> tuple[jax.Array, jax.Array]:
    """Returns M' [B, H, K, V] after one step, and y [B, H, V]."""
    key, query = step.key[..., None], step.query[..., None]  # [B, H, K, 1]
    held = jnp.sum(memory * key, axis=-2)  # [B, H, V]; sums, as a CPU is slow at small products
    change = step.strength[..., None] * (step.value - held)
    memory = memory + key * change[..., None, :]
    return memory, jnp.sum(memory * query, axis=-2)


def _of_length_one(x: jax.Array) -> jax.Array:
    active = jax.nn.silu(x)
    return active * jax.lax.rsqrt(jnp.sum(active**2, axis=-1, keepdims=True) + _TINY)
