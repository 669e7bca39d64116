"""Roles of leaves: the names of what a tensor is to its network, and which functions of matrices take for matrices.

    matrix        weights [inputs, outputs] between hidden units
    convolution   weights [..., channels in, channels out]
    embedding     a table whose rows are looked up
    output        weights of the last layer
    vector        biases, scales, points: all else

By shapes, whatever has two axes or more is a matrix. By roles, matrices and convolutions alone are, the same as Muon
and SOAP act on: to `ortho`, `rownorm` and `colnorm` every other leaf is what a vector is to them. So all three agree on
what a matrix is, and a law that holds by shapes holds by roles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from metarl.errors import InvalidInput, require, unknown_name

LeafRole = Literal["matrix", "convolution", "embedding", "output", "vector"]
LEAF_ROLES: tuple[LeafRole, ...] = get_args(LeafRole)
MATRIX_ROLES: tuple[LeafRole, ...] = ("matrix", "convolution")
Roles = Any | Callable[[Any], Any] | None

_AXES = {"matrix": (2, 2), "convolution": (3, None)}  # fewest and most axes of a role


def leaves_taken_for_matrices(roles: Roles, tree: Any) -> list[bool]:
    """Returns of each leaf whether functions of matrices may take it for one, which its shape may forbid all the same.

    Args:
      roles: a tree like the parameters' or a prefix of it, of texts: a role at each place; a function from parameters
        to one, such as `metarl.problems.roles_of_leaves`; or None, by which shapes alone decide.
      tree: parameters, or what has their shapes.

    Raises:
      InvalidInput: the roles are of another tree, or one is unknown or does not fit the shape of its leaf.
    """
    import jax

    with_paths = jax.tree_util.tree_leaves_with_path(tree)
    if roles is None:
        return [True] * len(with_paths)
    roles = roles(tree) if callable(roles) else roles
    ones, structure = jax.tree.flatten(roles)
    try:
        parts = structure.flatten_up_to(tree)
    except ValueError as error:
        raise InvalidInput(
            f"roles must be a tree like the parameters' or a prefix of it, with a role at each place; received "
            f"{structure} for parameters {jax.tree.structure(tree)}."
        ) from error
    spread = [role for role, part in zip(ones, parts, strict=True) for _ in jax.tree.leaves(part)]
    named = (
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in with_paths
    )
    return [
        taken_for_matrix(role, leaf.shape, f"leaf {name!r}")
        for role, (name, leaf) in zip(spread, named, strict=True)
    ]


def taken_for_matrix(role: Any, shape: tuple[int, ...], leaf: str = "the leaf") -> bool:
    """Returns whether functions of matrices may take one leaf for a matrix, by its role.

    Args:
      role: a text; None lets the shape decide.
      shape: of the leaf.
      leaf: what it is called in messages.

    Raises:
      InvalidInput: the role is unknown, or does not fit the shape.
    """
    if role is None:
        return True
    if not isinstance(role, str) or role not in LEAF_ROLES:
        raise unknown_name(f"role of {leaf}", str(role), LEAF_ROLES)
    require_axes(leaf, role, shape)
    return role in MATRIX_ROLES


def require_axes(leaf: str, role: str, shape: tuple[int, ...], about: str = "") -> None:
    """Refuses a role that the shape of a leaf cannot have.

    Args:
      leaf: what it is called in the message.
      role: what it is said to be.
      shape: of the leaf.
      about: the beginning of the message.

    Raises:
      InvalidInput: a matrix has not two axes, or a convolution fewer than three.
    """
    fewest, most = _AXES.get(role, (0, None))
    wanted = f"{fewest} axes" if fewest == most else f"at least {fewest} axes"
    require(
        fewest <= len(shape) and (most is None or len(shape) <= most),
        f"{about}{leaf} of shape {list(shape)} cannot have the role {role}, which needs {wanted}.",
    )
