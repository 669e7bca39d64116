"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

Of every matrix of weights two averages are kept, of G Gᵀ and of Gᵀ G. Their eigenvectors are a basis in which Adam
runs. The basis is brought up to date every f steps by one step of orthogonal iteration, which costs a QR decomposition;
Adam's second moment is kept up to date in between, at every step. What is no matrix gets Adam.

Letters: G gradient of a matrix [m, n], L, R averages of G Gᵀ [m, m] and Gᵀ G [n, n], P, Q their eigenvectors, M average
of G, V average of the squares in the basis, t steps taken since the basis was set, f steps between two bases.

Reference: Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade, "SOAP: Improving and Stabilizing Shampoo
using Adam", arXiv:2409.11321, Algorithms 3 and 4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from metarl.errors import require
from metarl.update_rules import average_rate, descend, known_number

from .matrices import WeightDimensionNumbers, from_matrices, resolved, to_matrices

_LONGEST_SIDE = 10_000  # longer sides keep the basis that they have


class Sides(NamedTuple):
    """What is kept of one side of a stack of matrices [B, m, n]."""

    average: jax.Array  # L [B, m, m] or R [B, n, n], float32 or better
    basis: jax.Array  # its eigenvectors, as columns


class ScaleBySoapState(NamedTuple):
    """State of `scale_by_soap`."""

    count: jax.typing.ArrayLike  # [], int32: calls of update
    mu: optax.Updates  # M, like the parameters
    nu: optax.Updates  # V in the basis, like the parameters
    left: Any  # a Sides for each matrix, None for each other leaf and for sides that are too long
    right: Any


