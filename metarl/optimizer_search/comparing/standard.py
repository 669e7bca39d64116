"""standard: the optimizers that a comparison holds beside those it is about, by name.

What optax has is optax's own, at its default settings, so that nobody has to trust ours; what it lacks is in
`metarl.optimizers`. Four things are said of them that no default says:

    who multiplies by matrices    Muon and SOAP do so with what a problem calls a matrix or a convolution; the rest
                                  gets Adam, for Muon at a matched size of updates (`metarl.optimizers.by_name`)
    whose rate is a factor        Prodigy finds its learning rate; what is tuned is a factor around 1
    who is nobody new             adam-shifted is Adam on points shifted by a sixteenth of a decade, half of what lies
                                  between the finest; adam-again is Adam tuned on other seeds: what they win and lose
                                  is the luck of the grid and the noise of tuning
    who needs the length          AdEMAMix raises its slow rate and its mixture over the run, as its paper does
                                  (`metarl.optimizers.by_name`)

Letters: T steps of the whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import optax

from metarl import optimizers

from .extras import ADAM, MOMENTA, NO_EXTRAS, Extras, extras, of_adamw

Evaluation = Callable[[Any, Any], Any]  # state, parameters -> the parameters that are judged
Made = optax.GradientTransformation | tuple[optax.GradientTransformation, Evaluation]
# learning rate or schedule, total steps, random key, (parameters -> which leaves are matrices and how), extra settings
Make = Callable[..., Made]

NULL_RIVALS = ("adam-shifted", "adam-again")  # Adam itself, tuned at other points, on other seeds
_HALF_A_STEP = 10.0 ** (1 / 16)  # of the finest learning rates
_MATRIX_ROLES = "matrix and convolution"  # see `metarl.optimizers.weight_dimension_numbers`
_FACTORS = 10.0**1.5  # the common grid is from 1e-5 to 100, Prodigy's around 1


class Standard(NamedTuple):
    """What is known of a standard optimizer.

    Attributes:
      make: (learning rate or schedule, total steps, random key, matrices) -> optax transform, or a pair of one and of
        a function from state and parameters to the parameters that are judged.
      without_decay: the same without a weight decay of its own; None where it has none.
      rate_scale: its grid of learning rates is the common one times this.
      has_schedule: whether it averages its weights in place of a decaying schedule.
      uses_matrices: whether it treats matrices and convolutions in a way of their own.
      other_seeds: whether it is tuned on other seeds than the rest.
      extras: what it may be tuned by beside its learning rate.
      is_classic: whether it is one of those that stand in every comparison of a search.
    """

    make: Make
    without_decay: Make | None = None
    rate_scale: float = 1.0
    has_schedule: bool = False
    uses_matrices: bool = False
    other_seeds: bool = False
    is_classic: bool = False
    extras: Extras = NO_EXTRAS


class Origin(NamedTuple):
    """Where a standard optimizer comes from.

    Attributes:
      code: whose code it is, and what is set other than by default.
      source: the paper.
    """

    code: str
    source: str


def plain(constructor: Callable[..., Any], **settings: Any) -> Make:
    """Returns an optax constructor with some settings as an entrant's `make`."""

    def make(
        learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
    ) -> Made:
        return constructor(learning_rate, **{**settings, **extra})

    return make


def _classic(
    constructor: Callable[..., Any], tried: Extras = NO_EXTRAS, **settings: Any
) -> Standard:
    return Standard(plain(constructor, **settings), is_classic=True, extras=tried)


def _decaying(
    constructor: Callable[..., Any], tried: Extras, is_classic: bool = False, **settings: Any
) -> Standard:
    """Returns an optimizer that decays weights itself, at its default strength or that of the settings."""
    without = plain(constructor, **{**settings, "weight_decay": 0.0})
    made = plain(constructor, **settings)
    return Standard(made, without, is_classic=is_classic, extras=tried)


def _muon(
    learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
) -> Made:
    return optimizers.by_name("muon", learning_rate, weight_dimension_numbers=matrices, **extra)


def _soap(
    learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
) -> Made:
    return optimizers.soap(learning_rate, weight_dimension_numbers=matrices, **extra)


def _schedule_free(
    learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
) -> Made:
    transform = optax.contrib.schedule_free_adamw(learning_rate, **extra)
    return transform, optax.contrib.schedule_free_eval_params


def _prodigy(
    learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
) -> Made:
    betas = extra.get("b1", 0.9), extra.get("b2", 0.999)
    return optax.contrib.prodigy(learning_rate, betas=betas)


def _ademamix(
    learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None, **extra: Any
) -> Made:
    return optimizers.by_name("ademamix", learning_rate, total_steps=total_steps, **extra)


_MOMENTUM = extras({"momentum": 0.9}, momentum=MOMENTA)
_RULE = extras({"b1": 0.9}, b1=MOMENTA)
_RMSPROP = extras({"decay": 0.9}, decay=(0.99, 0.95, 0.8, 0.999, 0.7))
_SIGNUM = extras({"beta": 0.9}, beta=MOMENTA)
_LION = extras(
    {"b1": 0.9, "b2": 0.99, "weight_decay": 1e-3},
    b1=(0.95, 0.8),
    b2=(0.95,),
    weight_decay=(1e-2, 1e-1),
)
_ADAN = extras({"b1": 0.98, "b2": 0.92, "b3": 0.99}, b3=(0.95, 0.999), b1=(0.9, 0.95), b2=(0.8,))
_MARS = extras(
    {"b1": 0.95, "b2": 0.99, "gamma": 0.025}, b1=(0.9, 0.8), b2=(0.95, 0.999), gamma=(0.05,)
)
_SCHEDULE_FREE = extras({"b1": 0.9, "b2": 0.999}, b1=(0.95, 0.8, 0.98), b2=(0.99, 0.95))
_MUON = extras({"beta": 0.95, "adam_b2": 0.999}, beta=(0.9, 0.8, 0.98), adam_b2=(0.95, 0.99))
_SOAP = extras({"b1": 0.95, "b2": 0.95}, b2=(0.99, 0.9, 0.999), b1=(0.9, 0.8))

