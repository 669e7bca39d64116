"""A fast-weight memory: a sum of outer products with learnt keys and values, asked about each action.

  k = W_k u,   v = (W_v x) ∘ σ(W_g x),   M' = M + k vᵀ                        what is remembered
  r[a] = M'ᵀ W_k u[a],   s[a] = f(r[a], x, mean of all r)                     what is asked for
  h = [s, g(x, M')], or g alone for a value, which asks nothing of single actions

x are the inputs of a step; u is the part of them that says what was done (the previous action, or
the pair of previous observation and action), and u[a] what it would be if action a were taken now.
So keys are learnt embeddings of actions, or of states with actions, and r[a] is what was remembered
of a: how often it was taken and what followed, once the values have learnt to say so. The network f
is the same for all actions; where inputs tell of single actions, those of a, d[a], come beside r[a], and
c(x) · d[a] is added to s[a], so that going by what one is told is a step of learning away, or, where c(x) begins
at other numbers than 0, what one does at first. g reads
the memory as a whole. Nothing is forgotten within a sequence.

Letters: T steps; B batch; F features; U of them in u; A actions; K keys; V values; H hidden units.

Reference: Schmidhuber (1992), Learning to control fast-weight memories; Schlag et al. (2021),
arXiv:2102.11174, equation 10, whose normalisation and forgetting are left out.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp
from jax.nn.initializers import orthogonal

from .cores import Core
from .distributions import Categorical
from .heads import Head, Inputs
from .linear import linear


class ActionLayout(NamedTuple):
    """Where the inputs say what was done.

    Attributes:
      done: the columns of u, one-hot: [A], or [S A] with the actions of a state side by side.
      seen: the columns of the present observation, one-hot [S]; None if u is the action alone.
      actions: A.
      told: the columns that say something of each action [A x D], action by action; None if none do.
    """

    done: slice
    seen: slice | None
    actions: int
    told: slice | None = None


def outer_product_memory(
    hidden_size: int,
    layout: ActionLayout,
    keys: int = 64,
    values: int = 8,
    scored: bool = True,
    trust: Sequence[float] = (),
) -> Core:
    """Returns the maker of an `OuterProductMemory`."""
    return functools.partial(
        OuterProductMemory,
        hidden_size,
        layout,
        keys,
        values,
        scored,
        trust,
        name="outer_product_memory",
    )


def scored_head(actions: int) -> Head:
    """Returns the head that adds the memory's scores s to logits read off the rest of h."""

    def parameters(hidden: jax.Array, inputs: Inputs) -> jax.Array:
        del inputs
        scores, rest = hidden[:, :actions], hidden[:, actions:]
        return scores + hk.Linear(actions, w_init=_SMALL, name="logits")(rest)  # [N, A]

    return Head(Categorical(), parameters)


