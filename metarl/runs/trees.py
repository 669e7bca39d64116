"""PyTrees to flat dicts of arrays and back: what a checkpoint can hold.

The name of an array is its path in the tree as jax prints it (`.params['lstm/linear']['w']`). Typed
random keys are held as their numbers, under a name that ends in the generator's. Shapes and types
are compared with a template on the way back, so a checkpoint of other code or of another
configuration is refused, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from metarl.errors import require

Tree = TypeVar("Tree")


def flatten_tree(tree: Any) -> dict[str, np.ndarray]:
    """Returns every array in a tree under its path.

    Args:
      tree: a PyTree of arrays, numbers and typed random keys.

    Returns:
      A dict in the tree's own order; `restore_tree` is its inverse.

    Raises:
      TypeError: a leaf is something else.
    """
    import jax

    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    arrays = {_name(path, leaf): _numbers(leaf) for path, leaf in leaves}
    strange = [name for name, array in arrays.items() if array.dtype.kind in "OUSM"]
    if strange:
        raise TypeError(
            f"a state to be saved holds arrays only, which these are not: {', '.join(strange)}"
        )
    if len(arrays) != len(leaves):
        raise TypeError("two leaves of a state to be saved have the same path")
    return arrays


def restore_tree(template: Tree, arrays: Mapping[str, np.ndarray]) -> Tree:
    """Returns a tree shaped as `template` that holds `arrays`.

    Args:
      template: a tree as it was given to `flatten_tree`, or its shapes as `jax.eval_shape` gives
        them. Leaves that are numpy arrays or Python numbers here come back as such, all others as
        jax arrays.
      arrays: what `flatten_tree` returned.

    Returns:
      The tree.

    Raises:
      InvalidInput: an array is missing, is too many, or has another shape or type than the
        template's.
    """
    import jax

    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    names = [_name(path, leaf) for path, leaf in leaves]
    _require_same_names(names, arrays)
    restored = [
        _restored(name, leaf, arrays[name]) for name, (_, leaf) in zip(names, leaves, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, restored)


def _require_same_names(names: list[str], arrays: Mapping[str, np.ndarray]) -> None:
    missing = [name for name in names if name not in arrays]
    surplus = sorted(set(arrays) - set(names))
    reasons = [f"lacks {_few(missing)}"] * bool(missing) + [f"has {_few(surplus)} too many"] * bool(
        surplus
    )
    require(not reasons, f"The saved state {' and '.join(reasons)}. {_SAME_CODE}")


def _restored(name: str, leaf: Any, array: np.ndarray) -> Any:
    """Returns `array` as the kind of thing that `leaf` is."""
    import jax
    import jax.numpy as jnp

    expected = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
    shape, dtype = (
        np.shape(expected),
        np.dtype(getattr(expected, "dtype", np.asarray(expected).dtype)),
    )
    require(
        array.shape == shape and array.dtype == dtype,
        f"The saved state holds {name} as {array.dtype}{list(array.shape)}; "
        f"this configuration needs {dtype}{list(shape)}. {_SAME_CODE}",
    )
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.array(array), impl=_generator(leaf))
    if isinstance(leaf, (bool, int, float, complex)):
        return type(leaf)(array.item())
    if isinstance(leaf, (np.ndarray, np.generic)):
        return array.copy() if isinstance(leaf, np.ndarray) else array[()]
    # A weakly typed number must stay so: it would promote bfloat16 otherwise, and recompile every
    # program.
    weak = getattr(leaf, "weak_type", False) and array.ndim == 0
    return jnp.asarray(array.item()) if weak else jnp.array(array)


def _numbers(leaf: Any) -> np.ndarray:
    import jax

    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _name(path: tuple[Any, ...], leaf: Any) -> str:
    import jax

    return jax.tree_util.keystr(path) + (f"<{_generator(leaf)} key>" if _is_key(leaf) else "")


def _is_key(leaf: Any) -> bool:
    import jax
    import jax.numpy as jnp

    return jnp.issubdtype(getattr(leaf, "dtype", np.float32), jax.dtypes.prng_key)


def _generator(leaf: Any) -> str:
    """Returns the name of the generator of a typed key, or of its shape."""
    import jax
    import jax.numpy as jnp

    return str(jax.random.key_impl(jnp.empty((), leaf.dtype)))


def _few(names: list[str]) -> str:
    """Returns the first three names; a whole network of them would hide the message."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


_SAME_CODE = (
    "Resume with the configuration and the version of metarl that wrote it, or start a new run."
)
