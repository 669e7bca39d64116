"""standard: the optimizers that a comparison holds beside those it is about, by name.

What optax has is optax's own, at its default settings, so that nobody has to trust ours; what it lacks is in
`metarl.optimizers`. Four things are said of them that no default says:

    who multiplies by matrices    Muon and SOAP do so with what a problem calls a matrix or a convolution; the rest
                                  gets Adam, for Muon at a matched size of updates (consistent_rms = 0.2), so that
                                  one learning rate serves both
    whose rate is a factor        Prodigy finds its learning rate; what is tuned is a factor around 1
    who is nobody new             adam-shifted is Adam on points shifted by a sixteenth of a decade, half of what lies
                                  between the finest; adam-again is Adam tuned on other seeds: what they win and lose
                                  is the luck of the grid and the noise of tuning
    who needs the length          AdEMAMix raises its slow rate and its mixture over the run, as its paper does

Letters: T steps of the whole run.

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

from metarl import optimizers

Evaluation = Callable[[Any, Any], Any]  # state, parameters -> the parameters that are judged
Made = optax.GradientTransformation | tuple[optax.GradientTransformation, Evaluation]
# learning rate or schedule, total steps, random key, (parameters -> which leaves are matrices and how)
Make = Callable[..., Made]

NULL_RIVALS = ("adam-shifted", "adam-again")  # Adam itself, tuned at other points, on other seeds
_HALF_A_STEP = 10.0 ** (1 / 16)  # of the finest learning rates
_MATCHED_SIZE = 0.2
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
      is_classic: whether it is one of those that stand in every comparison of a search.
    """

    make: Make
    without_decay: Make | None = None
    rate_scale: float = 1.0
    has_schedule: bool = False
    uses_matrices: bool = False
    other_seeds: bool = False
    is_classic: bool = False


def _plain(constructor: Callable[..., Any], **settings: Any) -> Make:
    def make(learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None) -> Made:
        return constructor(learning_rate, **settings)

    return make


def _classic(constructor: Callable[..., Any], **settings: Any) -> Standard:
    return Standard(_plain(constructor, **settings), is_classic=True)


def _decaying(
    constructor: Callable[..., Any], is_classic: bool = False, **settings: Any
) -> Standard:
    """Returns an optimizer that decays weights itself, at its default strength or that of the settings."""
    without = _plain(constructor, **{**settings, "weight_decay": 0.0})
    return Standard(_plain(constructor, **settings), without, is_classic=is_classic)


def _muon(learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None) -> Made:
    return optax.contrib.muon(
        learning_rate, muon_weight_dimension_numbers=matrices, consistent_rms=_MATCHED_SIZE
    )


def _soap(learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None) -> Made:
    return optimizers.soap(learning_rate, weight_dimension_numbers=matrices)


def _schedule_free(
    learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None
) -> Made:
    transform = optax.contrib.schedule_free_adamw(learning_rate)
    return transform, optax.contrib.schedule_free_eval_params


def _ademamix(learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None) -> Made:
    """AdEMAMix whose slow average and mixture grow over the run: both take long to be worth their weight."""
    fast, slow, mixture = math.log(0.9), math.log(0.9999), 5.0

    def share(count: Any) -> jax.Array:
        return jnp.minimum(count, total_steps) / total_steps

    def rate(count: Any) -> jax.Array:
        done = share(count)
        return jnp.exp(fast * slow / ((1.0 - done) * slow + done * fast))

    return optax.contrib.ademamix(
        learning_rate, b3=rate, alpha=lambda count: mixture * share(count)
    )


STANDARD: Mapping[str, Standard] = MappingProxyType(
    {
        "sgd": _classic(optax.sgd),
        "momentum": _classic(optax.sgd, momentum=0.9),
        "nesterov": _classic(optax.sgd, momentum=0.9, nesterov=True),
        "rmsprop": _classic(optax.rmsprop),
        "adam": _classic(optax.adam),
        NULL_RIVALS[0]: Standard(_plain(optax.adam), rate_scale=_HALF_A_STEP),
        NULL_RIVALS[1]: Standard(_plain(optax.adam), other_seeds=True),
        "adamw": _decaying(optax.adamw, is_classic=True),
        "nadam": _classic(optax.nadam),
        "nadamw": _decaying(optax.nadamw),
        "sign-sgd": _classic(optax.sign_sgd),
        "signum": Standard(_plain(optax.signum)),
        "lion": _decaying(optax.lion, is_classic=True),
        "adan": Standard(_plain(optax.adan)),
        "ademamix": Standard(_ademamix),
        "mars": Standard(_plain(optimizers.mars)),
        "cautious-adamw": _decaying(optimizers.cautious_adamw, weight_decay=1e-4),
        "prodigy": Standard(_plain(optax.contrib.prodigy), rate_scale=_FACTORS),
        "schedule-free-adamw": Standard(_schedule_free, has_schedule=True),
        "muon": Standard(_muon, uses_matrices=True),
        "soap": Standard(_soap, uses_matrices=True),
        "powersign": _classic(optimizers.powersign),
        "addsign": _classic(optimizers.addsign),
    }
)
