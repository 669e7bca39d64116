"""A small causal transformer: every step looks back at the last C, all of them at once or from a cache.

  q, k, v = R(t) W_q u, R(t) W_k u, W_v u
  a[t, s] = softmax over s of q[t] · k[s] / √d,   t - C < s <= t
  f(u)[t] = W_o Σ_s a[t, s] v[s]

R(t) turns pairs of coordinates by angles that grow with t, so q · k depends on t - s alone: nothing says where
a sequence begins but what is seen there. When it acts, the keys and values of the last C steps are held
in a ring: step t takes the slot t mod C, and what was there is forgotten. When it learns, all steps of
a sequence look back at once, behind a mask. So one layer sees C steps, and L of them L (C - 1) + 1.

Letters: T steps; B batch; D hidden units; H heads; d = D / H; C context; S what is looked at.

Reference: Vaswani et al. (2017), arXiv:1706.03762, section 3.2; rotary positions: Su et al. (2021),
arXiv:2104.09864, section 3.2. Both on the tasks of RL²: Mishra et al. (2018), arXiv:1707.03141.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from .cores import Core
from .linear import linear
from .residual import FeedForward, ResidualStack

_SLOWEST = 10_000.0  # steps in which the slowest pair turns by one radian, as in the papers
_UNSEEN = -1e30


class Cache(NamedTuple):
    """What is held of the last C steps, each in the slot of its number mod C."""

    keys: jax.Array  # [B, C, H, d], turned
    values: jax.Array  # [B, C, H, d]
    taken: jax.Array  # [B] int32, steps so far


class _Looks(NamedTuple):
    """What steps look for, and what they offer; each [..., B, H, d]."""

    query: jax.Array
    key: jax.Array
    value: jax.Array


def transformer(hidden_size: int, layers: int = 2, heads: int = 4, context: int = 100) -> Core:
    """Returns the maker of a causal transformer.

    Args:
      hidden_size: D, a multiple of twice the heads.
      layers: of attention, each with a feed-forward layer above it.
      heads: H, of each.
      context: C.
    """
    look = functools.partial(CausalAttention, hidden_size, heads, context, name="look")
    think = functools.partial(FeedForward, name="think")
    return functools.partial(ResidualStack, hidden_size, (look, think) * layers, name="transformer")


class CausalAttention(hk.RNNCore):
    """Attention to the last steps, as a layer of a stack."""

    def __init__(self, hidden_size: int, heads: int, context: int, name: str | None = None):
        """Makes the layer.

        Args:
          hidden_size: D, a multiple of twice the heads.
          heads: H.
          context: C.
          name: of the module.
        """
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.heads = heads
        self.context = context

    def __call__(self, inputs: jax.Array, prev_state: Cache) -> tuple[jax.Array, Cache]:
        """Takes one step: inputs [B, D] -> outputs [B, D] and the next cache."""
        chex.assert_rank(inputs, 2)
        looks = self._looks(inputs, prev_state.taken)
        cache = _hold(prev_state, looks, prev_state.taken)  # a step sees itself too
        seen = _numbers(cache) >= 0  # [B, C]
        products = jnp.einsum("bhd,bshd->bhs", looks.query, cache.keys)
        weights = self._weights(products, seen[:, None])
        return self._output(jnp.einsum("bhs,bshd->bhd", weights, cache.values)), cache

    def unroll(self, inputs: jax.Array, state: Cache | None = None) -> tuple[jax.Array, Cache]:
        """Takes T steps at once: inputs [T, B, D] -> outputs [T, B, D], and the cache after them."""
        chex.assert_rank(inputs, 3)
        steps, batch = inputs.shape[:2]
        before = self.initial_state(batch) if state is None else state
        times = jnp.arange(steps)[:, None] + before.taken[None]  # [T, B]
        looks = self._looks(inputs, times)
        keys, values, numbers = looks.key, looks.value, times  # [S, B, ...]
        if state is not None:  # at the beginning there is nothing to look back at
            keys, values, numbers = (
                jnp.concatenate([jnp.swapaxes(held, 0, 1), new])
                for held, new in (
                    (state.keys, keys),
                    (state.values, values),
                    (_numbers(state), numbers),
                )
            )
        back = times.T[:, :, None] - numbers.T[:, None, :]  # [B, T, S], how far
        seen = (back >= 0) & (back < self.context) & (numbers.T[:, None, :] >= 0)
        products = jnp.einsum("tbhd,sbhd->bhts", looks.query, keys)
        weights = self._weights(products, seen[:, None])
        read = jnp.einsum("bhts,sbhd->tbhd", weights, values)
        last = min(steps, self.context)
        kept = jax.tree.map(lambda x: jnp.swapaxes(x[-last:], 0, 1), (looks, times))
        return self._output(read), _hold(before, *kept)

    def initial_state(self, batch_size: int | None) -> Cache:
        """Returns an empty cache."""
        leading = () if batch_size is None else (batch_size,)
        shape = (*leading, self.context, self.heads, self.hidden_size // self.heads)
        return Cache(jnp.zeros(shape), jnp.zeros(shape), jnp.zeros(leading, jnp.int32))

    def _looks(self, inputs: jax.Array, times: jax.Array) -> _Looks:
        query, key, value = (
            linear(inputs, self.hidden_size, with_bias=False, name=name).reshape(
                *inputs.shape[:-1], self.heads, -1
            )
            for name in _Looks._fields
        )
        return _Looks(turn(query, times), turn(key, times), value)

    def _weights(self, products: jax.Array, seen: jax.Array) -> jax.Array:
        """Returns a [B, H, ..., S] of the products q · k, 0 where the step is not seen [B, 1, ..., S]."""
        size = self.hidden_size // self.heads
        scores = jnp.where(seen, products / math.sqrt(size), _UNSEEN)
        return jax.nn.softmax(scores, axis=-1)

    def _output(self, read: jax.Array) -> jax.Array:
        """Returns f [..., D] of what the heads have read [..., H, d]."""
        joined = read.reshape(*read.shape[:-2], self.hidden_size)
        return linear(joined, self.hidden_size, with_bias=False, name="output")


def turn(x: jax.Array, times: jax.Array) -> jax.Array:
    """Returns R(t) x, where coordinates i and i + d/2 are a pair.

    Args:
      x: [..., H, d].
      times: t [...].
    """
    half = x.shape[-1] // 2
    speeds = _SLOWEST ** (-jnp.arange(half) / half)  # [d/2] radians a step
    angles = times.astype(jnp.float32)[..., None, None] * speeds.reshape(*[1] * times.ndim, 1, half)
    first, second = jnp.split(x, 2, axis=-1)
    cosine, sine = jnp.cos(angles), jnp.sin(angles)  # [..., 1, d/2]
    return jnp.concatenate([first * cosine - second * sine, first * sine + second * cosine], -1)


def _numbers(cache: Cache) -> jax.Array:
    """Returns of which step each slot holds something [B, C]; negative where it is empty."""
    context = cache.keys.shape[1]
    newest = cache.taken[:, None] - 1
    return newest - (newest - jnp.arange(context)[None]) % context


def _hold(cache: Cache, looks: _Looks, times: jax.Array) -> Cache:
    """Returns the cache with steps `times`, [B] or the last [B, n] of n <= C, in their slots."""
    rows = jnp.arange(len(times)).reshape(-1, *[1] * (times.ndim - 1))
    slots = times % cache.keys.shape[1]
    newest = times if times.ndim == 1 else times[:, -1]
    return Cache(
        cache.keys.at[rows, slots].set(looks.key),
        cache.values.at[rows, slots].set(looks.value),
        newest + 1,
    )
