"""Roles of leaves: what a tensor of parameters is to its network, for optimizers that treat them differently.

The roles are those of `metarl.update_rules.LEAF_ROLES`: matrix, convolution, embedding, output, vector. Muon and SOAP
multiply by matrices: they act on matrices and convolutions, and leave the rest to Adam; so do rules with `ortho` where
they go by roles, but for what they leave. A card names the roles by patterns of paths, {"blocks/*/conv*":
"convolution"}; the first pattern that fits counts. A leaf that none fits has its role guessed from its name and shape.

Reference: Jordan et al. (2024), Muon, https://kellerjordan.github.io/posts/muon, for who gets Adam.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from metarl.errors import require, unknown_name
from metarl.update_rules import LEAF_ROLES, LeafRole, require_axes

_LOOKED_UP = re.compile(r"embed|emb\b|table|lookup|\bwte\b|\bwpe\b|tokens?\b")
_LAST = re.compile(r"\bhead|logits|lm_head|classifier|readout|\boutput")


def mlp_roles(layers: int, prefix: str = "") -> dict[str, LeafRole]:
    """Returns the roles of the leaves of `mlp`.

    Args:
      layers: of weights.
      prefix: of the paths, "second/" in the second of two networks in series.
    """
    hidden: dict[str, LeafRole] = {f"{prefix}w{layer}": "matrix" for layer in range(layers - 1)}
    return {**hidden, f"{prefix}w{layers - 1}": "output", f"{prefix}b*": "vector"}


def roles_of_leaves(
    params: Any, given: Mapping[str, LeafRole] | None = None, about: str = ""
) -> Any:
    """Returns the role of every leaf of parameters, a tree of texts like theirs.

    Args:
      params: parameters, or their shapes.
      given: role by pattern of a leaf's path ("blocks/0/conv1"), as `Card.leaf_roles` has it.
      about: the beginning of messages.

    Raises:
      InvalidInput: a pattern fits no leaf, or a role is unknown or does not fit a leaf's shape.

    Example:
      >>> import jax.numpy as jnp
      >>> roles_of_leaves({"w": jnp.ones((3, 3)), "head": jnp.ones((3, 2)), "b": jnp.ones(3)})
      {'b': 'vector', 'head': 'output', 'w': 'matrix'}
    """
    import jax

    given = given or {}
    leaves, structure = jax.tree.flatten(params)
    paths = leaf_paths(params)
    for pattern, role in given.items():
        if role not in LEAF_ROLES:
            raise unknown_name(f"role of {pattern!r} among leaf_roles", str(role), LEAF_ROLES)
        require(
            any(fnmatch.fnmatchcase(path, pattern) for path in paths),
            f"{about}the role {role} is given to {pattern!r}, which is no leaf; there are {', '.join(paths)}.",
        )
    guesses = _guessed(paths, [leaf.ndim for leaf in leaves])
    roles: list[LeafRole] = [
        _given(path, given) or guess for path, guess in zip(paths, guesses, strict=True)
    ]
    for path, role, leaf in zip(paths, roles, leaves, strict=True):
        require_axes(f"leaf {path!r}", role, leaf.shape, about)
    return jax.tree.unflatten(structure, roles)


def guessed_leaves(params: Any, given: Mapping[str, LeafRole]) -> list[str]:
    """Returns the paths of the leaves whose roles nobody gave.

    Args:
      params: parameters, or their shapes.
      given: see `roles_of_leaves`.
    """
    return [path for path in leaf_paths(params) if _given(path, given) is None]


def leaf_paths(params: Any) -> list[str]:
    """Returns how the leaves are called: keys and places from the root on, with / between them."""
    import jax

    return [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]


def _given(path: str, given: Mapping[str, LeafRole]) -> LeafRole | None:
    return next((r for pattern, r in given.items() if fnmatch.fnmatchcase(path, pattern)), None)


def _guessed(paths: Sequence[str], axes: Sequence[int]) -> list[LeafRole]:
    """Returns roles by name and number of axes; where no name says which is the output, the last matrix is it."""
    roles: list[LeafRole] = []
    for path, ndim in zip(paths, axes, strict=True):
        name = path.casefold()
        if ndim < 2:
            roles.append("vector")
        elif _LOOKED_UP.search(name):
            roles.append("embedding")
        elif _LAST.search(name):
            roles.append("output")
        else:
            roles.append("matrix" if ndim == 2 else "convolution")
    matrices = [place for place, role in enumerate(roles) if role == "matrix"]
    if matrices and "output" not in roles:
        roles[max(matrices, key=lambda place: _in_order(paths[place]))] = "output"
    return roles


def _in_order(path: str) -> list[tuple[int, str]]:
    """Returns a key that sorts w2 before w10."""
    return [(int(x), "") if x.isdigit() else (-1, x) for x in re.split(r"(\d+)", path)]