STANDARD: Mapping[str, Standard] = MappingProxyType(
    {
        "sgd": _classic(optax.sgd),
        "momentum": _classic(optax.sgd, _MOMENTUM, momentum=0.9),
        "nesterov": _classic(optax.sgd, _MOMENTUM, momentum=0.9, nesterov=True),
        "rmsprop": _classic(optax.rmsprop, _RMSPROP),
        "adam": _classic(optax.adam, ADAM),
        NULL_RIVALS[0]: Standard(plain(optax.adam), rate_scale=_HALF_A_STEP, extras=ADAM),
        NULL_RIVALS[1]: Standard(plain(optax.adam), other_seeds=True, extras=ADAM),
        "adamw": _decaying(optax.adamw, of_adamw(1e-4), is_classic=True),
        "nadam": _classic(optax.nadam, ADAM),
        "nadamw": _decaying(optax.nadamw, of_adamw(1e-4)),
        "sign-sgd": _classic(optax.sign_sgd),
        "signum": Standard(plain(optax.signum), extras=_SIGNUM),
        "lion": _decaying(optax.lion, _LION, is_classic=True),
        "adan": Standard(plain(optimizers.adan), extras=_ADAN),
        "ademamix": Standard(_ademamix, extras=ADAM),
        "mars": Standard(plain(optimizers.mars), extras=_MARS),
        "cautious-adamw": _decaying(optimizers.cautious_adamw, of_adamw(1e-4), weight_decay=1e-4),
        "prodigy": Standard(_prodigy, rate_scale=_FACTORS, extras=ADAM),
        "schedule-free-adamw": Standard(_schedule_free, has_schedule=True, extras=_SCHEDULE_FREE),
        "muon": Standard(_muon, uses_matrices=True, extras=_MUON),
        "soap": Standard(_soap, uses_matrices=True, extras=_SOAP),
        "powersign": _classic(optimizers.powersign, _RULE),
        "addsign": _classic(optimizers.addsign, _RULE),
    }
)

_KINGMA = "Kingma, Ba, ICLR 2015"
_BERNSTEIN = "Bernstein et al., ICML 2018"
_BELLO = "Bello et al., ICML 2017"

ORIGINS: Mapping[str, Origin] = MappingProxyType(
    {
        "sgd": Origin("optax.sgd", "Robbins, Monro, 1951"),
        "momentum": Origin("optax.sgd, momentum=0.9", "Polyak, 1964"),
        "nesterov": Origin("optax.sgd, momentum=0.9, nesterov=True", "Nesterov, 1983"),
        "rmsprop": Origin("optax.rmsprop", "Tieleman, Hinton, 2012"),
        "adam": Origin("optax.adam", _KINGMA),
        NULL_RIVALS[0]: Origin("optax.adam, at learning rates between the others'", _KINGMA),
        NULL_RIVALS[1]: Origin("optax.adam, tuned on other seeds", _KINGMA),
        "adamw": Origin("optax.adamw", "Loshchilov, Hutter, ICLR 2019"),
        "nadam": Origin("optax.nadam", "Dozat, 2016"),
        "nadamw": Origin("optax.nadamw", "Dozat, 2016; Loshchilov, Hutter, ICLR 2019"),
        "sign-sgd": Origin("optax.sign_sgd", _BERNSTEIN),
        "signum": Origin("optax.signum", _BERNSTEIN),
        "lion": Origin("optax.lion", "Chen et al., arXiv:2302.06675"),
        "adan": Origin("metarl.optimizers.adan", "Xie et al., arXiv:2208.06677"),
        "ademamix": Origin(
            "optax.contrib.ademamix, its slow rate and mixture raised over the run",
            "Pagliardini et al., arXiv:2409.03137",
        ),
        "mars": Origin("metarl.optimizers.mars", "Yuan et al., arXiv:2411.10438"),
        "cautious-adamw": Origin(
            "metarl.optimizers.cautious_adamw, weight_decay=1e-4", "Liang et al., arXiv:2411.16085"
        ),
        "prodigy": Origin(
            "optax.contrib.prodigy, its rate a factor", "Mishchenko, Defazio, arXiv:2306.06101"
        ),
        "schedule-free-adamw": Origin(
            "optax.contrib.schedule_free_adamw, judged at its average",
            "Defazio et al., arXiv:2405.15682",
        ),
        "muon": Origin(
            "optax.contrib.muon, consistent_rms=0.2",
            "Jordan et al., 2024; Liu et al., arXiv:2502.16982",
        ),
        "soap": Origin("metarl.optimizers.soap", "Vyas et al., arXiv:2409.11321"),
        "powersign": Origin("metarl.optimizers.powersign", _BELLO),
        "addsign": Origin("metarl.optimizers.addsign", _BELLO),
    }
)


def standard_facts() -> dict[str, dict[str, Any]]:
    """Returns by name of a standard optimizer what one needs to choose.

    `code`, `source`, `roles` (of the leaves that it treats in a way of its own, see `Problem.leaf_roles`; "none": it
    treats all alike), `extra_points` (changes of its settings, in the order in which they are tried) and `classic`.
    """
    return {
        name: {
            **ORIGINS[name]._asdict(),
            "roles": _MATRIX_ROLES if row.uses_matrices else "none",
            "extra_points": tuple(map(dict, row.extras.tried)),
            "classic": row.is_classic,
        }
        for name, row in STANDARD.items()
    }
