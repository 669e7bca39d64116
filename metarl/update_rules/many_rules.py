"""Many rules at once, as the reference means them: tokens in, updates out, in numpy and double precision.

What rules of one grammar give in given states, to 15 digits, without anything compiled: to tell rules apart that agree
in the precision in which they are trained. A slot is computed choice by choice, each for the rules that take it.

Letters: K rules; L tokens; states of any shape, here [B, C].
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from .expression import Draw, evaluate
from .grammar import Grammar
from .primitives import BINARY, UNARY
from .reference import NumpyScope
from .spaces import KEEP, SCALE
from .tensor_functions import Shape

_RULES = 256  # at a time, so that their values stay in a cache


def exact_updates(
    grammar: Grammar,
    tokens: np.ndarray,
    shapes: tuple[Shape, ...] | None = None,
    matrices: tuple[bool, ...] | None = None,
    **states: Any,
) -> np.ndarray:
    """Returns the updates of many rules in given states.

    Args:
      grammar: of the tokens.
      tokens: int32 [K, L].
      shapes: of the leaves that a state joins, C entries together; needed by functions of whole tensors alone.
      matrices: whether each of those leaves may be a matrix, see `leaf_roles`; if None, all may.
      **states: g, m, v, y, w, and s and c where rules use them, float64 [B, C]; t, whole numbers, [B, 1]; total_steps;
        epsilon.

    Returns:
      float64 [K, B, C]; not finite where a rule fails. Chance is drawn by name, the same at every call.

    Raises:
      InvalidInput: the grammar has functions of whole tensors, and the shapes are not given.
    """
    grammar.require_shapes(shapes, states["g"].shape[-1])
    drawn: Any = _Named(states["g"].shape)
    scope = NumpyScope(drawn=drawn, shapes=shapes, matrices=matrices, **states)
    with np.errstate(all="ignore"):  # overflow and 0 / 0 are how a rule fails
        operands = np.stack(
            [
                np.broadcast_to(evaluate(operand, scope), scope.g.shape)
                for operand in grammar.operand_expressions
            ]
        )
        parts = [
            _updates(grammar, tokens[first : first + _RULES], operands, scope)
            for first in range(0, len(tokens), _RULES)
        ]
    return np.concatenate([np.zeros((0, *scope.g.shape)), *parts])


class _Named(dict[Draw, np.ndarray]):
    """Draws by name, made when they are asked for."""

    def __init__(self, shape: tuple[int, ...]):
        self._shape = shape

    def __missing__(self, draw: Draw) -> np.ndarray:
        rng = np.random.default_rng(zlib.crc32(repr(draw).encode()))
        is_mask = draw[0] == "drop"
        self[draw] = rng.random(self._shape) if is_mask else rng.standard_normal(self._shape)
        return self[draw]


def _updates(
    grammar: Grammar, tokens: np.ndarray, operands: np.ndarray, scope: NumpyScope
) -> np.ndarray:
    values: list[np.ndarray] = []  # of the groups so far, [K, B, C] each
    for group in range(grammar.depth):
        slots = tokens[:, 5 * group : 5 * group + 5].T
        left, right = (
            _applied(grammar, slots[2 + side], _taken(slots[side], operands, values), scope)
            for side in range(2)
        )
        values.append(_combined(grammar, slots[4], left, right, scope))
    return scope.of_tensors("rms", values[-1]) if grammar.normalised else values[-1]


def _taken(slot: np.ndarray, operands: np.ndarray, values: list[np.ndarray]) -> np.ndarray:
    x = operands[np.minimum(slot, len(operands) - 1)]
    for place, value in enumerate(values, len(operands)):
        rows = slot == place
        x[rows] = value[rows]
    return x


def _applied(grammar: Grammar, slot: np.ndarray, x: np.ndarray, scope: NumpyScope) -> np.ndarray:
    for token, (name, constant) in enumerate(grammar.unary_functions):
        rows = slot == token
        if name is None or not rows.any():
            continue
        if name == SCALE:
            x[rows] *= constant
        else:
            constants = () if constant is None else (constant,)
            x[rows] = UNARY[name].evaluate(scope, x[rows], *constants)
    return x


def _combined(
    grammar: Grammar, slot: np.ndarray, left: np.ndarray, right: np.ndarray, scope: NumpyScope
) -> np.ndarray:
    for token, name in enumerate(grammar.binary_names):
        rows = slot == token
        if name != KEEP and rows.any():
            left[rows] = BINARY[name].evaluate(scope, left[rows], right[rows])
    return left
