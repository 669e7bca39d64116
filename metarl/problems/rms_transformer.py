"""A transformer of today's kind: RMS norm, gated hidden units, one table for reading and writing letters.

A block adds to its inputs x first attention(norm(x)), then W₃ (silu(W₁ norm(x)) ⊙ W₂ norm(x)); there are no biases, and
norm(x) = scale ⊙ x / rms(x). The table that characters are looked up in gives the logits, too ("tied"). It learns the
next character of Python's documentation, in the windows of language.py, and to look a key up among pairs (recall.py).

Letters: B windows, T characters, V known ones, H width, A heads, M gated units.

Reference: Zhang and Sennrich (2019), Root Mean Square Layer Normalization; Shazeer (2020), GLU Variants Improve
Transformer; Press and Wolf (2017), Using the Output Embedding to Improve Language Models.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .catalogue import CARDS
from .language import ALPHABET, PREDICTED, surprise_problem
from .networks import glorot, normal
from .problem import Params, Problem
from .supervised import cross_entropy
from .transformer import attention

_BLOCKS = 1
_WIDTH, _HEADS, _GATED = 32, 2, 48  # H, A, M


def python_docs_rms() -> Problem:
    """Returns the prediction of every next character in a window by one block.

    The loss is the mean cross-entropy in nats, the metric the same in bits.
    """
    return surprise_problem(CARDS["python-docs-rms"], _start, _surprise)


def _start(key: jax.Array) -> Params:
    letters, places, *keys = jax.random.split(key, 2 + _BLOCKS)
    return {
        "letters": normal(letters, (len(ALPHABET), _WIDTH), 0.1),
        "places": normal(places, (PREDICTED, _WIDTH), 0.1),
        "blocks": [block_start(key, _WIDTH, _GATED) for key in keys],
        "norm": jnp.ones(_WIDTH, jnp.float32),
    }


def block_start(key: jax.Array, width: int, gated: int) -> Params:
    """Returns the parameters of a block of H units and M gated ones: Glorot weights, scales at one."""
    look, out, gate, up, down = jax.random.split(key, 5)
    return {
        "norm0": jnp.ones(width, jnp.float32),
        "look": normal(look, (width, 3 * width), glorot(width, width)),
        "out": normal(out, (width, width), glorot(width, width)),
        "norm1": jnp.ones(width, jnp.float32),
        "gate": normal(gate, (width, gated), glorot(width, gated)),
        "up": normal(up, (width, gated), glorot(width, gated)),
        "down": normal(down, (gated, width), glorot(gated, width)),
    }


def _surprise(params: Params, characters: jax.Array) -> jax.Array:
    """Returns the mean cross-entropy in nats of characters [B, T + 1] given those before."""
    characters = characters.astype(jnp.int32)
    hidden = params["letters"][characters[:, :-1]] + params["places"][None, :, :]  # [B, T, H]
    for block in params["blocks"]:
        hidden = through_block(block, hidden, _HEADS)
    flat = rms_norm(hidden, params["norm"]).reshape(-1, _WIDTH)
    return cross_entropy(flat @ params["letters"].T, characters[:, 1:].reshape(-1))


def through_block(block: Params, hidden: jax.Array, heads: int) -> jax.Array:
    """Returns x [B, T, H] after one block; a place attends to itself and those before it.

    Args:
      block: see `block_start`.
      hidden: x [B, T, H].
      heads: A, a divisor of H.
    """
    seen = rms_norm(hidden, block["norm0"])
    hidden = hidden + attention(seen, block["look"], block["out"], heads)
    inner = rms_norm(hidden, block["norm1"]).reshape(-1, hidden.shape[2])  # [B T, H]
    inner = jax.nn.silu(inner @ block["gate"]) * (inner @ block["up"])  # [B T, M]
    return hidden + (inner @ block["down"]).reshape(hidden.shape)


def rms_norm(rows: jax.Array, scale: jax.Array) -> jax.Array:
    """Returns scale x / sqrt(mean of x² + 1e-6), the mean over the last axis.

    Args:
      rows: x [B, T, H].
      scale: [H].

    Reference:
      Zhang and Sennrich (2019), Root Mean Square Layer Normalization, equation 4.
    """
    square = jnp.mean(jnp.square(rows), axis=2, keepdims=True)
    return rows * jax.lax.rsqrt(square + 1e-6) * scale[None, None, :]
