"""Adan: momentum that looks ahead along the change of the gradient.

Nesterov's momentum needs the gradient at a point further on. Adan estimates it where it is, from the change of the
gradient since the last step: the averages of gradients and of changes are added, and divided by the root of the
average square of the gradient moved along its change.

Letters: g gradient, d its change since the last step, β with optax's convention, the share of an average that stays
(the paper's β is one less that), m, v, n moving averages of g, of d and of (g + β2 d)².

Reference: Xie, Zhou, Li, Lin, Yan, "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models",
arXiv:2208.06677, Algorithm 1, with the corrections for the start at zero of the authors' code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.update_rules import average_rate, descend


class ScaleByAdanState(NamedTuple):
    """State of `scale_by_adan`."""

    count: jax.typing.ArrayLike  # [], int32: steps taken
    mu: optax.Updates  # average of g, like the parameters
    delta: optax.Updates  # average of d
    nu: optax.Updates  # average of (g + β2 d)²
    previous: optax.Updates  # the gradient before


def adan(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: jax.typing.ArrayLike = 0.98,
    b2: jax.typing.ArrayLike = 0.92,
    b3: jax.typing.ArrayLike = 0.99,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Adan: Adam with Nesterov's momentum, estimated from the change of the gradient.

    .. math::

        d_t &\leftarrow g_t - g_{t-1}, \quad d_1 = 0 \\
        m_t &\leftarrow \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t \leftarrow \beta_2 v_{t-1} + (1 - \beta_2) d_t \\
        n_t &\leftarrow \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 d_t)^2 \\
        u_t &\leftarrow -\alpha_t\, (\hat m_t + \beta_2 \hat v_t) / (\sqrt{\hat n_t} + \epsilon)

    Hats are corrections for the start at zero.

    Args:
      learning_rate: a number, or a schedule from steps taken to a number; the authors take more than for Adam.
      b1: rate of the moving average m of gradients.
      b2: rate of the moving average v of their changes, and the changes' weight.
      b3: rate of the moving average n of squares.
      eps: keeps divisors away from zero.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of m and v; None means that of the parameters.

    Returns:
      The transform. Its state holds four buffers per parameter.

    Raises:
      InvalidInput: a number is out of range.

    Differs from `optax.adan` of optax 0.2.8, which weighs changes by 1 - b2 where the paper weighs them by b2
    (`findings/optax_adan_is_nearly_adam.sh`), and from the authors' code in weight decay, which there divides the
    parameters by 1 + α λ after the step.

    Examples:
      >>> import jax, jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> def f(x): return jnp.sum(x ** 2)
      >>> optimizer = optimizers.adan(learning_rate=0.5)
      >>> params = jnp.array([1.0, 2.0, 3.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(3):
      ...     updates, state = optimizer.update(jax.grad(f)(params), state, params)
      ...     params = optax.apply_updates(params, updates)
      ...     print(f"{f(params):.2f}")
      8.75
      5.12
      2.69

    References:
      Xie et al., `Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models
      <https://arxiv.org/abs/2208.06677>`_, 2022
    """
    direction = scale_by_adan(b1, b2, b3, eps, mu_dtype=mu_dtype)
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def scale_by_adan(
    b1: jax.typing.ArrayLike = 0.98,
    b2: jax.typing.ArrayLike = 0.92,
    b3: jax.typing.ArrayLike = 0.99,
    eps: jax.typing.ArrayLike = 1e-8,
    *,
    mu_dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformation:
    """Returns the transform from gradients to the directions of Adan; the arguments are those of `adan`.

    Raises:
      InvalidInput: a number is out of range.
    """
    b1, b2, b3 = average_rate("b1", b1), average_rate("b2", b2), average_rate("b3", b3)

    def init(params: optax.Params) -> ScaleByAdanState:
        return ScaleByAdanState(
            count=jnp.zeros([], jnp.int32),
            mu=optax.tree.zeros_like(params, dtype=mu_dtype),
            delta=optax.tree.zeros_like(params, dtype=mu_dtype),
            nu=optax.tree.zeros_like(params),
            previous=optax.tree.zeros_like(params),
        )

    def update(
        updates: optax.Updates, state: ScaleByAdanState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, ScaleByAdanState]:
        del params
        count = optax.safe_increment(state.count)
        changes = jax.tree.map(
            lambda g, before: jnp.where(state.count == 0, 0.0, g - before).astype(g.dtype),
            updates,
            state.previous,
        )
        ahead = jax.tree.map(lambda g, d: (g + b2 * d).astype(g.dtype), updates, changes)
        mu = optax.tree.update_moment(updates, state.mu, b1, 1)
        delta = optax.tree.update_moment(changes, state.delta, b2, 1)
        nu = optax.tree.update_moment(ahead, state.nu, b3, 2)
        means, slopes, squares = (
            optax.tree.bias_correction(average, rate, count)
            for average, rate in ((mu, b1), (delta, b2), (nu, b3))
        )
        directions = jax.tree.map(
            lambda m, v, n, g: ((m + b2 * v) / (jnp.sqrt(n) + eps)).astype(g.dtype),
            means,
            slopes,
            squares,
            updates,
        )
        return directions, ScaleByAdanState(
            count,
            optax.tree.cast_like(mu, state.mu),
            optax.tree.cast_like(delta, state.delta),
            optax.tree.cast_like(nu, state.nu),
            optax.tree.cast_like(updates, state.previous),
        )

    return optax.GradientTransformation(init, update)  # type: ignore[arg-type]
