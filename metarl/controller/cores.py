"""Recurrent cores: what all of them do, and two of them, LSTM and GRU.

A core is made where a network is built, so what is handed around is the function that makes it. It
takes one step, and it may have a method `unroll` that takes many at once; `unroll` here does so with
any core. The LSTM is haiku's. The GRU applies its reset gate after the recurrent product, and can
take the form of the RL² paper: ReLU candidate and normalised weights.

Letters: T steps; B batch; F features; H hidden units.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import chex
import haiku as hk
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer, normal, orthogonal, xavier_uniform

Core = Callable[[], hk.RNNCore]
Activation = Callable[[jax.Array], jax.Array]


def unroll(core: hk.RNNCore, inputs: jax.Array, state: Any = None) -> tuple[jax.Array, Any]:
    """Takes T steps, to be run inside a haiku transform; the same as T single ones.

    A core that need not take them one by one has a method of this name and form; of any other they
    are scanned. Rows of a batch are whole sequences: nothing is reset between their steps.

    Args:
      core: which.
      inputs: [T, B, F].
      state: before the first step; None begins a sequence, which may cost less than the same state
        handed over.

    Returns:
      The outputs [T, B, ...], and the state after the last step.
    """
    own = getattr(core, "unroll", None)
    if own is not None:
        return own(inputs, state)
    start = core.initial_state(inputs.shape[1]) if state is None else state

    def advance(state: Any, features: jax.Array) -> tuple[Any, Any]:
        outputs, state = core(features, state)
        return state, outputs

    state, outputs = hk.scan(advance, start, inputs)
    return outputs, state


def lstm(hidden_size: int) -> Core:
    """Returns the maker of an LSTM whose forget gate starts open."""
    return functools.partial(hk.LSTM, hidden_size, name="lstm")


def gru(
    hidden_size: int,
    activation: Activation = jnp.tanh,
    normalise_weights: bool = False,
    input_deviation: float | None = None,
) -> Core:
    """Returns the maker of a `GatedRecurrentUnit`."""
    return functools.partial(
        GatedRecurrentUnit,
        hidden_size,
        activation,
        normalise_weights,
        input_deviation,
        name="gru",
    )


class GatedRecurrentUnit(hk.RNNCore):
    """A GRU that resets after the recurrent product.

      r, z = σ(W x + U h + b),   c = f(W_c x + r ∘ (U_c h) + b_c),   h' = (1 - z) ∘ h + z ∘ c

    Matrices from input to hidden start Xavier uniform unless told otherwise, hidden to hidden orthogonal (each gate for
    itself), biases at 0.

    Reference: Cho et al. (2014), arXiv:1406.1078; the ReLU candidate and the normalised weights:
    Duan et al. (2016), arXiv:1611.02779; weight normalisation: Salimans & Kingma (2016),
    arXiv:1602.07868.
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Activation = jnp.tanh,
        normalise_weights: bool = False,
        input_deviation: float | None = None,
        name: str | None = None,
    ):
        """Makes the core.

        Args:
          hidden_size: H.
          activation: f, of the candidate.
          normalise_weights: keep every column of W and U at a learnt length, which starts at 1.
          input_deviation: of the first weights from the input, which are drawn from a normal
            distribution; None draws them Xavier uniform, for which one-hot inputs are small.
          name: of the module.
        """
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.activation = activation
        self.normalise_weights = normalise_weights
        self.input_deviation = input_deviation

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the output and the next state, which are the same [B, H], of inputs [B, F]."""
        chex.assert_rank([inputs, prev_state], 2)
        deviation = self.input_deviation
        initial = _xavier if deviation is None else normal(deviation)
        from_input = inputs @ self._matrix("input_weights", inputs.shape[-1], initial)  # [B, 3H]
        from_state = prev_state @ self._matrix("hidden_weights", self.hidden_size, _orthogonal)
        bias = hk.get_parameter("bias", (3 * self.hidden_size,), init=jnp.zeros)
        from_input = from_input + bias[None]

        input_r, input_z, input_c = jnp.split(from_input, 3, axis=-1)  # each [B, H]
        state_r, state_z, state_c = jnp.split(from_state, 3, axis=-1)
        reset = jax.nn.sigmoid(input_r + state_r)
        renew = jax.nn.sigmoid(input_z + state_z)
        candidate = self.activation(input_c + reset * state_c)
        state = (1 - renew) * prev_state + renew * candidate
        return state, state

    def initial_state(self, batch_size: int | None) -> jax.Array:
        """Returns zeros [B, H]."""
        leading = () if batch_size is None else (batch_size,)
        return jnp.zeros((*leading, self.hidden_size))

    def _matrix(self, name: str, rows: int, initial: Initializer) -> jax.Array:
        columns = 3 * self.hidden_size
        matrix = hk.get_parameter(name, (rows, columns), init=functools.partial(_per_gate, initial))
        if not self.normalise_weights:
            return matrix
        length = hk.get_parameter(f"{name}_length", (columns,), init=jnp.ones)
        norm = jnp.sqrt(jnp.sum(matrix**2, axis=0, keepdims=True) + 1e-12)  # [1, 3H]
        return matrix * (length[None] / norm)


def _per_gate(initial: Initializer, shape: Sequence[int], dtype: Any) -> jax.Array:
    """Draws the blocks [rows, H] of the three gates one by one, as each is a matrix of its own."""
    rows, columns = shape
    return jnp.concatenate(
        [initial(hk.next_rng_key(), (rows, columns // 3), dtype) for _ in range(3)], axis=-1
    )


_xavier = xavier_uniform()
_orthogonal = orthogonal()
