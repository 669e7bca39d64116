"""Aliases: every rule of the paper's table, and every rule that a search of metarl found, under a name of its own.

An alias is `named` with the name filled in. What its docstring says is read off the table of named rules, as are its
arguments off `named`; so a new rule is one line below and one in the package's stub, and a test says which is missing.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import jax
import optax

from metarl.errors import require, unknown_name
from metarl.update_rules import NAMED_RULES, Found, NamedRule, Roles, to_optax

Settings = ParamSpec("Settings")
Optimizer = optax.GradientTransformationExtraArgs


def named(
    name: str,
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: jax.typing.ArrayLike = 0.9,
    b2: jax.typing.ArrayLike = 0.999,
    b3: jax.typing.ArrayLike = 0.999,
    eps: jax.typing.ArrayLike = 1e-8,
    weight_decay: optax.ScalarOrSchedule | None = None,
    mask: Any = None,
    mu_dtype: jax.typing.DTypeLike | None = None,
    total_steps: int | None = None,
    seed: int | jax.Array = 0,
    slow_b: jax.typing.ArrayLike = 0.9999,
    lion_b1: jax.typing.ArrayLike = 0.9,
    lion_b2: jax.typing.ArrayLike = 0.99,
    roles: Roles = None,
) -> optax.GradientTransformationExtraArgs:
    """Returns any named rule as a transform, those found by searches of this project among them.

    Args:
      name: a name that `metarl list rules` prints, such as "powersign-cd".
      learning_rate: a number, or a schedule from steps taken to a number.
      b1: rate of the moving average m of g.
      b2: rate of the moving average v of g^2.
      b3: rate of the moving average y of g^3.
      eps: keeps divisors away from zero.
      weight_decay: strength of decoupled weight decay, as in `optax.adamw`; None or 0 for no decay.
      mask: which parameters decay, as in `optax.adamw`.
      mu_dtype: type of the average m; None means that of the parameters.
      total_steps: T, the number of steps of the whole run, for rules that know how far it is.
      seed: of `drop` and noise: an integer or a typed random key; see `metarl.update_rules.to_optax`.
      slow_b: rate of the slow average s, which rises to it as t / (t + 1).
      lion_b1: share of the average in the interpolation c, as b1 of `optax.lion`.
      lion_b2: rate of that average, as b2 of `optax.lion`.
      roles: what each leaf is to its network, a tree of texts or a function that gives one, such as
        `metarl.problems.roles_of_leaves`: `ortho`, `rownorm` and `colnorm` then take matrices and convolutions alone
        for matrices; None lets shapes decide, see `metarl.update_rules.to_optax`.

    Returns:
      The transform.

    Raises:
      InvalidInput: there is no rule of that name (`to_optax` takes a rule's text), or a number is out of range.

    Examples:
      >>> from metarl import optimizers
      >>> optimizer = optimizers.named("powersign-cd", learning_rate=0.1, total_steps=1000)
    """
    require(isinstance(name, str), f"A rule's name must be a text, not {type(name).__name__}.")
    if name not in NAMED_RULES:
        raise unknown_name("named rule", name, NAMED_RULES)
    return to_optax(
        NAMED_RULES[name].rule,
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
        slow_b=slow_b,
        lion_b1=lion_b1,
        lion_b2=lion_b2,
        roles=roles,
    )


def _alias(
    name: str, make: Callable[Concatenate[str, Settings], Optimizer] = named
) -> Callable[Settings, Optimizer]:
    """Returns `named` for one row of the table."""
    row = NAMED_RULES[name]

    def alias(*args: Settings.args, **settings: Settings.kwargs) -> Optimizer:
        return make(name, *args, **settings)

    _, *rest = inspect.signature(make).parameters.values()
    vars(alias)["__signature__"] = inspect.signature(make).replace(parameters=rest)
    alias.__name__ = alias.__qualname__ = name.replace("-", "_")
    alias.__doc__ = _DOCSTRING.format(
        formula=row.text,
        latex=row.rule.to_latex(),
        alias=alias.__name__,
        arguments=_arguments(make),
        source="; ".join(filter(None, (row.source, row.remarks))),
        provenance=_provenance(row),
        steps=", total_steps=100" if "progress" in row.rule.needs else "",
    )
    return alias


def _arguments(make: Callable[..., Any]) -> str:
    """Returns what the docstring says of the arguments, but for the name; nothing where `python -OO` left none.

    How far docstrings are indented hangs on the version of Python: from 3.13 on the compiler takes that away.
    """
    told = inspect.getdoc(make) or ""
    _, learning_rate, rest = told.partition("  learning_rate:")
    arguments, _, _ = rest.partition("\nReturns:")
    return textwrap.indent((learning_rate + arguments).rstrip(), "    ")


def _provenance(row: NamedRule) -> str:
    """Returns what the docstring of an alias says of its rule, a paragraph a fact."""
    facts = [] if row.found is None else [_compared(row.found), _history(row.found)]
    if row.learning_rate is not None:
        adams = NAMED_RULES["adam"].learning_rate
        facts.insert(
            1,
            f"Without tuning take {row.learning_rate:.2g}: its one learning rate for all search problems, which are "
            f"short; Adam's there is {adams:.2g}.",
        )
    return "".join(f"    {fact}\n\n" for fact in facts)


def _compared(found: Found) -> str:
    verdicts = {
        None: "At constant learning rates it was not compared in the aggregate over held-out problems.",
        True: "In the aggregate over held-out problems it beat Adam at constant learning rates, which alone were "
        "tuned; where rates decay and everybody is tuned further, it hangs on the problems (experiments/zoo).",
        False: "In the aggregate over held-out problems it did not beat tuned Adam.",
    }
    return f"Compared: {found.comparison}. {verdicts[found.beats_adam]}"


def _history(found: Found) -> str:
    return (
        f"Found by ``{found.command}`` (seed {found.seed}, {found.rules_trained:,} rules trained on {found.problem}, "
        f"{found.versions}); the run is in ``experiments/{found.experiment}``."
    )


_DOCSTRING = r"""The rule {formula}.

    .. math::

        u_t \leftarrow -\alpha_t \cdot \left({latex}\right)

{provenance}    Args:
{arguments}

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

powersign_plus_clip = _alias("powersign-plus-clip")
clip_momentum_exp_v = _alias("clip-momentum-exp-v")
momentum_exp_v = _alias("momentum-exp-v")
drop30_powersign = _alias("drop30-powersign")
momentum_exp_g2 = _alias("momentum-exp-g2")
drop10_momentum_over_exp_g2 = _alias("drop10-momentum-over-exp-g2")
drop10_powersign = _alias("drop10-powersign")
clip_rmsprop_plus_drop30_momentum = _alias("clip-rmsprop-plus-drop30-momentum")
adam_powersign = _alias("adam-powersign")
adam_exp_momentum = _alias("adam-exp-momentum")
sgd_plus_drop30_momentum = _alias("sgd-plus-drop30-momentum")
drop10_momentum_exp_g3 = _alias("drop10-momentum-exp-g3")
sgd_minus_clip_g2 = _alias("sgd-minus-clip-g2")
exp_g_minus_exp_momentum = _alias("exp-g-minus-exp-momentum")
drop30_momentum_exp_w = _alias("drop30-momentum-exp-w")
drop30_rmsprop_plus_drop10_adam = _alias("drop30-rmsprop-plus-drop10-adam")
adam_step_back = _alias("adam-step-back")
adam_sharp_powersign = _alias("adam-sharp-powersign")
sgd_plus_drop10_adam_powersign = _alias("sgd-plus-drop10-adam-powersign")
ortho_plus_ortho_rownorm = _alias("ortho-plus-ortho-rownorm")
ortho_plus_rownorm = _alias("ortho-plus-rownorm")
rms_ortho_cautious = _alias("rms-ortho-cautious")
