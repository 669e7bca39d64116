"""Pairs of keys and values, then one of the keys: what was its value?

A window is five pairs with different keys, each pair one place, and the key that is asked for. Nothing but attention
to the right pair answers it: values are drawn anew for every window.

Letters: B windows, T = 6 places, K = 12 keys and as many values, H width.

Reference: Ba et al. (2016), Using Fast Weights to Attend to the Recent Past, section 4.1. Differs from it: a pair is
one place.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from .catalogue import CARDS
from .networks import Network, affine, normal, stateless
from .problem import Params, Problem
from .rms_transformer import block_start, rms_norm, through_block
from .supervised import classification

_PAIRS, _KEYS = 5, 12
_WIDTH, _HEADS, _GATED = 16, 1, 24
_EXAMPLES = 8192


def recall() -> Problem:
    """Returns the problem of looking a key up, by one block of a transformer."""
    return classification(CARDS["recall"], _network(), _windows, standardise=False)


def _network() -> Network:
    def init(key: jax.Array) -> Params:
        keys, values, block, head = jax.random.split(key, 4)
        return {
            "keys": normal(keys, (_KEYS, _WIDTH), 1.0),
            "values": normal(values, (_KEYS + 1, _WIDTH), 1.0),  # the last is that of the question
            "block": block_start(block, _WIDTH, _GATED),
            "norm": jnp.ones(_WIDTH, jnp.float32),
            "head": normal(head, (_WIDTH, _KEYS), 0.1),
            "head_bias": jnp.zeros(_KEYS, jnp.float32),
        }

    def apply(params: Params, windows: jax.Array) -> jax.Array:
        pairs = windows.astype(jnp.int32)  # [B, T, 2]
        hidden = params["keys"][pairs[:, :, 0]] + params["values"][pairs[:, :, 1]]  # [B, T, H]
        hidden = through_block(params["block"], hidden, _HEADS)
        last = rms_norm(hidden, params["norm"])[:, -1]  # [B, H]
        return affine(last, params["head"], params["head_bias"])

    return stateless(init, apply)


@functools.cache
def _windows() -> tuple[np.ndarray, np.ndarray]:
    """Returns places [n, T, 2], key and value, and the value that is asked for [n]."""
    stream = np.random.RandomState(0)
    keys = np.argsort(stream.uniform(size=(_EXAMPLES, _KEYS)), axis=1)[:, :_PAIRS]
    values = stream.randint(_KEYS, size=(_EXAMPLES, _PAIRS))
    asked = stream.randint(_PAIRS, size=(_EXAMPLES, 1))
    question = np.take_along_axis(keys, asked, axis=1)
    places = np.stack(
        [
            np.concatenate([keys, question], axis=1),
            np.concatenate([values, np.full_like(asked, _KEYS)], axis=1),
        ],
        axis=2,
    )
    return places, np.take_along_axis(values, asked, axis=1)[:, 0]
