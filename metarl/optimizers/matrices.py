"""Matrices: a tensor of weights seen as a stack of matrices, for optimizers that multiply by matrices.

Which axes are the rows (what a layer reads) and which the columns (what it gives) is said by optax's
`MuonDimensionNumbers`, so that one description serves `optax.contrib.muon` and `soap`: of a convolution
[height, width, C, D] it is `CONVOLUTION`, [height width C, D].

Letters: B matrices of a stack, m rows, n columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
from optax.contrib import MuonDimensionNumbers

MATRIX = MuonDimensionNumbers(reduction_axis=0, output_axis=1)

_HOW = {"matrix": lambda ndim: MATRIX, "convolution": lambda ndim: convolution(ndim)}

WeightDimensionNumbers = Any | Callable[[Any], Any] | None


def weight_dimension_numbers(params: Any, roles: Any) -> Any:
    """Returns which leaves are matrices and how, for `optax.contrib.muon` and `soap`.

    Args:
      params: parameters, or their shapes.
      roles: a tree like theirs of texts: "matrix", "convolution", or what is neither, as
        `metarl.problems.roles_of_leaves` gives it.

    Returns:
      A tree of `optax.contrib.MuonDimensionNumbers`, with None for leaves that are no matrices.

    Example:
      >>> import jax.numpy as jnp
      >>> from metarl import optimizers
      >>> params = {"w": jnp.ones((3, 4)), "head": jnp.ones((4, 2))}
      >>> numbers = optimizers.weight_dimension_numbers(params, {"w": "matrix", "head": "output"})
      >>> optimizer = optimizers.soap(1e-3, weight_dimension_numbers=numbers)
    """
    return jax.tree.map(
        lambda leaf, role: _HOW[role](leaf.ndim) if role in _HOW else None, params, roles
    )


def convolution(ndim: int) -> MuonDimensionNumbers:
    """Returns how weights [..., channels in, channels out] are one matrix: all axes but the last are its rows."""
    return MuonDimensionNumbers(reduction_axis=tuple(range(ndim - 1)), output_axis=ndim - 1)


def resolved(weight_dimension_numbers: WeightDimensionNumbers, tree: Any) -> list[Any]:
    """Returns of each leaf of a tree how it is a stack of matrices, None where it is none.

    Args:
      weight_dimension_numbers: a tree like the parameters' or a prefix of it, with None for what is no matrix; a
        function from parameters to one; or None, which takes all leaves of two axes for matrices.
      tree: parameters, or what has their shapes.
    """
    numbers = weight_dimension_numbers
    if numbers is None:
        return [MATRIX if leaf.ndim == 2 else None for leaf in jax.tree.leaves(tree)]
    numbers = numbers(tree) if callable(numbers) else numbers
    ones, structure = jax.tree.flatten(numbers, is_leaf=_is_one)
    parts = structure.flatten_up_to(tree)
    return [one for one, part in zip(ones, parts, strict=True) for _ in jax.tree.leaves(part)]


def to_matrices(x: jax.Array, numbers: MuonDimensionNumbers) -> jax.Array:
    """Returns a tensor of weights as matrices [B, m, n]."""
    order, rows, columns = _axes(numbers, x.ndim)
    sizes = [math.prod(x.shape[axis] for axis in axes) for axes in (rows, columns)]
    return x.transpose(order).reshape(-1, *sizes)


def from_matrices(
    matrices: jax.Array, shape: tuple[int, ...], numbers: MuonDimensionNumbers
) -> jax.Array:
    """Returns matrices [B, m, n] as the tensor of that shape that they are of."""
    order, _, _ = _axes(numbers, len(shape))
    moved = matrices.reshape([shape[axis] for axis in order])
    return moved.transpose([order.index(axis) for axis in range(len(shape))])


def _axes(
    numbers: MuonDimensionNumbers, ndim: int
) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """Returns all axes in the order stack, rows, columns; and those of the rows and of the columns."""
    rows, columns = (
        tuple(axis % ndim for axis in ((axes,) if isinstance(axes, int) else axes))
        for axes in (numbers.reduction_axis, numbers.output_axis)
    )
    stack = [axis for axis in range(ndim) if axis not in (*rows, *columns)]
    return [*stack, *rows, *columns], rows, columns


def _is_one(x: Any) -> bool:
    return x is None or isinstance(x, MuonDimensionNumbers)
