"""A user's problem is tried once: are its examples and its functions of the promised shape?

Every refusal names the problem, the part at fault, what was received and what is accepted.
Functions are traced, not run, so the check costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require
from metarl.user_code import told

from .leaf_roles import roles_of_leaves
from .problem import SPLITS, Examples, Problem, Split

_JUDGED: tuple[Split, ...] = ("search", "choice", "test")


def check_problem(problem: Problem) -> Problem:
    """Returns `problem` if its four splits and its functions fit together.

    Raises:
      InvalidInput: a split is not a PyTree of finite NumPy arrays that share their number of rows,
        or differs from the training split in structure, row shape or dtype; training examples do
        not fill a batch; `init`, `loss` or `evaluate` do not give what the contract says; or the loss
        has no gradient.
    """
    splits: dict[Split, Examples] = {split: _examples(problem, split) for split in SPLITS}
    _check_layouts(problem, splits)
    rows = len(jax.tree.leaves(splits["train"])[0])
    require(
        rows >= problem.batch_size,
        f"Problem {problem.name!r}: a batch of {problem.batch_size} needs as many training "
        f"examples; there are {rows}.",
    )
    batch = jax.tree.map(lambda leaf: leaf[: problem.batch_size], splits["train"])
    judged = {len(jax.tree.leaves(splits[split])[0]): splits[split] for split in _JUDGED}
    _check_functions(problem, batch, list(judged.values()))
    return problem


def _examples(problem: Problem, split: Split) -> Examples:
    """Returns the examples of one split, after looking at every array of it."""
    about = f"Problem {problem.name!r}"
    with told(f"{about}: examples({split!r}) raised", problem.examples):
        examples = problem.examples(split)
    prefix = f"{about}: the examples of {split!r} "
    leaves = jax.tree.leaves(examples)
    require(bool(leaves), prefix + "hold no array.")
    for leaf in leaves:
        require(
            isinstance(leaf, np.ndarray) and leaf.ndim >= 1 and leaf.dtype.kind in "fiub",
            prefix + f"must be NumPy arrays of numbers [n, ...], not {_describe(leaf)}.",
        )
        finite = leaf.dtype.kind != "f" or bool(np.isfinite(leaf).all())
        require(finite, prefix + "hold NaN or infinity.")
    lengths = sorted({len(leaf) for leaf in leaves})
    received = ", ".join(map(str, lengths))
    require(len(lengths) == 1, prefix + f"differ in their number of rows: {received}.")
    require(lengths[0] >= 1, prefix + "are empty.")
    return examples


def _check_layouts(problem: Problem, splits: dict[Split, Examples]) -> None:
    """Refuses splits whose rows differ from the training split's."""
    expected = _layout(splits["train"])
    for split, examples in splits.items():
        received = _layout(examples)
        require(
            received == expected,
            f"Problem {problem.name!r}: the examples of {split!r} are laid out as "
            f"{_text(received)}, those of 'train' as {_text(expected)}; they must agree.",
        )


def _check_functions(problem: Problem, batch: Examples, judged: Sequence[Examples]) -> None:
    """Traces the functions on one batch, and `evaluate` on what is judged; nothing is computed."""
    prefix = f"Problem {problem.name!r}: "
    init_key, loss_key = jax.random.split(jax.random.key(0))
    with told(prefix + "init raised", problem.init):
        start = jax.eval_shape(problem.init, init_key)
    pair = isinstance(start, tuple) and len(start) == 2
    require(pair, prefix + "init must give (params, model_state).")
    _check_params(start[0], prefix)
    roles_of_leaves(start[0], problem.leaf_roles, prefix)
    with told(prefix + "loss raised", problem.loss):
        step = jax.eval_shape(problem.loss, *start, batch, loss_key)
    pair = isinstance(step, tuple) and len(step) == 2
    require(pair, prefix + "loss must give (loss, model_state).")
    loss, model_state = step
    require(_is_number(loss), prefix + f"loss must give one number, not {_describe(loss)}.")
    require(
        _layout(model_state, skip=0) == _layout(start[1], skip=0),
        prefix + "loss must keep the structure, shapes and dtypes of the model state.",
    )
    with told(prefix + "the gradient of loss raised", problem.loss):
        jax.eval_shape(jax.grad(problem.loss, has_aux=True), *start, batch, loss_key)
    for examples in judged:
        _check_scores(problem, start, examples, prefix)


def _check_params(params: Any, prefix: str) -> None:
    """Refuses parameters that no gradient can change."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    require(bool(leaves), prefix + "init gives no parameters; there is nothing to train.")
    for path, leaf in leaves:
        require(
            jnp.issubdtype(leaf.dtype, jnp.floating),
            f"{prefix}parameters must be of real floating-point numbers; leaf "
            f"{jax.tree_util.keystr(path, simple=True, separator='/')!r} is {_describe(leaf)}. What no gradient "
            "changes belongs into the model state.",
        )


def _check_scores(problem: Problem, start: Any, examples: Examples, prefix: str) -> None:
    """Traces `evaluate` on all examples of a split, as runs are judged."""
    with told(prefix + "evaluate raised", problem.evaluate):
        scores = jax.eval_shape(problem.evaluate, *start, examples)
    expected = ["loss", *([problem.metric] if problem.metric else [])]
    received = list(scores) if isinstance(scores, dict) else _describe(scores)
    require(
        isinstance(scores, dict) and set(expected) <= set(scores),
        prefix + f"evaluate must give a dict with the keys {expected}; it gives {received}.",
    )
    for name in expected:
        require(
            getattr(scores[name], "shape", None) == (),
            f"{prefix}evaluate must give one number as {name!r}, not {_describe(scores[name])}.",
        )


def _is_number(value: Any) -> bool:
    """Returns whether a traced value is one real number that a gradient can be taken of."""
    return getattr(value, "shape", None) == () and jnp.issubdtype(value.dtype, jnp.floating)


def _layout(tree: Any, *, skip: int = 1) -> tuple:
    """Returns the structure of a PyTree, and its leaves' shapes after `skip` dimensions, dtypes."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((leaf.shape[skip:], str(leaf.dtype)) for leaf in leaves)


def _text(layout: tuple) -> str:
    """Returns a layout as a person reads it."""
    sizes = (", ".join(["n", *map(str, shape)]) for shape, _ in layout[1])
    return "; ".join(f"{dtype} [{size}]" for size, (_, dtype) in zip(sizes, layout[1], strict=True))


def _describe(leaf: Any) -> str:
    """Returns what a leaf is: its dtype and shape, or its type."""
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    return type(leaf).__name__ if shape is None else f"{dtype} {list(shape)}"
