"""Functions of whole tensors as source code for exported files; what they mean stands in `tensor_functions`.

A file defines those that its rule calls, each for one leaf, and where some know matrices from the rest, what roles
say. Linear layers of torch hold their weights as [outputs, inputs], and convolutions as [outputs, inputs, height,
width]: there a row of `tensor_functions` is a column.
"""

from __future__ import annotations

from .leaf_roles import LEAF_ROLES, MATRIX_ROLES
from .source_code import SourceWriter
from .tensor_functions import COEFFICIENTS, ITERATIONS, LEAST_SHARE, OF_MATRICES

_A, _B, _C = COEFFICIENTS


def of_tensors_in_jax(writer: SourceWriter) -> list[str]:
    """Returns the lines that define what the rule calls, in jax; the lines before each are blank."""
    return _definitions(writer, _JAX)


def of_tensors_in_torch(writer: SourceWriter) -> list[str]:
    """Returns the lines that define what the rule calls, in torch; the lines before each are blank."""
    return _definitions(writer, _TORCH)


def _definitions(writer: SourceWriter, sources: dict[str, tuple[str, ...]]) -> list[str]:
    names = set(writer.of_tensors_used)
    if names & set(OF_MATRICES):
        names |= {"roles", "matrix", "rms"}
    return [line for name in sources if name in names for line in ("", "", *sources[name])]


_NAMES = ", ".join(f'"{role}"' for role in LEAF_ROLES)
_OF_MATRICES = ", ".join(f'"{role}"' for role in MATRIX_ROLES)
_ROLES = (
    f"_ROLES = ({_NAMES})",
    f"_MATRIX_ROLES = ({_OF_MATRICES})",
)

_JAX = {
    "roles": (
        *_ROLES,
        "",
        "",
        "def _matrices(roles, tree):",
        '    """Returns a tree that says of each leaf whether it may be a matrix."""',
        "    if roles is None:",
        "        return jax.tree.map(lambda leaf: True, tree)",
        "",
        "    def of_part(role, part):",
        "        if role not in _ROLES:",
        "            raise ValueError(f\"a role is one of {', '.join(_ROLES)}; got {role!r}\")",
        "        return jax.tree.map(lambda leaf: role in _MATRIX_ROLES, part)",
        "",
        "    return jax.tree.map(of_part, roles(tree) if callable(roles) else roles, tree)",
    ),
    "matrix": (
        "def _matrix(x, may_be_matrix):",
        '    """Returns a tensor as [inputs, outputs]; None if it is no matrix.',
        "",
        "    A kernel of a convolution, [..., inputs, outputs], is one too.",
        '    """',
        "    if not may_be_matrix or x.ndim < 2 or x.size == 0:",
        "        return None",
        "    return x.reshape(-1, x.shape[-1])",
    ),
    "rms": (
        "def _rms(x, eps, axis=None):",
        '    """Returns x divided by its root mean square, of all entries or along an axis."""',
        "    return x / (jnp.sqrt(jnp.mean(x * x, axis=axis, keepdims=True)) + eps)",
    ),
    "ortho": (
        "def _ortho(x, eps, may_be_matrix):",
        '    """Returns a matrix made orthogonal by Newton-Schulz, as `optax.contrib.muon` does."""',
        "    matrix = _matrix(x, may_be_matrix)",
        "    if matrix is None:",
        "        return _rms(x, eps)",
        "    inputs, outputs = matrix.shape",
        "    matrix = matrix if inputs <= outputs else matrix.T",
        "    matrix = matrix / (jnp.sqrt(jnp.sum(matrix * matrix)) + eps)",
        f"    for _ in range({ITERATIONS}):",
        "        square = matrix @ matrix.T",
        f"        polynomial = {_B} * square + ({_C} * square) @ square",
        f"        matrix = {_A} * matrix + polynomial @ matrix",
        "    matrix = matrix if inputs <= outputs else matrix.T",
        "    return (max(1.0, outputs / inputs) ** 0.5 * matrix).reshape(x.shape)",
    ),
    "rownorm": (
        "def _rownorm(x, eps, may_be_matrix):",
        '    """Returns a matrix, each row divided by its root mean square."""',
        "    matrix = _matrix(x, may_be_matrix)",
        "    return _rms(x, eps) if matrix is None else _rms(matrix, eps, 1).reshape(x.shape)",
    ),
    "colnorm": (
        "def _colnorm(x, eps, may_be_matrix):",
        '    """Returns a matrix, each column divided by its root mean square."""',
        "    matrix = _matrix(x, may_be_matrix)",
        "    return _rms(x, eps) if matrix is None else _rms(matrix, eps, 0).reshape(x.shape)",
    ),
    "cautious": (
        "def _cautious(x, g):",
        '    """Returns x where it has the sign of g, 0 elsewhere, over the share kept."""',
        "    kept = (jnp.sign(x) * jnp.sign(g) > 0.0).astype(x.dtype)",
        f"    return x * (kept / jnp.maximum(jnp.mean(kept), {LEAST_SHARE}))",
    ),
}

