"""PowerSign and AddSign: the step grows where gradient and momentum agree in sign, and shrinks where they do not.

Both scale the gradient by a function of the agreement A = f(t) sign(g) sign(m), which lies in [-1, 1]: PowerSign by
exp(A ln a), AddSign by a + A. The agreement is a rule; the scale is applied here, so that a may be any number, also one
that `optax.inject_hyperparams` traces.

Letters: g gradient, m its moving average, f(t) a decay from 1 to 0.

References: Bello, Zoph, Vasudevan, Le (2017), ICML, and arXiv:1709.07417 for the decays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require, unknown_name
from metarl.update_rules import OPERANDS, descend, known_number, scale_by_rule

DECAYS = tuple(row.name for row in OPERANDS.values() if row.by_step)


def powersign(
    learning_rate: optax.ScalarOrSchedule,
    *,
    base: jax.typing.ArrayLike = math.e,
    decay: str | None = None,
    b1: jax.typing.ArrayLike = 0.9,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: Any = None,
    total_steps: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""PowerSign: larger steps where gradient and momentum agree in sign, smaller ones where they do not.

    .. math::

        m_t &\leftarrow \beta_1 \cdot m_{t-1} + (1 - \beta_1) \cdot g_t \\
        u_t &\leftarrow -\alpha_t \cdot a^{f(t)\, \mathrm{sign}(g_t)\, \mathrm{sign}(m_t)} \cdot g_t

    Args:
      learning_rate: a number, or a schedule from steps taken to a number; the paper's authors start from 0.1.
      base: a > 0; the paper uses e and 2.
      decay: f(t), one of `DECAYS` ("ld", "cd", "rd10" ...), or None for f(t) = 1.
      b1: rate of the moving average m.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of the average; None means that of the parameters.
      total_steps: T; needed with a decay.

    Returns:
      The transform. Its state holds one buffer per parameter.

    Raises:
      InvalidInput: the base is not positive, the decay is unknown, or `total_steps` is missing.

    Examples:
      >>> import jax, jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> def f(x): return jnp.sum(x ** 2)
      >>> optimizer = optimizers.powersign(learning_rate=0.1, decay="ld", total_steps=5)
      >>> params = jnp.array([1.0, 2.0, 3.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(5):
      ...     updates, state = optimizer.update(jax.grad(f)(params), state, params)
      ...     params = optax.apply_updates(params, updates)
      ...     print(f"{f(params):.2f}")
      2.92
      0.90
      0.36
      0.18
      0.10

    References:
      Bello et al., `Neural Optimizer Search with Reinforcement Learning <https://arxiv.org/abs/1709.07417>`_, 2017
    """
    known = known_number(base)
    require(
        known is None or 0.0 < known < math.inf,
        f"PowerSign's base is a positive number; received {base}.",
    )

    def scale(agreement: jax.Array) -> jax.Array:
        # The logarithm in float32, or better: a base that is traced may be of a coarser type than the result.
        log = math.log(base) if isinstance(base, int | float) else jnp.log(_at_least_float32(base))
        return jnp.exp(log * agreement)

    direction = _scale_by_agreement(scale, decay, b1=b1, mu_dtype=mu_dtype, total_steps=total_steps)
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def addsign(
    learning_rate: optax.ScalarOrSchedule,
    *,
    alpha: jax.typing.ArrayLike = 1.0,
    decay: str | None = None,
    b1: jax.typing.ArrayLike = 0.9,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: Any = None,
    total_steps: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""AddSign: double steps where gradient and momentum agree in sign, none where they do not.

    .. math::

        m_t &\leftarrow \beta_1 \cdot m_{t-1} + (1 - \beta_1) \cdot g_t \\
        u_t &\leftarrow -\alpha_t \cdot (a + f(t)\, \mathrm{sign}(g_t)\, \mathrm{sign}(m_t)) \cdot g_t

    Args:
      learning_rate: a number, or a schedule from steps taken to a number; the paper's authors start from 0.1.
      alpha: a >= 0; the paper uses 1 and 2.
      decay: f(t), one of `DECAYS` ("ld", "cd", "rd10" ...), or None for f(t) = 1.
      b1: rate of the moving average m.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of the average; None means that of the parameters.
      total_steps: T; needed with a decay.

    Returns:
      The transform. Its state holds one buffer per parameter.

    Raises:
      InvalidInput: alpha is negative, the decay is unknown, or `total_steps` is missing.

    Examples:
      >>> import jax, jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> def f(x): return jnp.sum(x ** 2)
      >>> optimizer = optimizers.addsign(learning_rate=0.1)
      >>> params = jnp.array([1.0, 2.0, 3.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(3):
      ...     updates, state = optimizer.update(jax.grad(f)(params), state, params)
      ...     params = optax.apply_updates(params, updates)
      ...     print(f"{f(params):.2f}")
      5.04
      1.81
      0.65

    References:
      Bello et al., `Neural Optimizer Search with Reinforcement Learning <https://arxiv.org/abs/1709.07417>`_, 2017
    """
    known = known_number(alpha)
    require(
        known is None or 0.0 <= known < math.inf,
        f"AddSign's alpha is a number, 0 or more; received {alpha}.",
    )

    def scale(agreement: jax.Array) -> jax.Array:
        return jnp.asarray(alpha) + agreement

    direction = _scale_by_agreement(scale, decay, b1=b1, mu_dtype=mu_dtype, total_steps=total_steps)
    return descend(direction, learning_rate, weight_decay=weight_decay, mask=mask)


def _scale_by_agreement(
    scale: Callable[[jax.Array], jax.Array], decay: str | None, **settings: Any
) -> optax.GradientTransformationExtraArgs:
    """Returns the transform g -> scale(A) g; its state and `settings` are those of the rule A."""
    if decay is not None and decay not in DECAYS:
        raise unknown_name("decay", str(decay), DECAYS)
    factors = "sign(g) * sign(m)" if decay is None else f"{decay} * sign(g) * sign(m)"
    rule = scale_by_rule(factors, **settings)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        agreements, state = rule.update(updates, state, params, **extra_args)
        return jax.tree.map(scaled, agreements, updates), state

    def scaled(agreement: jax.Array, g: Any) -> jax.Array:
        return (scale(agreement) * g).astype(agreement.dtype)

    return optax.GradientTransformationExtraArgs(rule.init, update)


def _at_least_float32(x: jax.typing.ArrayLike) -> jax.Array:
    return jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32))
