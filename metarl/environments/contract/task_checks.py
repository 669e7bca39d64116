"""Whether a task that a user hands in is one of the family: compiled programs cannot raise."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metarl.errors import require

from .environment import Environment, Task


def check_task(environment: Environment, task: Task, leading: tuple[int, ...] = ()) -> Task:
    """Checks a task that a user hands in.

    Args:
      environment: the family.
      task: a PyTree as `sample_task` gives it, of jax or numpy arrays or numbers.
      leading: () for one task, (N,) for N of them.

    Returns:
      The task as arrays of the family's types.

    Raises:
      InvalidInput: it is another PyTree, or of other shapes or kinds, or holds NaN or infinity.
    """
    like = _task_shapes(environment)
    needed = f"a task of {environment.name!r}, such as Environment.sample_task gives, is needed"
    require(
        jax.tree.structure(task) == jax.tree.structure(like),
        f"The task is a {type(task).__name__} of another structure; {needed}.",
    )

    def check(path: Any, like: Any, given: Any) -> Any:
        place, shape = f"task{jax.tree_util.keystr(path)}", leading + like.shape
        if jnp.issubdtype(like.dtype, jax.dtypes.extended):  # a random key
            return given
        array = np.asarray(given)
        require(
            array.shape == shape, f"{place} has shape {array.shape}; it must be {shape}: {needed}."
        )
        require(
            np.can_cast(array.dtype, like.dtype, "same_kind"),
            f"{place} is of type {array.dtype}; it must be {like.dtype}: {needed}.",
        )
        require(
            all_finite(array), f"{place} holds NaN or infinity; only finite numbers are accepted."
        )
        return jnp.asarray(given, like.dtype)

    return jax.tree_util.tree_map_with_path(check, like, task)


def all_finite(array: Any) -> bool:
    """Returns whether an array holds neither NaN nor infinity."""
    array = np.asarray(array)
    return not np.issubdtype(array.dtype, np.floating) or bool(np.isfinite(array).all())


@functools.lru_cache(maxsize=64)
def _task_shapes(environment: Environment) -> Any:
    return jax.eval_shape(environment.sample_task, jax.random.key(0))
