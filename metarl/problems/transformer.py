"""A small transformer on Python's documentation: layer norm, attention to the past, two blocks.

A block adds to its inputs x first attention(norm(x)), then mlp(norm(x)), norms in front ("pre-norm"). A head
attends from each character to itself and those before it. The text and its windows are those of
language.py.

Letters: B windows, T = 32 characters, V = 96 characters known, H width, A heads, M hidden units.

Reference: Vaswani et al. (2017), Attention Is All You Need; Xiong et al. (2020), On Layer
Normalization in the Transformer Architecture.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from .catalogue import CARDS
from .language import ALPHABET, PREDICTED, surprise_problem
from .networks import affine, glorot, he, normal, widened
from .problem import Card, Params, Problem
from .supervised import cross_entropy

_BLOCKS = 2
_HEAD = 16  # H / A


class _Size(NamedTuple):
    """What a transformer's arrays measure."""

    width: int  # H
    heads: int  # A
    hidden: int  # M


def python_docs_transformer() -> Problem:
    """Returns the prediction of every next character in a window by a transformer of two blocks.

    The loss is the mean cross-entropy in nats, the metric the same in bits.
    """
    return _transformer(CARDS["python-docs-transformer"], _Size(width=32, heads=2, hidden=64))


def wide_transformer(width: int) -> Problem:
    """Returns the same problem by blocks of another width, heads of 16 units, twice as many hidden units.

    Args:
      width: H, a multiple of 16; 32 is `python_docs_transformer` by another name.

    Raises:
      InvalidInput: the width is none.
    """
    require(
        width >= _HEAD and width % _HEAD == 0,
        f"A transformer's width is a multiple of {_HEAD}, one head's; received {width}.",
    )
    card = dataclasses.replace(
        CARDS["python-docs-transformer"],
        name=f"python-docs-transformer-{width}",
        description=f"Next character by two layer-norm transformer blocks of width {width}.",
    )
    return _transformer(card, _Size(width, width // _HEAD, 2 * width))


def _transformer(card: Card, size: _Size) -> Problem:
    """Returns the problem; at other widths it has as many heads, each so many times as wide."""

    def at_width(factor: float) -> Problem:
        width = size.heads * widened(size.width // size.heads, factor)
        return _transformer(card, _Size(width, size.heads, widened(size.hidden, factor)))

    surprise = functools.partial(_surprise, heads=size.heads)
    start = functools.partial(_start, size=size)
    return surprise_problem(card, start, surprise, at_width=at_width)


def _start(key: jax.Array, size: _Size) -> Params:
    """Returns the parameters: Glorot weights, norms that change nothing, biases at zero."""
    width = size.width
    letters, places, head, *keys = jax.random.split(key, 3 + _BLOCKS)
    return {
        "letters": normal(letters, (len(ALPHABET), width), 0.1),
        "places": normal(places, (PREDICTED, width), 0.1),
        "blocks": [block_start(key, width, size.hidden) for key in keys],
        "norm": norm_start(width),
        "head": normal(head, (width, len(ALPHABET)), glorot(width, len(ALPHABET))),
        "head_bias": jnp.zeros(len(ALPHABET), jnp.float32),
    }


def block_start(key: jax.Array, width: int, hidden: int) -> Params:
    """Returns the parameters of a block of H units and M hidden ones."""
    look, out, up, down = jax.random.split(key, 4)
    return {
        "norm0": norm_start(width),
        "look": normal(look, (width, 3 * width), glorot(width, width)),
        "out": normal(out, (width, width), glorot(width, width)),
        "norm1": norm_start(width),
        "up": normal(up, (width, hidden), he(width, hidden)),
        "up_bias": jnp.zeros(hidden, jnp.float32),
        "down": normal(down, (hidden, width), glorot(hidden, width)),
        "down_bias": jnp.zeros(width, jnp.float32),
    }


def norm_start(width: int) -> Params:
    """Returns the scale and shift of a norm that change nothing, [H] each."""
    return {"scale": jnp.ones(width, jnp.float32), "shift": jnp.zeros(width, jnp.float32)}


def _surprise(params: Params, characters: jax.Array, heads: int) -> jax.Array:
    """Returns the mean cross-entropy in nats of characters [B, T + 1] given those before, by A heads."""
    width = params["letters"].shape[1]
    characters = characters.astype(jnp.int32)
    given, following = characters[:, :-1], characters[:, 1:]
    hidden = params["letters"][given] + params["places"][None, :, :]  # [B, T, H]
    for block in params["blocks"]:
        hidden = through_block(block, hidden, heads)
    flat = layer_norm(hidden, **params["norm"]).reshape(-1, width)
    logits = affine(flat, params["head"], params["head_bias"])  # [B T, V]
    return cross_entropy(logits, following.reshape(-1))


def through_block(
    block: Params, hidden: jax.Array, heads: int, past_only: bool = True
) -> jax.Array:
    """Returns x [B, T, H] after one block.

    Args:
      block: see `block_start`.
      hidden: x [B, T, H].
      heads: A, a divisor of H.
      past_only: whether a place attends to itself and those before it alone.
    """
    width = hidden.shape[2]
    hidden = hidden + attention(
        layer_norm(hidden, **block["norm0"]), block["look"], block["out"], heads, past_only
    )
    inner = layer_norm(hidden, **block["norm1"]).reshape(-1, width)  # [B T, H]
    inner = jax.nn.relu(affine(inner, block["up"], block["up_bias"]))  # [B T, M]
    return hidden + affine(inner, block["down"], block["down_bias"]).reshape(hidden.shape)


def layer_norm(rows: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """Returns scale (x - mean) / sqrt(variance + 1e-5) + shift, moments over the last axis.

    Args:
      rows: x [B, T, H].
      scale: [H].
      shift: [H].

    Reference:
      Ba, Kiros and Hinton (2016), Layer Normalization.
    """
    centred = rows - jnp.mean(rows, axis=2, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=2, keepdims=True)
    return centred * jax.lax.rsqrt(variance + 1e-5) * scale[None, None, :] + shift[None, None, :]


def attention(
    rows: jax.Array, look: jax.Array, out: jax.Array, heads: int, past_only: bool = True
) -> jax.Array:
    """Returns what every place reads from itself and the places before it, or from all.

    A head's weights are softmax(q k' / sqrt(H / A)) over the places that it may read.

    Args:
      rows: [B, T, H].
      look: queries, keys and values in one product [H, 3 H]; of each, head after head.
      out: mixes the heads' readings [H, H].
      heads: A, a divisor of H.
      past_only: whether a place reads those up to its own alone.

    Returns:
      [B, T, H].
    """
    batch, length, width = rows.shape
    looked = (rows.reshape(-1, width) @ look).reshape(batch, length, 3, heads, width // heads)
    queries, keys, values = jnp.moveaxis(looked, (2, 3), (0, 2))  # each [B, A, T, H / A]
    scores = queries @ jnp.swapaxes(keys, 2, 3) * (heads / width) ** 0.5  # [B, A, T, T]
    if past_only:
        scores = jnp.where(_past(length)[None, None, :, :], scores, -1e9)
    read = jax.nn.softmax(scores, axis=3) @ values  # [B, A, T, H / A]
    return (jnp.swapaxes(read, 1, 2).reshape(-1, width) @ out).reshape(rows.shape)


@functools.cache
def _past(length: int) -> np.ndarray:
    """Returns which places [T, T] a place may read: row by row itself and those before."""
    return np.tri(length, dtype=bool)
