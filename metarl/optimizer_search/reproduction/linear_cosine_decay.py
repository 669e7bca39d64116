"""linear cosine decay: the paper's learning-rate schedule beside a constant rate and the cosine.

    lr [(α + ld) cd_n + β]    n = 0.5, α = 0, β = 0.001; the noisy form adds annealed normal noise to ld

The schedules are drawn, and optimizers are trained under each, tuned for each.

Reference: Bello et al. (2017), arXiv:1709.07417, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
import optax

from metarl import optimizers
from metarl.errors import unknown_name
from metarl.reporting import Curve, Drawing, curve_chart

from ..comparing.entrants import Entrant, entrant
from ..comparing.standard import Made
from ..reports.chart import Chart
from ..training.schedules import CONSTANT
from .compared import Protocol, against, compared
from .work import Findings, Work

Schedule = Callable[[Any, int], Any]  # peak rate, total steps -> optax schedule

_SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        CONSTANT: lambda rate, steps: optax.constant_schedule(rate),
        "linear": lambda rate, steps: optax.linear_schedule(rate, 0.0, steps),
        "cosine": optax.cosine_decay_schedule,
        "linear cosine": optimizers.linear_cosine_decay,
        "noisy linear cosine": optimizers.noisy_linear_cosine_decay,
    }
)
_DRAWN_STEPS = 400


@dataclass(frozen=True)
class Settings:
    """Which optimizers and schedules, and how they are compared."""

    protocol: Protocol
    """Problems and seeds."""
    optimizers: tuple[str, ...] = ("momentum", "adam")
    """Names, or rules' texts."""
    schedules: tuple[str, ...] = tuple(_SCHEDULES)
    """Names of schedules; the first is what the others are compared with."""


def compare_schedules(work: Work) -> Findings:
    """Draws the schedules, and compares optimizers under them with the same under the first."""
    settings: Settings = work.settings
    for name in settings.schedules:
        if name not in _SCHEDULES:
            raise unknown_name("schedule", name, _SCHEDULES)
    field = [under(name, text) for text in settings.optimizers for name in settings.schedules]
    comparison = compared(work, field, settings.protocol)
    found = {}
    for text in settings.optimizers:
        labels = [under(name, text).label for name in settings.schedules]
        files = (text, f"{text}-problems", f"{text}-differences")
        title = f"{text} under schedules"
        found[text] = against(comparison, labels[1:], labels[0], title, files, shown=labels)
    return Findings(
        claims=[claim for one in found.values() for claim in one.claims],
        tables={name: table for one in found.values() for name, table in one.tables.items()},
        charts=[_drawn(settings), *(chart for one in found.values() for chart in one.charts)],
        numbers={text: one.numbers for text, one in found.items()},
    )


def under(schedule: str, text: str) -> Entrant:
    """Returns an optimizer whose learning rate follows a schedule."""
    inner = entrant(text)

    def make(learning_rate: Any, total_steps: int, key: jax.Array, matrices: Any = None) -> Made:
        rate = _SCHEDULES[schedule](learning_rate, total_steps)
        return inner.make(rate, total_steps, key, matrices)

    return Entrant(f"{text}, {schedule}", make)


def _drawn(settings: Settings) -> Chart:
    drawing = schedule_chart(settings.schedules)
    caption = (
        "The learning rate over a run, its peak set to 1. The noise has variance 1 at first, as in the paper's code; "
        "the rate may then be negative."
    )
    return Chart("schedules", drawing, caption)


def schedule_chart(names: tuple[str, ...]) -> Drawing:
    """Returns the schedules of a run, the noisy one in the background."""
    steps = np.arange(_DRAWN_STEPS + 1)
    curves = []
    for name in names:
        schedule = _SCHEDULES[name](1.0, _DRAWN_STEPS)
        values = np.asarray(jax.vmap(schedule)(steps))
        noisy = name.startswith("noisy")
        curves.append(Curve(name, steps / _DRAWN_STEPS, values, foreground=not noisy))
    return curve_chart(curves, "share of the run, t / T", "learning rate, peak = 1")
