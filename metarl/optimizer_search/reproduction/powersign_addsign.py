"""powersign addsign: the two families of rules at the paper's settings, each with and without decays.

    PowerSign   a^(f(t) sign(g) sign(m)) g      a = e, 2
    AddSign     (a + f(t) sign(g) sign(m)) g    a = 1, 2

Reference: Bello et al. (2017), arXiv:1709.07417, section 4.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from metarl import optimizers

from ..comparing.entrants import BASELINE, Entrant
from ..comparing.standard import Made
from .compared import Protocol, against, compared
from .work import Findings, Work

NONE = "none"
_FAMILIES: dict[str, Callable[..., Any]] = {
    "PowerSign, a = e": optimizers.powersign,
    "PowerSign, a = 2": functools.partial(optimizers.powersign, base=2.0),
    "AddSign, a = 1": optimizers.addsign,
    "AddSign, a = 2": functools.partial(optimizers.addsign, alpha=2.0),
}


@dataclass(frozen=True)
class Settings:
    """Which decays, and how the rules are compared."""

    protocol: Protocol
    """Problems and seeds."""
    decays: tuple[str, ...] = (NONE, "ld", "cd")
    """Names of decays, or none."""


def compare_families(work: Work) -> Findings:
    """Compares both families with tuned Adam and with each other."""
    settings: Settings = work.settings
    entrants = [member(family, decay) for family in _FAMILIES for decay in settings.decays]
    comparison = compared(work, entrants, settings.protocol)
    labels = [entrant.label for entrant in entrants]
    return against(
        comparison,
        labels,
        BASELINE,
        "PowerSign and AddSign",
        ("families", "problems", "families"),
        shown=[*labels, BASELINE],
        called="tuned Adam",
    )


def member(family: str, decay: str) -> Entrant:
    """Returns a rule of a family with a decay, or with none."""
    constructor = _FAMILIES[family]

    def make(learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None) -> Made:
        if decay == NONE:
            return constructor(learning_rate)
        return constructor(learning_rate, decay=decay, total_steps=total_steps)

    return Entrant(family if decay == NONE else f"{family}, {decay}", make)
