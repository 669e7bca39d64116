"""Functions of a whole tensor: what `ortho`, `rms`, `rownorm`, `colnorm` and `cautious` make of one leaf.

An entry of the value depends on all entries of its leaf. Written once over an array library, for numpy and
jax, for one leaf or a batch of them: axes in front of the leaf's own are batch.

A leaf is a matrix if it has two axes, [inputs, outputs], or more: it is a convolution's kernel then, [height,
width, inputs, outputs] say, which is the matrix from its patches to its outputs, [height width inputs,
outputs]. A row holds the weights from one input, a column those into one output. On a leaf that is no matrix
`ortho`, `rownorm` and `colnorm`, the functions of matrices, are `rms`. The shape alone decides, so that embeddings
and output layers of two axes are matrices too, unless the roles of leaves are given (`leaf_roles`): then a leaf of
another role than matrix or convolution is no matrix, to all three. `rms` and `cautious` know no roles.

Why `rownorm` too, of whose rows an embedding has one a token: a rule is then one function of the leaves that are
matrices and another of the rest, in which `ortho(rownorm(x))` is a vector's, and not a mixture of both.

Why that is the size that matches: the entries of `ortho` have a root mean square of about 1 / sqrt(I)
whatever the shape of the matrix, and a bias is the weights from one input, which is always 1.

Letters: I inputs, O outputs of a matrix; B batch axes.

References: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, and
`optax.contrib.muon`, for the Newton-Schulz iteration, its coefficients and the scale; Liang, Chen, Liu, Liu,
"Cautious Optimizers", arXiv:2411.16085, and the authors' code for the least share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of x, x x' x and x x' x x' x
ITERATIONS = 5
LEAST_SHARE = 1e-3  # of the entries of a leaf that `cautious` takes to be kept
OF_MATRICES = ("ortho", "rownorm", "colnorm")  # those that know matrices from the rest

_NORMALISED = {"rownorm": (-1,), "colnorm": (-2,)}  # the axes along which means are taken

Shape = tuple[int, ...]


def matrix_shape(shape: Sequence[int]) -> tuple[int, int] | None:
    """Returns [I, O] of a leaf whose shape is a matrix's, or None: the one place that knows which shapes are."""
    if len(shape) < 2 or 0 in shape:
        return None
    return math.prod(shape[:-1]), shape[-1]


Repeat = Callable[[int, Callable[[Any], Any], Any], Any]  # times, x -> x, x


def unrolled(times: int, function: Callable[[Any], Any], x: Any) -> Any:
    """Returns what a function makes of x so many times."""
    for _ in range(times):
        x = function(x)
    return x


def of_leaf(
    xp: Any,
    name: str,
    x: Any,
    g: Any,
    shape: Sequence[int],
    epsilon: Any,
    repeat: Repeat = unrolled,
    may_be_matrix: bool = True,
) -> Any:
    """Returns a function of one leaf.

    Args:
      xp: numpy or jax.numpy.
      name: of the function.
      x: its argument, [B..., shape].
      g: the gradient, of a shape that broadcasts against x.
      shape: of the leaf.
      epsilon: see `Scope.epsilon`.
      repeat: how iterations are written.
      may_be_matrix: whether it is a matrix if its shape is one's; see `leaf_roles`.

    Returns:
      The value, [B..., shape].
    """
    whole = tuple(range(-len(shape), 0))
    if name == "cautious":
        return _cautious(xp, x, g, whole)
    matrix = matrix_shape(shape) if name in OF_MATRICES and may_be_matrix else None
    if matrix is None:
        return _rms(xp, x, epsilon, whole)
    rows_and_columns = x.reshape((*x.shape[: x.ndim - len(shape)], *matrix))
    if name == "ortho":
        value = _ortho(xp, rows_and_columns, epsilon, repeat)
    else:
        value = _rms(xp, rows_and_columns, epsilon, _NORMALISED[name])
    return value.reshape(x.shape)


def of_flat_leaves(
    xp: Any,
    name: str,
    x: Any,
    g: Any,
    shapes: Sequence[Shape],
    epsilon: Any,
    repeat: Repeat = unrolled,
    matrices: Sequence[bool] | None = None,
) -> Any:
    """Returns a function of each of the leaves that the last axis joins, [B..., P], for x [B..., P]; see `of_leaf`.

    `matrices` says of each leaf whether it may be one; if None, all may.
    """
    parts, first = [], 0
    for shape, may_be in zip(shapes, matrices or [True] * len(shapes), strict=True):
        leaf = slice(first, first := first + math.prod(shape))
        whole, gradient = (y[..., leaf].reshape((*y.shape[:-1], *shape)) for y in (x, g))
        value = of_leaf(xp, name, whole, gradient, shape, epsilon, repeat, may_be)
        parts.append(value.reshape(x[..., leaf].shape))
    return xp.concatenate(parts, axis=-1)


def _rms(xp: Any, x: Any, epsilon: Any, axes: tuple[int, ...]) -> Any:
    return x / (xp.sqrt(xp.mean(x * x, axis=axes, keepdims=True)) + epsilon)


def _cautious(xp: Any, x: Any, g: Any, axes: tuple[int, ...]) -> Any:
    kept = (xp.sign(x) * xp.sign(g) > 0).astype(x.dtype)  # signs, since x * g may underflow
    # a product, so that a value that is not finite stays so
    return x * (kept / xp.maximum(xp.mean(kept, axis=axes, keepdims=True), LEAST_SHARE))


def _ortho(xp: Any, x: Any, epsilon: Any, repeat: Repeat) -> Any:
    """Returns the Newton-Schulz iteration towards U V' of x = U S V', times sqrt(max(1, O / I)), [B..., I, O]."""
    inputs, outputs = x.shape[-2:]
    x = x if inputs <= outputs else xp.swapaxes(x, -1, -2)
    x = x / (xp.sqrt(xp.sum(x * x, axis=(-2, -1), keepdims=True)) + epsilon)
    a, b, c = COEFFICIENTS

    def step(x: Any) -> Any:
        square = x @ xp.swapaxes(x, -1, -2)
        return a * x + (b * square + (c * square) @ square) @ x

    x = repeat(ITERATIONS, step, x)
    x = x if inputs <= outputs else xp.swapaxes(x, -1, -2)
    return math.sqrt(max(1.0, outputs / inputs)) * x
