"""Small networks as plain functions over dicts of arrays, written to be quick on a CPU.

A `Network` is a pair of pure functions. Those here are few fused operations: on a CPU a training
step of tens of microseconds is mostly overhead per operation. Convolutions are nine shifted copies
and one matrix product, because XLA's own convolution is several times slower on small images and
hundreds of times slower under `vmap` over weights.

Letters: B examples, D inputs, H hidden units, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from metarl.errors import require

from .problem import ModelState, Params


class Network(NamedTuple):
    """A model: how it starts and what it computes."""

    init: Callable[[jax.Array], tuple[Params, ModelState]]
    """key -> parameters, model state."""
    apply: Callable[[Params, ModelState, jax.Array, bool], tuple[jax.Array, ModelState]]
    """parameters, model state, inputs [B, ...], training -> outputs [B, ...], next model state."""


def stateless(
    init: Callable[[jax.Array], Params], apply: Callable[[Params, jax.Array], jax.Array]
) -> Network:
    """Returns the network of `init(key) -> params` and `apply(params, inputs) -> outputs`."""
    return Network(
        init=lambda key: (init(key), ()),
        apply=lambda params, model_state, inputs, training: (apply(params, inputs), model_state),
    )


def mlp(*sizes: int) -> Network:
    """Returns a fully connected ReLU network.

    Args:
      *sizes: units of every layer, from the inputs to the outputs: `mlp(64, 64, 10)`.

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
            params[f"w{layer}"] = _normal(layer_key, shape, scale(*shape))
            params[f"b{layer}"] = jnp.zeros(shape[1], jnp.float32)
        return params

    def apply(params: Params, inputs: jax.Array) -> jax.Array:
        hidden = inputs  # [B, D]
        for layer in range(last + 1):
            hidden = affine(hidden, params[f"w{layer}"], params[f"b{layer}"])
            hidden = hidden if layer == last else jax.nn.relu(hidden)
        return hidden

    return stateless(init, apply)


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

    Its parameters are {"first": ..., "second": ...}, its model state the pair of both.
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

    return Network(init, apply)


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


def conv_net(channels: int = 16, classes: int = 10) -> Network:
    """Returns the child network of neural optimizer search, for 8x8 images and fewer filters.

    Twice a 3x3 convolution, batch normalisation, ReLU and a 2x2 mean; then an affine map of the 2x2
    channels that are left. Inputs are flat images [B, 64].

    Differs from the paper: 16 filters for 32, 8x8 grey images for CIFAR-10, pooling made explicit.

    Args:
      channels: filters of each convolution.
      classes: outputs.

    Returns:
      A network from [B, 64] to [B, classes]; its model state holds the running means and variances.

    Reference:
      Bello et al. (2017), Neural Optimizer Search with Reinforcement Learning, section 5.
    """

    def init(key: jax.Array) -> tuple[Params, ModelState]:
        first, second, head = jax.random.split(key, 3)
        params = {
            "conv0": _normal(first, (3, 3, 1, channels), he(9, channels)),
            "conv1": _normal(second, (3, 3, channels, channels), he(9 * channels, channels)),
            "head": _normal(head, (4 * channels, classes), glorot(4 * channels, classes)),
            "head_bias": jnp.zeros(classes, jnp.float32),
        }
        for layer in "01":
            params["scale" + layer] = jnp.ones(channels, jnp.float32)
            params["shift" + layer] = jnp.zeros(channels, jnp.float32)
        start = Moments(jnp.zeros(channels, jnp.float32), jnp.ones(channels, jnp.float32))
        return params, {"norm0": start, "norm1": start}

    def apply(params: Params, model_state: ModelState, inputs: jax.Array, training: bool):
        hidden, following = inputs.reshape(-1, 8, 8, 1), {}  # [B, 8, 8, 1]
        for layer in "01":
            hidden = conv3x3(hidden, params["conv" + layer])
            hidden, following["norm" + layer] = batch_norm(
                hidden,
                params["scale" + layer],
                params["shift" + layer],
                model_state["norm" + layer],
                training,
            )
            hidden = mean_pool(jax.nn.relu(hidden))  # [B, 4, 4, C], then [B, 2, 2, C]
        flat = hidden.reshape(hidden.shape[0], -1)  # [B, 4 C]
        return affine(flat, params["head"], params["head_bias"]), following

    return Network(init, apply)


def conv3x3(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the 3x3 convolution with zero padding: nine shifted copies and one matrix product.

    Args:
      images: [B, height, width, C].
      kernel: [3, 3, C, F].

    Returns:
      [B, height, width, F], as `jax.lax.conv_general_dilated` in layout NHWC, HWIO, padding "SAME".
    """
    batch, height, width, _ = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    patches = jnp.concatenate(shifted, axis=3)  # [B, height, width, 9 C]
    flat = kernel.reshape(-1, kernel.shape[3])  # [9 C, F]
    return (patches.reshape(-1, len(flat)) @ flat).reshape(batch, height, width, -1)


class Moments(NamedTuple):
    """Running statistics of a batch normalisation."""

    mean: jax.Array  # [C]
    variance: jax.Array  # [C]


def batch_norm(
    images: jax.Array, scale: jax.Array, shift: jax.Array, running: Moments, training: bool
) -> tuple[jax.Array, Moments]:
    """Returns images with every channel normalised, and the next running statistics.

    In training: y = scale (x - mean) / sqrt(variance + 1e-5) + shift with the batch's own moments,
    and running <- 0.9 running + 0.1 batch; in evaluation with the running moments.

    Args:
      images: [B, height, width, C].
      scale: [C].
      shift: [C].
      running: the statistics so far.
      training: which of the two.

    Returns:
      The normalised images [B, height, width, C] and the statistics to keep.

    Reference:
      Ioffe and Szegedy (2015), Batch Normalization.
    """
    used = running
    if training:
        mean = jnp.mean(images, axis=(0, 1, 2))
        variance = jnp.mean(jnp.square(images), axis=(0, 1, 2)) - jnp.square(mean)
        used = Moments(mean, jnp.maximum(variance, 0.0))  # rounding may leave -1e-8
        running = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, running, used)
    factor = scale * jax.lax.rsqrt(used.variance + 1e-5)  # [C]
    offset = shift - used.mean * factor  # [C]
    return images * factor[None, None, None, :] + offset[None, None, None, :], running


def mean_pool(images: jax.Array) -> jax.Array:
    """Returns the means over 2x2 squares: [B, 2 h, 2 w, C] to [B, h, w, C]."""
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return jnp.mean(squares, axis=(2, 4))


def _normal(key: jax.Array, shape: tuple[int, ...], deviation: float) -> jax.Array:
    """Returns float32 normal weights."""
    return deviation * jax.random.normal(key, shape, jnp.float32)
