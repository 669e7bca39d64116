"""The learning rate schedules of the paper: a cosine on a linear decay, with annealed noise or without.

Letters: t steps taken, T steps of the decay, p = min(t, T) / T.

Reference: Bello, Zoph, Vasudevan, Le (2017), arXiv:1709.07417.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require


def linear_cosine_decay(
    init_value: float,
    decay_steps: int,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
) -> optax.Schedule:
    r"""Returns the schedule in which a cosine rides on a linear decay.

    .. math::

        \eta_t = \eta_0 \left((\alpha + 1 - p)\, \frac{1 + \cos(2 \pi n p)}{2} + \beta\right),
        \quad p = \min(t, T) / T

    Args:
      init_value: η₀, the value at the start is η₀ (1 + α + β).
      decay_steps: T, after which the value stays.
      num_periods: n, number of periods of the cosine.
      alpha: α, added to the linear decay.
      beta: β, added to the whole.

    Returns:
      A function from steps taken to the value.

    Raises:
      InvalidInput: `decay_steps` is not positive.

    Examples:
      >>> from metarl import optimizers
      >>> schedule = optimizers.linear_cosine_decay(init_value=1.0, decay_steps=4)
      >>> [round(float(schedule(t)), 3) for t in range(6)]
      [1.001, 0.641, 0.251, 0.038, 0.001, 0.001]

    References:
      Bello et al., `Neural Optimizer Search with Reinforcement Learning <https://arxiv.org/abs/1709.07417>`_, 2017
    """
    _check_decay_steps(decay_steps)

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        progress = jnp.minimum(count, decay_steps) / decay_steps
        cosine = 0.5 * (1.0 + jnp.cos(2.0 * jnp.pi * num_periods * progress))
        return init_value * ((alpha + 1.0 - progress) * cosine + beta)

    return schedule


def noisy_linear_cosine_decay(
    init_value: float,
    decay_steps: int,
    initial_variance: float = 1.0,
    variance_decay: float = 0.55,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    seed: int = 0,
) -> optax.Schedule:
    r"""Returns `linear_cosine_decay` with annealed normal noise on its linear part.

    .. math::

        \eta_t = \eta_0 \left((\alpha + 1 - p + \epsilon_t)\, \frac{1 + \cos(2 \pi n p)}{2} + \beta\right),
        \quad \epsilon_t \sim \mathcal{N}\left(0, \frac{\sigma^2}{(1 + \min(t, T))^\gamma}\right)

    The value may be negative: with a variance of 1 it is so in one of six of the first steps.

    Args:
      init_value: η₀.
      decay_steps: T, after which the value stays near η₀ β.
      initial_variance: σ².
      variance_decay: γ, how fast the variance falls.
      num_periods: n, number of periods of the cosine.
      alpha: α, added to the linear decay.
      beta: β, added to the whole.
      seed: of the noise; one step always has the same noise.

    Returns:
      A function from steps taken to the value.

    Raises:
      InvalidInput: `decay_steps` is not positive, or `initial_variance` is negative.

    Examples:
      >>> from metarl import optimizers
      >>> schedule = optimizers.noisy_linear_cosine_decay(init_value=1.0, decay_steps=4, initial_variance=0.0)
      >>> [round(float(schedule(t)), 3) for t in range(6)]
      [1.001, 0.641, 0.251, 0.038, 0.001, 0.001]

    References:
      Bello et al., `Neural Optimizer Search with Reinforcement Learning <https://arxiv.org/abs/1709.07417>`_, 2017
    """
    _check_decay_steps(decay_steps)
    require(
        initial_variance >= 0.0,
        f"initial_variance must not be negative; received {initial_variance}.",
    )

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        t = jnp.minimum(count, decay_steps)
        key = jax.random.fold_in(jax.random.key(seed), jnp.asarray(count, jnp.uint32))
        deviation = jnp.sqrt(initial_variance / (1.0 + t) ** variance_decay)
        linear = 1.0 - t / decay_steps + deviation * jax.random.normal(key)
        cosine = 0.5 * (1.0 + jnp.cos(2.0 * jnp.pi * num_periods * t / decay_steps))
        return init_value * ((alpha + linear) * cosine + beta)

    return schedule


def _check_decay_steps(decay_steps: int) -> None:
    require(decay_steps > 0, f"decay_steps is a positive number of steps; received {decay_steps}.")
