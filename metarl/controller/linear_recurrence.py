"""A linear recurrent unit: a diagonal recurrence without nonlinearity, computed over all steps at once.

  x[t] = λ ∘ x[t-1] + γ ∘ (B u[t]),   y[t] = Re(C x[t]) + d ∘ u[t]        x, λ, B, C complex
  λ = exp(-exp(ν) + i exp(θ)),        γ at first √(1 - |λ|²)
  f(u) = (W gelu(y)) ∘ σ(V gelu(y))

|λ| < 1 whatever is learnt, so nothing explodes; at first λ is spread over a ring near the unit circle, where
little is forgotten, and γ keeps x of the size of u however near that is. What is nonlinear happens at each
step alone, in the gate, and between layers. As the recurrence is linear, T steps are one associative scan,

  (a, x) ∘ (b, y) = (a b, b x + y)

of depth log T, and the state is carried step by step only when the network acts. A CPU gains nothing by the
depth and loses by that scan's additional products; there the T steps are T steps.

Letters: T steps; B batch; D hidden units; N complex units of the state.

Reference: Orvieto et al. (2023), arXiv:2303.06349, sections 3.2 to 3.4, appendix A (the layer, its
initial ring and γ), figure 1 (the block, here with layer norm as in `residual`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from .cores import Core
from .linear import linear
from .residual import ResidualStack

_Element = tuple[jax.Array, jax.Array]

RING = (0.9, 0.999)  # of the first |λ|
ARC = math.pi / 10  # of the first phases, from 0: the paper's choice for long sequences


def lru(hidden_size: int, layers: int = 2) -> Core:
    """Returns the maker of a stack of linear recurrent units, N = D.

    Args:
      hidden_size: D.
      layers: how many units, one above the other.
    """
    unit = functools.partial(LinearRecurrentUnit, hidden_size, name="unit")
    return functools.partial(ResidualStack, hidden_size, (unit,) * layers, name="lru")


class LinearRecurrentUnit(hk.RNNCore):
    """The recurrence and its gate; what it takes is normalised, and what it gives is added, by the stack."""

    def __init__(
        self,
        state_size: int,
        ring: tuple[float, float] = RING,
        arc: float = ARC,
        name: str | None = None,
    ):
        """Makes the layer.

        Args:
          state_size: N.
          ring: between which |λ| is drawn, uniformly over the area, 0 <= first < second < 1.
          arc: the largest phase of λ at first.
          name: of the module.
        """
        super().__init__(name=name)
        self.state_size = state_size
        self.ring = ring
        self.arc = arc

    def __call__(self, inputs: jax.Array, prev_state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Takes one step: inputs [B, D] and x [B, N] -> outputs [B, D] and the next x."""
        outputs, state = self.unroll(inputs[None], prev_state)
        return outputs[0], state

    def unroll(
        self, inputs: jax.Array, state: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Takes T steps at once: inputs [T, B, D] -> outputs [T, B, D], and x after the last [B, N]."""
        chex.assert_rank(inputs, 3)
        decay, scale = self._decay_and_scale()  # [N] complex, [N]
        driven = self._complex("drive", inputs) * scale[None, None]  # [T, B, N] complex
        if state is not None:
            driven = driven.at[0].add(decay[None] * state)
        states = recur(decay, driven)
        outputs = self._read(states, inputs)
        return outputs, states[-1]

    def initial_state(self, batch_size: int | None) -> jax.Array:
        """Returns zeros [B, N]."""
        leading = () if batch_size is None else (batch_size,)
        return jnp.zeros((*leading, self.state_size), jnp.complex64)

    def _decay_and_scale(self) -> tuple[jax.Array, jax.Array]:
        """Returns λ and γ."""
        shape = (self.state_size,)
        rate = jnp.exp(hk.get_parameter("log_rate", shape, init=_on_ring(*self.ring)))
        phase = jnp.exp(hk.get_parameter("log_phase", shape, init=_on_arc(self.arc)))

        def balance(shape: Sequence[int], dtype: Any) -> jax.Array:
            del shape
            return (0.5 * jnp.log(-jnp.expm1(-2 * rate))).astype(dtype)  # |λ|² = exp(-2 rate)

        scale = jnp.exp(hk.get_parameter("log_scale", shape, init=balance))
        return jnp.exp(jax.lax.complex(-rate, phase)), scale

    def _complex(self, name: str, inputs: jax.Array) -> jax.Array:
        """Returns B u [T, B, N]; its real and imaginary parts are matrices of their own."""
        half = hk.initializers.RandomNormal(1 / math.sqrt(2 * inputs.shape[-1]))
        real, imaginary = (
            linear(inputs, self.state_size, with_bias=False, w_init=half, name=f"{name}_{part}")
            for part in ("real", "imaginary")
        )
        return jax.lax.complex(real, imaginary)

    def _read(self, states: jax.Array, inputs: jax.Array) -> jax.Array:
        """Returns f [T, B, D]."""
        width = inputs.shape[-1]
        initial = hk.initializers.RandomNormal(1 / math.sqrt(self.state_size))
        read = functools.partial(linear, width=width, with_bias=False, w_init=initial)
        seen = read(states.real, name="read_real") - read(states.imag, name="read_imaginary")
        through = hk.get_parameter("through", (width,), init=hk.initializers.RandomNormal(1.0))
        active = jax.nn.gelu(seen + through[None, None] * inputs)
        gate = jax.nn.sigmoid(linear(active, width, name="gate"))
        return linear(active, width, name="output") * gate


def recur(decay: jax.Array, driven: jax.Array) -> jax.Array:
    """Computes x[t] = λ ∘ x[t-1] + v[t] for all t, x before the first being 0.

    Args:
      decay: λ [N].
      driven: v [T, B, N].

    Returns:
      x [T, B, N]; in T steps on a CPU, in log T elsewhere.
    """
    return jax.lax.platform_dependent(decay, driven, cpu=recur_by_step, default=recur_at_once)


def recur_by_step(decay: jax.Array, driven: jax.Array) -> jax.Array:
    """Does what `recur` does in T steps."""

    def advance(state: jax.Array, drive: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = decay[None] * state + drive
        return state, state

    return jax.lax.scan(advance, jnp.zeros_like(driven[0]), driven)[1]


def recur_at_once(decay: jax.Array, driven: jax.Array) -> jax.Array:
    """Does what `recur` does in log T steps."""

    def join(first: _Element, second: _Element) -> _Element:
        (a, x), (b, y) = first, second
        return a * b, b * x + y

    decays = jnp.broadcast_to(decay[None, None], (driven.shape[0], 1, decay.shape[0]))
    return jax.lax.associative_scan(join, (decays, driven))[1]


def _on_ring(inner: float, outer: float) -> Callable[..., jax.Array]:
    """Returns the initial ν = log(-log |λ|), λ uniform over the ring."""

    def draw(shape: Sequence[int], dtype: Any) -> jax.Array:
        share = jax.random.uniform(hk.next_rng_key(), shape, dtype)
        squared = inner**2 + share * (outer**2 - inner**2)  # |λ|²
        return jnp.log(-0.5 * jnp.log(jnp.maximum(squared, 1e-12)))

    return draw


def _on_arc(arc: float) -> Callable[..., jax.Array]:
    """Returns the initial θ = log of a phase that is uniform from 0 to `arc`."""

    def draw(shape: Sequence[int], dtype: Any) -> jax.Array:
        share = jax.random.uniform(hk.next_rng_key(), shape, dtype, minval=1e-6)
        return jnp.log(arc * share)

    return draw
