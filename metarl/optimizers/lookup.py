"""lookup: an optimizer by its usual name, by the name of a rule, or by a rule's text.

    from metarl import optimizers
    optimizer = optimizers.by_name("muon", 1e-3)
    optimizer = optimizers.by_name("adam * exp(sign(g) * sign(m))", 1e-3)

What optax has is optax's own at its default settings; two have settings that no default says. Muon takes steps of the
size of Adam's (consistent_rms = 0.2), so that one learning rate serves matrices and the rest, which gets Adam; AdEMAMix
raises its slow rate and its mixture over the run. Schedule-Free is not here: it is judged at other parameters than it
steps from, which `optax.contrib.schedule_free_eval_params` gives.

Letters: T steps of the whole run (`total_steps`).

References: Liu et al. (2025), Muon is Scalable for LLM Training, arXiv:2502.16982, for the matched size; Pagliardini et
al. (2024), The AdEMAMix Optimizer, arXiv:2409.03137, section 3, for its schedules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from metarl.errors import require
from metarl.update_rules import Rule, check_learning_rate, check_total_steps, resolve, to_optax

from .caution import cautious_adamw
from .eigenbasis import soap
from .gradient_differences import adan
from .matrices import WeightDimensionNumbers
from .sign_agreement import addsign, powersign
from .variance_reduction import mars

MATCHED_SIZE = 0.2  # root mean square of Muon's steps, in learning rates

Optimizer = optax.GradientTransformation


class _Run(NamedTuple):
    """What some optimizers ask of the run: its length, and which leaves are matrices."""

    total_steps: int | None
    weight_dimension_numbers: WeightDimensionNumbers


Maker = Callable[[Any, _Run, Mapping[str, Any]], Optimizer]  # learning rate, run, settings


def _muon(
    learning_rate: optax.ScalarOrSchedule,
    weight_dimension_numbers: WeightDimensionNumbers,
    **settings: Any,
) -> Optimizer:
    return optax.contrib.muon(
        learning_rate,
        muon_weight_dimension_numbers=weight_dimension_numbers,
        consistent_rms=MATCHED_SIZE,
        **settings,
    )


def _ademamix(
    learning_rate: optax.ScalarOrSchedule, total_steps: int, **settings: Any
) -> Optimizer:
    """AdEMAMix whose slow average and mixture grow over the run: both take long to be worth their weight."""
    fast, slow, mixture = math.log(0.9), math.log(0.9999), 5.0

    def share(count: Any) -> jax.Array:
        return jnp.minimum(count, total_steps) / total_steps

    def rate(count: Any) -> jax.Array:
        done = share(count)
        return jnp.exp(fast * slow / ((1.0 - done) * slow + done * fast))

    return optax.contrib.ademamix(
        learning_rate, b3=rate, alpha=lambda count: mixture * share(count), **settings
    )


def _plain(constructor: Callable[..., Optimizer], **own: Any) -> Maker:
    return lambda learning_rate, run, settings: constructor(learning_rate, **{**own, **settings})


def _with_matrices(constructor: Callable[..., Optimizer]) -> Maker:
    return lambda learning_rate, run, settings: constructor(
        learning_rate, weight_dimension_numbers=run.weight_dimension_numbers, **settings
    )


_BY_NAME: Mapping[str, Maker] = MappingProxyType(
    {
        "sgd": _plain(optax.sgd),
        "momentum": _plain(optax.sgd, momentum=0.9),
        "nesterov": _plain(optax.sgd, momentum=0.9, nesterov=True),
        "rmsprop": _plain(optax.rmsprop),
        "adam": _plain(optax.adam),
        "adamw": _plain(optax.adamw),
        "nadam": _plain(optax.nadam),
        "nadamw": _plain(optax.nadamw),
        "sign-sgd": _plain(optax.sign_sgd),
        "signum": _plain(optax.signum),
        "lion": _plain(optax.lion),
        "adan": _plain(adan),
        "ademamix": lambda learning_rate, run, settings: _ademamix(
            learning_rate, total_steps=_length(run, "ademamix"), **settings
        ),
        "mars": _plain(mars),
        "cautious-adamw": _plain(cautious_adamw, weight_decay=1e-4),
        "prodigy": _plain(optax.contrib.prodigy),
        "muon": _with_matrices(_muon),
        "soap": _with_matrices(soap),
        "powersign": _plain(powersign),
        "addsign": _plain(addsign),
    }
)
NAMES = tuple(_BY_NAME)
_TWO_PARTS = "schedule-free"


def by_name(
    text: str,
    learning_rate: optax.ScalarOrSchedule,
    *,
    total_steps: int | None = None,
    weight_dimension_numbers: WeightDimensionNumbers = None,
    seed: int | jax.Array = 0,
    **settings: Any,
) -> optax.GradientTransformation:
    """Returns the optimizer that a text names.

    Args:
      text: a usual name ("adam", "muon", "soap"; those of `metarl compare` but Schedule-Free), a rule that
        `metarl list rules` prints ("adam-step-back"), or a rule itself ("adam * exp(sign(g) * sign(m))").
      learning_rate: a number, or a schedule from steps taken to a number.
      total_steps: T, for those that know how far the run is: AdEMAMix and rules with decays.
      weight_dimension_numbers: for Muon and SOAP, which leaves are matrices and how, a tree or a function from
        parameters to one; None takes all leaves of two axes. A function is asked by optax at every step, of matrices
        alone: it must decide leaf by leaf. Rules see the shapes themselves, unless
        `roles` is among the settings.
      seed: of `drop` and noise in a rule: an integer or a typed random key.
      **settings: others of that optimizer, such as `b2`; of rules those of `metarl.update_rules.to_optax`.

    Returns:
      The transform.

    Raises:
      InvalidInput: the text is neither a name nor a rule, the learning rate neither a finite number nor a schedule, or
        T is needed and missing or not positive.

    Examples:
      >>> from metarl import optimizers
      >>> optimizer = optimizers.by_name("adam-step-back", 0.032)
    """
    run = _Run(total_steps, weight_dimension_numbers)
    check_learning_rate(learning_rate)
    if _is_name(text):
        return _BY_NAME[text](learning_rate, run, settings)
    rule = _rule(text)
    return to_optax(rule, learning_rate, total_steps=total_steps, seed=seed, **settings)


def needs_total_steps(text: str) -> bool:
    """Tells whether the optimizer that a text names must know the length of the run.

    Raises:
      InvalidInput: the text is neither a name nor a rule.
    """
    if _is_name(text):
        return text == "ademamix"
    return "progress" in _rule(text).needs


def _is_name(text: str) -> bool:
    require(
        isinstance(text, str),
        f"An optimizer is named by a text, such as 'adam' or a rule, not by {type(text).__name__}.",
    )
    return text in _BY_NAME


def _rule(text: str) -> Rule:
    require(
        ":" not in text,
        f"Optimizer {text[:100]!r} names code outside metarl, which `metarl compare --optimizer` alone imports. Here "
        f"it is one of {', '.join(NAMES)}, a name of `metarl list rules`, or a rule's text.",
    )
    require(
        not text.replace("_", "-").startswith(_TWO_PARTS),
        f"Optimizer {text[:100]!r} is more than one transform: it is judged at an average of weights, not at those "
        "that it steps from. Step with optax.contrib.schedule_free_adamw(learning_rate), and evaluate at "
        "optax.contrib.schedule_free_eval_params(state, params); `metarl compare schedule-free-adamw` does both.",
    )
    return resolve(text, NAMES)


def _length(run: _Run, name: str) -> int:
    require(
        run.total_steps is not None,
        f"The optimizer {name} changes over the run, and total_steps is not given; give the number of steps.",
    )
    assert run.total_steps is not None
    check_total_steps(run.total_steps)
    return run.total_steps
