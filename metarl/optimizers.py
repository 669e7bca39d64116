r"""Named rules as optax transforms: powersign, addsign, found rules.

    from metarl import optimizers
    optimizer = optimizers.powersign(learning_rate=0.1, decay="ld", total_steps=1000)

PowerSign and AddSign with any base and decay, the rules of the paper's table under their own names, the rules that
searches of metarl found, every named rule through `named`, and the paper's schedules of the learning rate. All are used
as `optax.adam` is.

Letters: g gradient, m, v, y moving averages of g, g², g³, corrected for their start at zero, w parameters, t steps
taken before this one, T steps of the whole run (`total_steps`), f(t) a decay from 1 to 0.

References: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning", ICML 2017, and
arXiv:1709.07417 for the decays and the schedules.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require, unknown_name
from metarl.update_rules import (
    NAMED_RULES,
    OPERANDS,
    Binary,
    Expression,
    Found,
    NamedRule,
    Number,
    Operand,
    Rule,
    Unary,
    parse,
    to_optax,
)

DECAYS = tuple(row.name for row in OPERANDS.values() if row.by_step)


def powersign(
    learning_rate: optax.ScalarOrSchedule,
    base: float = math.e,
    decay: str | None = None,
    *,
    b1: float = 0.9,
    weight_decay: optax.ScalarOrSchedule = 0.0,
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
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`.
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
    require(0.0 < base < math.inf, f"PowerSign's base is a positive number; received {base}.")
    agreement = _agreement(decay)
    power = (
        Unary("exp", agreement) if base == math.e else Binary("^", Number(float(base)), agreement)
    )
    rule = Rule(Binary("*", power, Operand("g")))
    return to_optax(
        rule,
        learning_rate,
        b1=b1,
        weight_decay=weight_decay,
        mask=mask,
        mu_dtype=mu_dtype,
        total_steps=total_steps,
    )


def addsign(
    learning_rate: optax.ScalarOrSchedule,
    alpha: float = 1.0,
    decay: str | None = None,
    *,
    b1: float = 0.9,
    weight_decay: optax.ScalarOrSchedule = 0.0,
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
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`.
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
    require(0.0 <= alpha < math.inf, f"AddSign's alpha is a number, 0 or more; received {alpha}.")
    rule = Rule(Binary("*", Binary("+", Number(float(alpha)), _agreement(decay)), Operand("g")))
    return to_optax(
        rule,
        learning_rate,
        b1=b1,
        weight_decay=weight_decay,
        mask=mask,
        mu_dtype=mu_dtype,
        total_steps=total_steps,
    )


def named(
    name: str, learning_rate: optax.ScalarOrSchedule, **settings: Any
) -> optax.GradientTransformationExtraArgs:
    """Returns any named rule as a transform, those found by searches of this project among them.

    Args:
      name: a name that `metarl list rules` prints, such as "powersign-cd".
      learning_rate: a number, or a schedule from steps taken to a number.
      **settings: those of `metarl.update_rules.to_optax`: `b1`, `weight_decay`, `total_steps` ...

    Returns:
      The transform.

    Raises:
      InvalidInput: there is no rule of that name; `to_optax` takes a rule's text.

    Examples:
      >>> from metarl import optimizers
      >>> optimizer = optimizers.named("powersign-cd", learning_rate=0.1, total_steps=1000)
    """
    if name not in NAMED_RULES:
        raise unknown_name("named rule", str(name), NAMED_RULES)
    return to_optax(NAMED_RULES[name].rule, learning_rate, **settings)


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


def _agreement(decay: str | None) -> Expression:
    """Returns f(t) sign(g) sign(m)."""
    if decay is None:
        return parse("sign(g) * sign(m)").expression
    if decay not in DECAYS:
        raise unknown_name("decay", str(decay), DECAYS)
    return parse(f"{decay} * sign(g) * sign(m)").expression


def _check_decay_steps(decay_steps: int) -> None:
    require(decay_steps > 0, f"decay_steps is a positive number of steps; received {decay_steps}.")


def _from_table(name: str) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """Returns the alias of a row of the table of named rules; all take the same arguments."""
    row = NAMED_RULES[name]

    def alias(
        learning_rate: optax.ScalarOrSchedule,
        *,
        b1: float = 0.9,
        b2: float = 0.999,
        b3: float = 0.999,
        eps: float = 1e-8,
        weight_decay: optax.ScalarOrSchedule = 0.0,
        mask: Any = None,
        mu_dtype: Any = None,
        total_steps: int | None = None,
        seed: int = 0,
    ) -> optax.GradientTransformationExtraArgs:
        return to_optax(
            row.rule,
            learning_rate,
            b1=b1,
            b2=b2,
            b3=b3,
            eps=eps,
            weight_decay=weight_decay,
            mask=mask,
            mu_dtype=mu_dtype,
            total_steps=total_steps,
            seed=seed,
        )

    alias.__name__ = alias.__qualname__ = name.replace("-", "_")
    alias.__doc__ = _DOCSTRING.format(
        formula=str(row.rule),
        latex=row.rule.to_latex(),
        alias=alias.__name__,
        source="; ".join(filter(None, (row.source, row.note))),
        provenance="" if row.found is None else _provenance(row, row.found),
        steps=", total_steps=100" if "progress" in row.rule.needs else "",
    )
    return alias


def _provenance(row: NamedRule, found: Found) -> str:
    """Returns what the docstring of a rule found here says of it, a sentence a fact."""
    multiple = row.learning_rate_multiple
    adams = NAMED_RULES["adam"].learning_rate_multiple or 1.0
    verdicts = {
        None: "It was not compared in the aggregate over held-out problems.",
        True: "In the aggregate over held-out problems it beat tuned Adam.",
        False: "In the aggregate over held-out problems it did not beat tuned Adam.",
    }
    rate = (
        "Its one learning rate for all problems was not measured."
        if multiple is None
        else f"Without tuning take {1e-3 * multiple:.2g}: its one learning rate for all search problems, which are "
        f"short; Adam's there is {1e-3 * adams:.2g}."
    )
    facts = (
        f"Compared: {found.comparison}. {verdicts[found.beats_adam]}",
        rate,
        f"Found by ``{found.command}`` (seed {found.seed}, {found.rules_trained:,} rules trained on {found.problem}, "
        f"{found.versions}); the run is in ``experiments/{found.experiment}``.",
    )
    return "".join(f"    {fact}\n\n" for fact in facts)


_DOCSTRING = r"""The rule {formula}.

    .. math::

        u_t \leftarrow -\alpha_t \cdot \left({latex}\right)

