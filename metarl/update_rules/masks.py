"""Which tokens may come next: the sizes of the vocabularies and the paper's three constraints.

One formula for numpy and jax: it is written over an array library, in code that can be traced.

Letters: B batch; L tokens; W width, the largest vocabulary.

Reference: Bello et al. (2017), arXiv:1709.07417, section 4, for the constraints.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Constraints(NamedTuple):
    """What a grammar allows."""

    slot_sizes: tuple[int, ...]  # [L]
    num_operands: int  # operand tokens from here on are values of earlier groups
    different_operands: bool
    forbidden_last: int  # the binary token that must not come last, or -1
    reuse_values: bool


def next_mask(xp: Any, tokens: Any, position: Any, constraints: Constraints) -> Any:
    """Returns which tokens may stand at a position after the tokens before it.

    Args:
      xp: numpy or jax.numpy.
      tokens: [B, L]; those at `position` and after are not read.
      position: [], may be traced.
      constraints: of the grammar.

    Returns:
      bool [B, W].
    """
    sizes = xp.asarray(np.asarray(constraints.slot_sizes, np.int32))
    token = xp.arange(max(constraints.slot_sizes))[None, :]  # [1, W]
    before = tokens[:, position - 1][:, None]  # [B, 1], operand 1 where operand 2 comes next
    is_operand_2 = position % 5 == 1
    mask = (token < sizes[position]) & (before >= -1)  # [B, W]
    if constraints.different_operands:
        mask = mask & ~(is_operand_2 & (token == before))
    if constraints.reuse_values:
        is_fresh = (token < constraints.num_operands) & (before < constraints.num_operands)
        mask = mask & ~(is_operand_2 & (position >= 5) & is_fresh)
    is_last = position == len(constraints.slot_sizes) - 1
    return mask & ~(is_last & (token == constraints.forbidden_last))
