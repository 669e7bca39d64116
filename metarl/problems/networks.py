"""Small networks as plain functions over dicts of arrays, written to be quick on a CPU.

A `Network` is a pair of pure functions. Those here are few fused operations: on a CPU a training
step of tens of microseconds is mostly overhead per operation.

Letters: B examples, D inputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from metarl.errors import require

from .problem import ModelState, Params

Activation = Callable[[jax.Array], jax.Array]


class Network(NamedTuple):
    """A model: how it starts and what it computes."""

    init: Callable[[jax.Array], tuple[Params, ModelState]]
    """key -> parameters, model state."""
    apply: Callable[[Params, ModelState, jax.Array, bool], tuple[jax.Array, ModelState]]
    """parameters, model state, inputs [B, ...], training -> outputs [B, ...], next model state."""
    at_width: Callable[[float], Network] | None = None
    """factor -> the network with hidden layers so many times as wide; None when it has none."""


def stateless(
    init: Callable[[jax.Array], Params],
    apply: Callable[[Params, jax.Array], jax.Array],
    at_width: Callable[[float], Network] | None = None,
) -> Network:
    """Returns the network of `init(key) -> params` and `apply(params, inputs) -> outputs`."""
    return Network(
        init=lambda key: (init(key), ()),
        apply=lambda params, model_state, inputs, training: (apply(params, inputs), model_state),
        at_width=at_width,
    )


def widened(units: int, factor: float) -> int:
    """Returns so many times as many units, rounded, at least 1."""
    return max(1, round(units * factor))


def mlp(*sizes: int, activation: Activation = jax.nn.relu) -> Network:
    """Returns a fully connected network.

    Args:
      *sizes: units of every layer, from the inputs to the outputs: `mlp(64, 64, 10)`.
      activation: of the hidden units.

    Returns:
      A network from [B, sizes[0]] to [B, sizes[-1]]. Hidden weights start as He et al. (2015),
      output weights as Glorot and Bengio (2010), both normal; biases at zero.

    Raises:
      InvalidInput: there are fewer than two sizes, or one is below 1.
    """
    require(
        len(sizes) >= 2 and all(isinstance(size, int) and size >= 1 for size in sizes),
        f"mlp takes at least two whole numbers of units, not {sizes}.",
    )
    last = len(sizes) - 2

    def init(key: jax.Array) -> Params:
        params = {}
        for layer, layer_key in enumerate(jax.random.split(key, last + 1)):
            scale = glorot if layer == last else he
            shape = (sizes[layer], sizes[layer + 1])
            params[f"w{layer}"] = normal(layer_key, shape, scale(*shape))
            params[f"b{layer}"] = jnp.zeros(shape[1], jnp.float32)
        return params

    def apply(params: Params, inputs: jax.Array) -> jax.Array:
        hidden = inputs  # [B, D]
        for layer in range(last + 1):
            hidden = affine(hidden, params[f"w{layer}"], params[f"b{layer}"])
            hidden = hidden if layer == last else activation(hidden)
        return hidden

    def at_width(factor: float) -> Network:
        hidden = [widened(units, factor) for units in sizes[1:-1]]
        return mlp(*sizes[:1], *hidden, *sizes[-1:], activation=activation)

    return stateless(init, apply, at_width if len(sizes) > 2 else None)


def linear(inputs: int, outputs: int) -> Network:
    """Returns an affine map from [B, inputs] to [B, outputs] that starts at zero."""

    def init(key: jax.Array) -> Params:
        del key  # nothing is drawn
        return {
            "w": jnp.zeros((inputs, outputs), jnp.float32),
            "b": jnp.zeros(outputs, jnp.float32),
        }

    return stateless(init, lambda params, rows: affine(rows, params["w"], params["b"]))


def in_series(first: Network, second: Network) -> Network:
    """Returns the network whose outputs are those of `second` given the outputs of `first`.

    Its parameters are {"first": ..., "second": ...}, its model state the pair of both. What the first hands to the
    second keeps its size at other widths.
    """

    def init(key: jax.Array) -> tuple[Params, ModelState]:
        first_key, second_key = jax.random.split(key)
        starts = first.init(first_key), second.init(second_key)
        params = {"first": starts[0][0], "second": starts[1][0]}
        return params, (starts[0][1], starts[1][1])

    def apply(params: Params, model_state: ModelState, inputs: jax.Array, training: bool):
        hidden, first_state = first.apply(params["first"], model_state[0], inputs, training)
        outputs, second_state = second.apply(params["second"], model_state[1], hidden, training)
        return outputs, (first_state, second_state)

    def at_width(factor: float) -> Network:
        return in_series(*(n.at_width(factor) if n.at_width else n for n in (first, second)))

    return Network(init, apply, at_width if first.at_width or second.at_width else None)


def affine(rows: jax.Array, weights: jax.Array, bias: jax.Array) -> jax.Array:
    """Returns rows [B, D] @ weights [D, H] + bias [H]."""
    return rows @ weights + bias[None, :]


def he(fan_in: int, fan_out: int) -> float:
    """Returns the standard deviation that keeps the size of ReLU activations, sqrt(2 / fan_in)."""
    del fan_out
    return (2.0 / fan_in) ** 0.5


def glorot(fan_in: int, fan_out: int) -> float:
    """Returns the standard deviation sqrt(2 / (fan_in + fan_out))."""
    return (2.0 / (fan_in + fan_out)) ** 0.5


def normal(key: jax.Array, shape: tuple[int, ...], deviation: float) -> jax.Array:
    """Returns float32 normal weights of mean 0."""
    return deviation * jax.random.normal(key, shape, jnp.float32)