{provenance}    Args:
      learning_rate: a number, or a schedule from steps taken to a number.
      b1: rate of the moving average m of g.
      b2: rate of the moving average v of g^2.
      b3: rate of the moving average y of g^3.
      eps: keeps divisors away from zero.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of the average m; None means that of the parameters.
      total_steps: T, the number of steps of the whole run, for rules that know how far it is.
      seed: of `drop` and noise.

    Returns:
      The transform.

    Examples:
      >>> import jax.numpy as jnp, optax
      >>> from metarl import optimizers
      >>> optimizer = optimizers.{alias}(learning_rate=0.1{steps})
      >>> params = jnp.array([1.0, 2.0, 3.0])
      >>> updates, state = optimizer.update(2.0 * params, optimizer.init(params), params)
      >>> params = optax.apply_updates(params, updates)

    References:
      {source}
    """

powersign_plus_clip = _from_table("powersign-plus-clip")
clip_momentum_exp_v = _from_table("clip-momentum-exp-v")
momentum_exp_v = _from_table("momentum-exp-v")
drop30_powersign = _from_table("drop30-powersign")
momentum_exp_g2 = _from_table("momentum-exp-g2")
drop10_momentum_over_exp_g2 = _from_table("drop10-momentum-over-exp-g2")
drop10_powersign = _from_table("drop10-powersign")
clip_rmsprop_plus_drop30_momentum = _from_table("clip-rmsprop-plus-drop30-momentum")
adam_powersign = _from_table("adam-powersign")
adam_exp_momentum = _from_table("adam-exp-momentum")
sgd_plus_drop30_momentum = _from_table("sgd-plus-drop30-momentum")
drop10_momentum_exp_g3 = _from_table("drop10-momentum-exp-g3")
sgd_minus_clip_g2 = _from_table("sgd-minus-clip-g2")
exp_g_minus_exp_momentum = _from_table("exp-g-minus-exp-momentum")
drop30_momentum_exp_w = _from_table("drop30-momentum-exp-w")

# A row of the table is all that a rule found here needs: its alias follows.
globals().update(
    {
        name.replace("-", "_"): _from_table(name)
        for name, row in NAMED_RULES.items()
        if row.found_here
    }
)
