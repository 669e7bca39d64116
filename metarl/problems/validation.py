"""A user's problem is tried out once: are its examples and its functions of the promised shape?"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from metarl.errors import require

from .problem import SPLITS, Problem, Split


def check_problem(problem: Problem) -> Problem:
    """Returns `problem` if its four splits and its functions fit together.

    Raises:
      InvalidInput: a split is not a PyTree of finite NumPy arrays that share their number of rows, differs from the
        training split in structure, row shape or dtype, or is too small; or `init`, `loss` or `evaluate` do not give
        what the contract says.
    """
    train = problem.examples("train")
    rows = {split: _check_split(problem, split) for split in SPLITS}
    require(
        rows["train"] >= problem.batch_size,
        f"Problem {problem.name!r}: a batch of {problem.batch_size} needs as many training examples; "
        f"there are {rows['train']}.",
    )
    expected = _layout(train)
    for split in SPLITS:
        received = _layout(problem.examples(split))
        require(
            received == expected,
            f"Problem {problem.name!r}: the examples of {split!r} are laid out as {_text(received)}, "
            f"those of 'train' as {_text(expected)}; they must agree.",
        )
    _check_functions(problem, train)
    return problem


def _check_split(problem: Problem, split: Split) -> int:
    """Returns the number of examples of one split, after looking at every array of it."""
    prefix = f"Problem {problem.name!r}: the examples of {split!r} "
    leaves = jax.tree.leaves(problem.examples(split))
    require(bool(leaves), prefix + "hold no array.")
    for leaf in leaves:
        require(
            isinstance(leaf, np.ndarray) and leaf.ndim >= 1 and leaf.dtype.kind in "fiub",
            prefix + f"must be NumPy arrays of numbers [n, ...], not {_describe(leaf)}.",
        )
        finite = leaf.dtype.kind != "f" or bool(np.isfinite(leaf).all())
        require(finite, prefix + "hold NaN or infinity.")
    lengths = sorted({len(leaf) for leaf in leaves})
    require(
        len(lengths) == 1, prefix + f"differ in their number of rows: {', '.join(map(str, lengths))}."
    )
    require(lengths[0] >= 1, prefix + "are empty.")
    return lengths[0]


def _check_functions(problem: Problem, train: Any) -> None:
    """Traces the functions on one batch; nothing is computed."""
    key = jax.random.key(0)
    batch = jax.tree.map(lambda leaf: leaf[: problem.batch_size], train)
    start = jax.eval_shape(problem.init, key)
    prefix = f"Problem {problem.name!r}: "
    require(isinstance(start, tuple) and len(start) == 2, prefix + "init must give (params, model_state).")
    params, model_state = start
    step = jax.eval_shape(problem.loss, params, model_state, batch, key)
    require(isinstance(step, tuple) and len(step) == 2, prefix + "loss must give (loss, model_state).")
    require(
        getattr(step[0], "shape", None) == (), prefix + f"loss must give one number, not {_describe(step[0])}."
    )
    require(
        _layout(step[1], rows=False) == _layout(model_state, rows=False),
        prefix + "loss must keep the structure, shapes and dtypes of the model state.",
    )
    scores = jax.eval_shape(problem.evaluate, params, model_state, batch)
    expected = {"loss"} | ({problem.metric} if problem.metric else set())
    received = set(scores) if isinstance(scores, dict) else set()
    require(
        expected <= received,
        prefix + f"evaluate must give a dict with {', '.join(sorted(expected))}; it gives {sorted(received)}.",
    )


def _layout(tree: Any, *, rows: bool = True) -> tuple:
    """Returns the structure, the shapes (without the leading dimension if `rows`) and the dtypes of a PyTree."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((leaf.shape[1:] if rows else leaf.shape, str(leaf.dtype)) for leaf in leaves)


def _text(layout: tuple) -> str:
    """Returns a layout as a person reads it."""
    return "; ".join(f"{dtype} [n{''.join(f', {size}' for size in shape)}]" for shape, dtype in layout[1])


def _describe(leaf: Any) -> str:
    """Returns what a leaf is: its dtype and shape, or its type."""
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    return type(leaf).__name__ if shape is None else f"{type(leaf).__name__} {dtype} {list(shape)}"
