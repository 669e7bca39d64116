"""A linear layer of sequences that is one product of two matrices.

The gradient of W in y[t, b] = W x[t, b] is a sum over steps and batch. A CPU is slower
at a contraction over two axes than at one over the rows of a matrix, so the axes are joined first.
"""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax


def linear(inputs: jax.Array, width: int, **settings: Any) -> jax.Array:
    """Returns W x + b, [..., F] -> [..., width].

    Args:
      inputs: [..., F].
      width: numbers of an output.
      **settings: of `hk.Linear`: "with_bias", "w_init", "name" ...
    """
    rows = inputs.reshape(-1, inputs.shape[-1])
    return hk.Linear(width, **settings)(rows).reshape(*inputs.shape[:-1], width)