def soap(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.95,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: jax.typing.DTypeLike | None = None,
    precondition_frequency: jax.typing.ArrayLike = 10,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> optax.GradientTransformationExtraArgs:
    r"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

    .. math::

        m_t &\leftarrow \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        g'_t &\leftarrow P^\top g_t\, Q, \quad m'_t \leftarrow P^\top m_t\, Q \\
        v_t &\leftarrow \beta_2 v_{t-1} + (1 - \beta_2)\, g'_t \circ g'_t \\
        u_t &\leftarrow -\alpha_t\, P\, \frac{\hat m'_t}{\sqrt{\hat v_t} + \epsilon}\, Q^\top \\
        l_t &\leftarrow \beta_2 l_{t-1} + (1 - \beta_2)\, g_t g_t^\top, \quad
        r_t \leftarrow \beta_2 r_{t-1} + (1 - \beta_2)\, g_t^\top g_t \\
        P &\leftarrow \mathrm{qr}(l_t P), \quad Q \leftarrow \mathrm{qr}(r_t Q) \quad
        \text{every } f \text{ steps}

    The first step sets the bases to the eigenvectors of the first gradient's products and moves nothing, as in the
    authors' code. Hats are corrections for the start at zero.

    Args:
      learning_rate: a number, or a schedule from steps taken to a number; the authors start from 3e-3.
      b1: rate of the moving average M.
      b2: rate of the moving averages V, L and R.
      eps: keeps divisors away from zero.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of M; None means that of the parameters.
      precondition_frequency: f, steps between two bases.
      weight_dimension_numbers: which leaves are matrices and how, in the form of `optax.contrib.muon`: a tree of
        `optax.contrib.MuonDimensionNumbers` and None, or a function from parameters to one. None takes every leaf of
        two axes for a matrix, embeddings too. All other leaves get Adam of the same rates.

    Returns:
      The transform. Its state holds two buffers per parameter and, for a matrix [m, n], 2 m² + 2 n² numbers more. A
      side of more than 10,000 keeps its axes for a basis.

    Raises:
      InvalidInput: a number is out of range.

    Differs from the authors' code, which sorts the columns of the bases by their estimated eigenvalues before each
    decomposition; here, as in the paper, they stay in the order that the first decomposition gave them.

    Examples:
      >>> import jax, jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> def f(x): return jnp.sum((x - jnp.eye(2)) ** 2)
      >>> optimizer = optimizers.soap(learning_rate=0.1)
      >>> params = jnp.zeros((2, 2))
      >>> state = optimizer.init(params)
      >>> for _ in range(5):
      ...     updates, state = optimizer.update(jax.grad(f)(params), state, params)
      ...     params = optax.apply_updates(params, updates)
      ...     print(f"{f(params):.2f}")
      2.00
      1.62
      1.28
      0.98
      0.72

    References:
      Vyas et al., `SOAP: Improving and Stabilizing Shampoo using Adam <https://arxiv.org/abs/2409.11321>`_, 2024
    """
    direction = scale_by_soap(
        b1,
        b2,
        eps,
        mu_dtype=mu_dtype,
        precondition_frequency=precondition_frequency,
        weight_dimension_numbers=weight_dimension_numbers,
    )
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def scale_by_soap(
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.95,
    eps: jax.typing.ArrayLike = 1e-8,
    *,
    mu_dtype: jax.typing.DTypeLike | None = None,
    precondition_frequency: jax.typing.ArrayLike = 10,
    weight_dimension_numbers: WeightDimensionNumbers = None,
) -> optax.GradientTransformation:
    """Returns the transform from gradients to SOAP's directions; the arguments are those of `soap`.

    Raises:
      InvalidInput: a number is out of range.
    """
    b1, b2 = average_rate("b1", b1), average_rate("b2", b2)
    known = known_number(precondition_frequency)
    require(
        known is None or (known >= 1 and known == int(known)),
        f"precondition_frequency is a number of steps, at least 1; received {precondition_frequency}.",
    )
    frequency = jnp.asarray(precondition_frequency, jnp.int32)

    def init(params: optax.Params) -> ScaleBySoapState:
        leaves, structure = jax.tree.flatten(params)
        sides = [_start(*row) for row in zip(leaves, _numbers(params), strict=True)]
        return ScaleBySoapState(
            count=jnp.zeros([], jnp.int32),
            mu=optax.tree.zeros_like(params, dtype=mu_dtype),
            nu=optax.tree.zeros_like(params),
            left=jax.tree.unflatten(structure, [left for left, _ in sides]),
            right=jax.tree.unflatten(structure, [right for _, right in sides]),
        )

    def update(
        updates: optax.Updates, state: ScaleBySoapState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, ScaleBySoapState]:
        del params
        t = state.count  # the first call only sets the bases
        leaves, structure = jax.tree.flatten(updates)
        trees = (state.mu, state.nu, state.left, state.right)
        mus, nus, lefts, rights = (structure.flatten_up_to(tree) for tree in trees)
        rows = zip(leaves, _numbers(updates), mus, nus, lefts, rights, strict=True)
        new = [
            _update_leaf(g, numbers, mu, nu, left, right, t, b1, b2, eps, frequency)
            for g, numbers, mu, nu, left, right in rows
        ]
        return _tree(structure, new, 0), ScaleBySoapState(
            optax.safe_increment(t), *(_tree(structure, new, place) for place in range(1, 5))
        )

    def _numbers(tree: Any) -> list[Any]:
        return resolved(weight_dimension_numbers, tree)

    return optax.GradientTransformation(init, update)  # type: ignore[arg-type]


def _start(leaf: Any, numbers: Any) -> tuple[Sides | None, Sides | None]:
    """Returns what is kept of both sides of a leaf before the first step."""
    if numbers is None:
        return None, None
    stack, rows, columns = jax.eval_shape(lambda x: to_matrices(x, numbers), leaf).shape
    kind = jnp.promote_types(leaf.dtype, jnp.float32)

    def side(length: int) -> Sides | None:
        if length > _LONGEST_SIDE:
            return None
        identity = jnp.broadcast_to(jnp.eye(length, dtype=kind), (stack, length, length))
        return Sides(jnp.zeros_like(identity), identity)

    return side(rows), side(columns)


def _update_leaf(
    g: jax.Array,
    numbers: Any,
    mu: jax.Array,
    nu: jax.Array,
    left: Sides | None,
    right: Sides | None,
    t: Any,
    b1: Any,
    b2: Any,
    eps: Any,
    frequency: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array, Sides | None, Sides | None]:
    """Returns the direction of one leaf, and its next mu, nu, left and right."""
    kind = jnp.promote_types(g.dtype, jnp.float32)

    def into(x: jax.Array) -> jax.Array:
        """Returns a tensor in the basis, as matrices [B, m, n]; itself where it is no matrix."""
        x = x.astype(kind)
        if numbers is None:
            return x
        x = to_matrices(x, numbers)
        x = x if left is None else left.basis.mT @ x
        return x if right is None else x @ right.basis

    def out(x: jax.Array) -> jax.Array:
        """Returns what `into` gave as a tensor outside of the basis."""
        if numbers is None:
            return x
        x = x if left is None else left.basis @ x
        x = x if right is None else x @ right.basis.mT
        return from_matrices(x, g.shape, numbers)

    averaged = b1 * mu.astype(kind) + (1 - b1) * g.astype(kind)
    squares = nu.astype(kind) if numbers is None else to_matrices(nu.astype(kind), numbers)
    squares = b2 * squares + (1 - b2) * jnp.square(into(g))
    steps = jnp.maximum(t, 1)
    corrected = into(averaged) / (1 - b1**steps)
    direction = out(corrected / (jnp.sqrt(squares / (1 - b2**steps)) + eps))
    flat = squares if numbers is None else from_matrices(squares, g.shape, numbers)

    def after_the_first(new: jax.Array, before: jax.Array) -> jax.Array:
        return jnp.where(t == 0, before, new.astype(before.dtype))

    if numbers is not None:
        stack = to_matrices(g.astype(kind), numbers)
        left = None if left is None else _next(left, stack @ stack.mT, t, b2, frequency)
        right = None if right is None else _next(right, stack.mT @ stack, t, b2, frequency)
    return (
        after_the_first(direction, jnp.zeros_like(g)),
        after_the_first(averaged, mu),
        after_the_first(flat, nu),
        left,
        right,
    )


def _next(side: Sides, product: jax.Array, t: Any, b2: Any, frequency: jax.Array) -> Sides:
    """Returns a side after a gradient whose product with itself is given; Algorithm 4 of the paper."""
    average = (b2 * side.average + (1 - b2) * product).astype(product.dtype)

    def keep() -> jax.Array:
        return side.basis

    def decompose() -> jax.Array:
        return jnp.linalg.eigh(average)[1][..., ::-1]  # the largest first

    def iterate() -> jax.Array:
        return jnp.linalg.qr(average @ side.basis)[0]

    which = jnp.where(t == 0, 1, jnp.where(t % frequency == 0, 2, 0))
    return Sides(average, lax.switch(which, (keep, decompose, iterate)))


def _tree(structure: Any, rows: list[tuple], place: int) -> Any:
    return jax.tree.unflatten(structure, [row[place] for row in rows])
