"""MARS: Adam on gradients whose variance is reduced by the gradient before.

The gradient is moved further along its change since the last step, cut to a norm of at most one, and given to AdamW.
This is the approximation of the paper that needs one gradient a step: the gradient before stands for the gradient of
today's examples at yesterday's parameters.

Letters: g gradient, c corrected gradient, γ strength of the correction, m, v moving averages of c and c².

Reference: Yuan, Liu, Wu, Zhou, Gu, "MARS: Unleashing the Power of Variance Reduction for Training Large Models",
arXiv:2411.10438, Algorithm 2 (MARS-AdamW) with the approximation of its section 3.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require
from metarl.update_rules import average_rate, descend, known_number


class ScaleByMarsState(NamedTuple):
    """State of `scale_by_mars`."""

    count: jax.typing.ArrayLike  # [], int32: steps taken
    mu: optax.Updates  # average of c, like the parameters
    nu: optax.Updates  # average of c^2
    previous: optax.Updates  # the gradient before


def mars(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.99,
    gamma: jax.typing.ArrayLike = 0.025,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""MARS-AdamW: Adam on gradients whose variance is reduced by the gradient before.

    .. math::

        c_t &\leftarrow g_t + \gamma \frac{\beta_1}{1 - \beta_1} (g_t - g_{t-1}), \quad g_0 = g_1 \\
        c_t &\leftarrow c_t / \max(1, \lVert c_t \rVert) \\
        m_t &\leftarrow \beta_1 m_{t-1} + (1 - \beta_1) c_t, \quad
        v_t \leftarrow \beta_2 v_{t-1} + (1 - \beta_2) c_t^2 \\
        u_t &\leftarrow -\alpha_t\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)

    The norm is that of each leaf by itself. Hats are corrections for the start at zero.

    Args:
      learning_rate: a number, or a schedule from steps taken to a number; the authors start from 3e-3.
      b1: rate of the moving average m.
      b2: rate of the moving average v.
      gamma: γ, 0 or more; 0 is Adam with clipped gradients.
      eps: keeps divisors away from zero.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of m; None means that of the parameters.

    Returns:
      The transform. Its state holds three buffers per parameter.

    Raises:
      InvalidInput: a number is out of range.

    Differs from the authors' code, which by default gives leaves that are no matrices AdamW without the correction.

    Examples:
      >>> import jax, jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> def f(x): return jnp.sum(x ** 2)
      >>> optimizer = optimizers.mars(learning_rate=0.5)
      >>> params = jnp.array([1.0, 2.0, 3.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(3):
      ...     updates, state = optimizer.update(jax.grad(f)(params), state, params)
      ...     params = optax.apply_updates(params, updates)
      ...     print(f"{f(params):.2f}")
      8.75
      5.00
      2.55

    References:
      Yuan et al., `MARS: Unleashing the Power of Variance Reduction for Training Large Models
      <https://arxiv.org/abs/2411.10438>`_, 2024
    """
    direction = scale_by_mars(b1, b2, gamma, eps, mu_dtype=mu_dtype)
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def scale_by_mars(
    b1: jax.typing.ArrayLike = 0.95,
    b2: jax.typing.ArrayLike = 0.99,
    gamma: jax.typing.ArrayLike = 0.025,
    eps: jax.typing.ArrayLike = 1e-8,
    *,
    mu_dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformation:
    """Returns the transform from gradients to the directions of MARS-AdamW; the arguments are those of `mars`.

    Raises:
      InvalidInput: a number is out of range.
    """
    b1, b2 = average_rate("b1", b1), average_rate("b2", b2)
    known = known_number(gamma)
    require(
        known is None or 0.0 <= known < math.inf,
        f"gamma is a number, 0 or more; received {gamma}.",
    )

    def init(params: optax.Params) -> ScaleByMarsState:
        return ScaleByMarsState(
            count=jnp.zeros([], jnp.int32),
            mu=optax.tree.zeros_like(params, dtype=mu_dtype),
            nu=optax.tree.zeros_like(params),
            previous=optax.tree.zeros_like(params),
        )

    def update(
        updates: optax.Updates, state: ScaleByMarsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, ScaleByMarsState]:
        del params
        count = optax.safe_increment(state.count)

        def correct(g: jax.Array, before: jax.Array) -> jax.Array:
            change = jnp.where(state.count == 0, 0.0, g - before)
            corrected = g + gamma * b1 / (1 - b1) * change
            norm = jnp.sqrt(jnp.sum(jnp.square(corrected)))
            return (corrected / jnp.maximum(1.0, norm)).astype(g.dtype)

        corrected = jax.tree.map(correct, updates, state.previous)
        mu = optax.tree.update_moment(corrected, state.mu, b1, 1)
        nu = optax.tree.update_moment(corrected, state.nu, b2, 2)
        means, squares = (
            optax.tree.bias_correction(mu, b1, count),
            optax.tree.bias_correction(nu, b2, count),
        )
        directions = jax.tree.map(
            lambda m, v, g: (m / (jnp.sqrt(v) + eps)).astype(g.dtype), means, squares, updates
        )
        return directions, ScaleByMarsState(
            count,
            optax.tree.cast_like(mu, state.mu),
            optax.tree.cast_like(nu, state.nu),
            optax.tree.cast_like(updates, state.previous),
        )

    return optax.GradientTransformation(init, update)  # type: ignore[arg-type]