_TORCH = {
    "roles": (
        *_ROLES,
        "",
        "",
        "def _may_be_matrix(role):",
        '    """Returns whether parameters of a role may be matrices; None: by shape."""',
        "    if role is not None and role not in _ROLES:",
        "        raise ValueError(f\"role is one of {', '.join(_ROLES)} or None; got {role!r}\")",
        "    return role is None or role in _MATRIX_ROLES",
    ),
    "matrix": (
        "def _matrix(x, may_be_matrix):",
        '    """Returns a tensor as [outputs, inputs]; None if it is no matrix.',
        "",
        "    A kernel of a convolution, [outputs, inputs, ...], is one too.",
        '    """',
        "    if not may_be_matrix or x.ndim < 2 or x.numel() == 0:",
        "        return None",
        "    return x.reshape(x.shape[0], -1)",
    ),
    "rms": (
        "def _rms(x, eps, axis=None):",
        '    """Returns x divided by its root mean square, of all entries or along an axis."""',
        "    square = x * x",
        "    mean = square.mean() if axis is None else square.mean(axis, keepdim=True)",
        "    return x / (mean.sqrt() + eps)",
    ),
    "ortho": (
        "def _ortho(x, eps, may_be_matrix):",
        '    """Returns a matrix made orthogonal by Newton-Schulz, as `optax.contrib.muon` does."""',
        "    matrix = _matrix(x, may_be_matrix)",
        "    if matrix is None:",
        "        return _rms(x, eps)",
        "    outputs, inputs = matrix.shape",
        "    matrix = matrix if outputs <= inputs else matrix.T",
        "    matrix = matrix / ((matrix * matrix).sum().sqrt() + eps)",
        f"    for _ in range({ITERATIONS}):",
        "        square = matrix @ matrix.T",
        f"        polynomial = {_B} * square + ({_C} * square) @ square",
        f"        matrix = {_A} * matrix + polynomial @ matrix",
        "    matrix = matrix if outputs <= inputs else matrix.T",
        "    return (max(1.0, outputs / inputs) ** 0.5 * matrix).reshape(x.shape)",
    ),
    "rownorm": (
        "def _rownorm(x, eps, may_be_matrix):",
        '    """Returns a matrix, the weights from each input divided by their root mean square."""',
        "    matrix = _matrix(x, may_be_matrix)",
        "    return _rms(x, eps) if matrix is None else _rms(matrix, eps, 0).reshape(x.shape)",
    ),
    "colnorm": (
        "def _colnorm(x, eps, may_be_matrix):",
        '    """Returns a matrix, the weights into each output divided by their root mean square."""',
        "    matrix = _matrix(x, may_be_matrix)",
        "    return _rms(x, eps) if matrix is None else _rms(matrix, eps, 1).reshape(x.shape)",
    ),
    "cautious": (
        "def _cautious(x, g):",
        '    """Returns x where it has the sign of g, 0 elsewhere, over the share kept."""',
        "    kept = (torch.sign(x) * torch.sign(g) > 0.0).to(x.dtype)",
        f"    return x * (kept / kept.mean().clamp(min={LEAST_SHARE}))",
    ),
}
