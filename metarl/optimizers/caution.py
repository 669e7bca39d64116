"""Caution: an optimizer's update where it goes downhill by today's gradient, and nothing where it does not.

Momentum may point uphill for a while. Entries of the update that would raise the loss to first order are left out, and
the others are scaled up by as much as was left out.

Letters: g gradient, u direction before the learning rate, d entries of a leaf, k share of them that is kept.

Reference: Liang, Chen, Liu, Liu, "Cautious Optimizers: Improving Training with One Line of Code", arXiv:2411.16085,
Algorithm 1.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require
from metarl.update_rules import descend, scale_by_rule

_LEAST_SHARE = 1e-3


def cautious(optimizer: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    r"""Returns an optimizer that leaves out the entries of another's updates that go uphill.

    .. math::

        k_t &\leftarrow \max(10^{-3},\ \mathrm{mean}(u_t \circ g_t < 0)) \\
        u_t &\leftarrow u_t \circ (u_t \circ g_t < 0) / k_t

    The mean is that of each leaf by itself. Decoupled weight decay belongs outside (see `cautious_adamw`), or it is
    masked too.

    Args:
      optimizer: gives what is added to the parameters, such as `optax.adam(1e-3)` or `optax.lion(1e-4)`.

    Returns:
      The transform; its state is that of `optimizer`.

    Raises:
      InvalidInput: `optimizer` is no optax transform, such as a name.

    Differs from the paper, which divides by (number kept + 1) / d; this is the authors' later code.

    Examples:
      >>> import jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> optimizer = optimizers.cautious(optax.sgd(0.1, momentum=0.9))
      >>> params = jnp.zeros(2)
      >>> state = optimizer.init(params)
      >>> for gradients in (jnp.array([1.0, 1.0]), jnp.array([1.0, -0.1])):
      ...     updates, state = optimizer.update(gradients, state, params)
      ...     print([f"{x:.2f}" for x in updates])
      ['-0.10', '-0.10']
      ['-0.38', '0.00']

    References:
      Liang et al., `Cautious Optimizers: Improving Training with One Line of Code
      <https://arxiv.org/abs/2411.16085>`_, 2024
    """
    require(
        callable(getattr(optimizer, "init", None)) and callable(getattr(optimizer, "update", None)),
        f"cautious takes an optimizer of optax, such as optax.adam(1e-3), or by_name('adam', 1e-3) of a name; "
        f"received {optimizer!r}.",
    )
    return _where_downhill(optimizer, -1.0)


def cautious_adamw(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: jax.typing.ArrayLike = 0.9,
    b2: jax.typing.ArrayLike = 0.999,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: jax.typing.DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""AdamW that takes no step uphill: where update and gradient disagree, only the weights decay.

    .. math::

        u_t &\leftarrow \hat m_t / (\sqrt{\hat v_t} + \epsilon) \\
        w_t &\leftarrow w_{t-1} - \alpha_t \left(u_t \circ (u_t \circ g_t > 0) / k_t + \lambda w_{t-1}\right)

    Args:
      learning_rate: a number, or a schedule from steps taken to a number.
      b1: rate of the moving average m of g.
      b2: rate of the moving average v of g^2.
      eps: keeps divisors away from zero.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of m; None means that of the parameters.

    Returns:
      The transform. Its state is Adam's.

    Examples:
      >>> import jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> optimizer = optimizers.cautious_adamw(learning_rate=0.1)
      >>> params = jnp.array([1.0, 2.0, 3.0])
      >>> updates, state = optimizer.update(2.0 * params, optimizer.init(params), params)
      >>> params = optax.apply_updates(params, updates)

    References:
      Liang et al., `Cautious Optimizers: Improving Training with One Line of Code
      <https://arxiv.org/abs/2411.16085>`_, 2024
    """
    adam = scale_by_rule("adam", b1=b1, b2=b2, eps=eps, mu_dtype=mu_dtype)
    direction = _where_downhill(adam, 1.0)
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def _where_downhill(
    transform: optax.GradientTransformation, sign: float
) -> optax.GradientTransformationExtraArgs:
    """Returns a transform without the entries whose product with the gradient has not that sign."""
    inner = optax.with_extra_args_support(transform)

    def update(
        gradients: optax.Updates, state: Any, params: optax.Params | None = None, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        updates, state = inner.update(gradients, state, params, **extra_args)
        return jax.tree.map(kept, updates, gradients), state

    def kept(u: jax.Array, g: jax.Array) -> jax.Array:
        downhill = sign * u * g > 0
        share = jnp.maximum(jnp.mean(downhill, dtype=jnp.float32), _LEAST_SHARE)
        return jnp.where(downhill, u / share.astype(u.dtype), jnp.zeros_like(u))

    return optax.GradientTransformationExtraArgs(inner.init, update)  # type: ignore[arg-type]
