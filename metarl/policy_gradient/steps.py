"""Ways to step: behind a clip of the gradient, by conjugate gradients, back until a point is good enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

MakeOptimizer = Callable[[float | optax.Schedule], optax.GradientTransformation]


def clipped(
    make_optimizer: MakeOptimizer,
    learning_rate: float | optax.Schedule,
    max_gradient_norm: float | None,
) -> optax.GradientTransformation:
    """Returns an optimizer, behind a clip of the gradient's global norm unless that is None."""
    optimizer = make_optimizer(learning_rate)
    if max_gradient_norm is None:
        return optimizer
    return optax.chain(optax.clip_by_global_norm(max_gradient_norm), optimizer)


def inner_product(first: Any, second: Any) -> jax.Array:
    """Returns the inner product of two PyTrees of the same structure, taken as vectors."""
    return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, first, second)), start=jnp.zeros(()))


def global_norm(tree: Any) -> jax.Array:
    """Returns the Euclidean norm of a PyTree taken as a vector."""
    return jnp.sqrt(inner_product(tree, tree))


def conjugate_gradients(
    product: Callable[[Any], Any], target: Any, steps: int, tolerance: float = 1e-5
) -> Any:
    """Returns x with A x = b, nearly.

    A number of steps and not a loop until it is near enough: `jax.scipy.sparse.linalg.cg` gave NaN for
    batches of more than 64 systems on several threads of a CPU (jaxlib 0.10.2, whose fused loops are
    at fault: jax issues 39257 and 39741).

    Args:
      product: x -> A x, A symmetric and positive definite, as a matrix of PyTrees taken as vectors.
      target: b, a PyTree.
      steps: how many at most.
      tolerance: x stays as it is once the norm of b - A x is at most this share of that of b.
    """

    def advance(search: Any, _: None) -> tuple[Any, None]:
        x, residual, direction, left = search
        goes_on = left > enough
        ahead = product(direction)
        rate = jnp.where(goes_on, left / inner_product(direction, ahead), 0.0)
        x = _moved(x, rate, direction)
        residual = _moved(residual, -rate, ahead)
        remains = inner_product(residual, residual)
        turn = jnp.where(goes_on, remains / left, 0.0)
        return (x, residual, _moved(residual, turn, direction), remains), None

    size = inner_product(target, target)
    enough = tolerance**2 * size
    start = (jax.tree.map(jnp.zeros_like, target), target, target, size)
    (x, *_), _ = jax.lax.scan(advance, start, None, length=steps)
    return x


def _moved(start: Any, rate: jax.Array, direction: Any) -> Any:
    return jax.tree.map(lambda x, d: x + rate * d, start, direction)


def backtrack(
    start: Any, goal: Any, accepts: Callable[[Any], jax.Array], factor: float, tries: int
) -> tuple[Any, jax.Array]:
    """Goes from `start` as far towards `goal` as is accepted.

    Args:
      start: PyTree of arrays.
      goal: the same tree.
      accepts: says whether a point is good enough. A comparison with NaN is False, so NaN is
        refused.
      factor: what the step is multiplied by after each refusal.
      tries: how many points are looked at; the goal is the first.

    Returns:
      The first accepted one of the points start + factor^k (goal - start), k = 0, 1, ..., and its
      factor^k; `start` and 0 if none was accepted.
    """

    def point(fraction: jax.Array) -> Any:
        # Not a + fraction (b - a): at fraction 0 that is NaN where the goal is.
        return jax.tree.map(
            lambda a, b: jnp.where(fraction > 0, a + fraction * (b - a), a), start, goal
        )

    def goes_on(search: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        attempt, _, accepted = search
        return (attempt < tries) & ~accepted

    def attempt_next(search: tuple[jax.Array, jax.Array, jax.Array]):
        attempt, _, _ = search
        fraction = jnp.asarray(factor, jnp.float32) ** attempt
        return attempt + 1, fraction, accepts(point(fraction))

    nothing_yet = (jnp.zeros((), jnp.int32), jnp.zeros(()), jnp.zeros((), bool))
    _, fraction, accepted = jax.lax.while_loop(goes_on, attempt_next, nothing_yet)
    fraction = jnp.where(accepted, fraction, 0.0)
    return point(fraction), fraction