class OuterProductMemory(hk.RNNCore):
    """A sum of outer products, and two networks that read it."""

    def __init__(
        self,
        hidden_size: int,
        layout: ActionLayout,
        keys: int,
        values: int,
        scored: bool = True,
        trust: Sequence[float] = (),
        name: str | None = None,
    ):
        """Makes the core.

        Args:
          hidden_size: H, of both networks.
          layout: where the inputs say what was done.
          keys: K; with at least U of them, no two things that can be done are confused at first.
          values: V.
          scored: whether the output begins with a score of each action, its dearest part.
          trust: [D] c(x) before anything is learnt; 0 if empty.
          name: of the module.
        """
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.layout = layout
        self.keys = keys
        self.values = values
        self.scored = scored
        self.trust = trust

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Takes one step.

        Args:
          inputs: [B, F].
          prev_state: the memory before it [B, K, V].

        Returns:
          The output [B, A + H], without A unless scored, and the next memory.
        """
        outputs, state = self.unroll(inputs[None], prev_state)
        return outputs[0], state

    @hk.name_like("__call__")
    def unroll(
        self, inputs: jax.Array, state: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Takes T steps: inputs [T, B, F] -> outputs [T, B, A + H], and the memory after the last."""
        chex.assert_rank(inputs, 3)
        start = self.initial_state(inputs.shape[1]) if state is None else state
        embedding = self._embedding()  # [U, K]
        keys = inputs[..., self.layout.done] @ embedding  # [T, B, K]
        values = linear(inputs, self.values, w_init=_ORDER_ONE, name="value")  # [T, B, V]
        values *= jax.nn.sigmoid(linear(inputs, self.values, name="gate"))
        memories = _running_sums(start, keys, values)  # [T, B, K, V]
        # Only the sum looks back: all else is done for all steps at once.
        flat, memory = (x.reshape(-1, *x.shape[2:]) for x in (inputs, memories))  # [T B, ...]
        output = self._gist(flat, memory)  # [T B, H]
        if self.scored:
            scores = self._scores(embedding, flat, memory)  # [T B, A]
            output = jnp.concatenate([scores, output], axis=-1)
        return output.reshape(*inputs.shape[:-1], -1), memories[-1]

    def initial_state(self, batch_size: int | None) -> jax.Array:
        """Returns zeros [B, K, V]."""
        leading = () if batch_size is None else (batch_size,)
        return jnp.zeros((*leading, self.keys, self.values))

    def _embedding(self) -> jax.Array:
        done = self.layout.done
        shape = (done.stop - done.start, self.keys)
        return hk.get_parameter("embedding", shape, init=_orthogonal)

    def _scores(self, embedding: jax.Array, inputs: jax.Array, memory: jax.Array) -> jax.Array:
        """Returns s [B, A]."""
        recalled = jnp.arcsinh(self._recall(embedding, inputs, memory))  # [B, A, V]
        everything = jnp.mean(recalled, axis=1)  # [B, V]
        shared = hk.Linear(self.hidden_size, name="context")(
            jnp.concatenate([inputs, everything], axis=-1)
        )
        direct = jnp.zeros(())
        if self.layout.told is not None:
            told = inputs[:, self.layout.told].reshape(*recalled.shape[:2], -1)  # [B, A, D]
            recalled = jnp.concatenate([recalled, told], axis=-1)
            trust = hk.Linear(
                told.shape[-1], w_init=_SMALL, b_init=_begin_at(self.trust), name="trust"
            )(jax.nn.relu(shared))  # [B, D]
            direct = jnp.sum(trust[:, None, :] * told, axis=-1)  # [B, A]
        own = hk.Linear(self.hidden_size, with_bias=False, name="recall")(recalled)
        hidden = jax.nn.relu(own + shared[:, None, :])  # [B, A, H]
        hidden = jax.nn.relu(hk.Linear(self.hidden_size, name="judge")(hidden))
        return hk.Linear(1, w_init=_SMALL, name="score")(hidden)[..., 0] + direct

    def _recall(self, embedding: jax.Array, inputs: jax.Array, memory: jax.Array) -> jax.Array:
        """Returns r [B, A, V], what is remembered of each action."""
        if self.layout.seen is None:
            return jnp.einsum("ak,bkv->bav", embedding, memory)
        by_state = embedding.reshape(-1, self.layout.actions, self.keys)  # [S, A, K]
        queries = jnp.einsum("bs,sak->bak", inputs[:, self.layout.seen], by_state)
        return jnp.einsum("bak,bkv->bav", queries, memory)

    def _gist(self, inputs: jax.Array, memory: jax.Array) -> jax.Array:
        """Returns g [B, H], of the memory as a whole."""
        flat = memory.reshape(memory.shape[0], -1)
        hidden = jnp.concatenate([inputs, flat], axis=-1)
        hidden = jax.nn.relu(hk.Linear(self.hidden_size, name="read")(hidden))
        return jax.nn.relu(hk.Linear(self.hidden_size, name="think")(hidden))


def _running_sums(start: jax.Array, keys: jax.Array, values: jax.Array) -> jax.Array:
    """Returns the memories [T, B, K, V] after each step."""

    def add(memory: jax.Array, step: tuple[jax.Array, jax.Array]):
        key, value = step
        memory = memory + key[:, :, None] * value[:, None, :]
        return memory, memory

    return jax.lax.scan(add, start, (keys, values))[1]


def _begin_at(numbers: Sequence[float]) -> hk.initializers.Initializer:
    """Returns the initializer of a vector of these numbers; of zeros if there are none."""

    def initial(shape: Sequence[int], dtype: Any) -> jax.Array:
        vector = jnp.asarray(numbers, dtype) if numbers else jnp.zeros(shape, dtype)
        chex.assert_shape(vector, tuple(shape))
        return vector

    return initial


def _orthogonal(shape: Sequence[int], dtype: Any) -> jax.Array:
    return orthogonal()(hk.next_rng_key(), shape, dtype)


_SMALL = hk.initializers.VarianceScaling(1e-4, "fan_in", "truncated_normal")

# Inputs are mostly one-hot, so a value is a sum of few weights whatever their number.
_ORDER_ONE = hk.initializers.RandomNormal(0.5)
