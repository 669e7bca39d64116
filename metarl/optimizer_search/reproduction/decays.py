"""decays: f(t) of PowerSign, exp(f(t) sign(g) sign(m)) g: none, linear, cosine, restarted cosine.

The decays are drawn, and PowerSign with each is compared with PowerSign without.

Reference: Bello et al. (2017), arXiv:1709.07417, section 4 (decays).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metarl.reporting import Curve, Drawing, curve_panels
from metarl.update_rules import reference_update, resolve

from ..comparing.entrants import rule_entrant
from ..reports.chart import Chart
from .compared import Protocol, against, compared
from .work import Findings, Work

PLAIN = "PowerSign"
_STEPS = 800  # T of a drawn decay
_TITLES = {
    "ld": "linear, ld",
    "cd": "cosine, cd",
    "cd10": "cyclic cosine, cd10",
    "rd10": "restarted cosine, rd10",
    "rd20": "restarted cosine, rd20",
}


@dataclass(frozen=True)
class Settings:
    """Which decays, and how they are compared."""

    protocol: Protocol
    """Problems and seeds."""
    decays: tuple[str, ...] = ("ld", "cd", "rd10", "rd20")
    """Names of decays."""


def compare_decays(work: Work) -> Findings:
    """Draws the decays, and compares PowerSign with and without them."""
    settings: Settings = work.settings
    labels = [PLAIN, *(f"{PLAIN}-{decay}" for decay in settings.decays)]
    entrants = [rule_entrant(label, resolve(label.lower())) for label in labels]
    comparison = compared(work, entrants, settings.protocol)
    found = against(
        comparison,
        labels[1:],
        PLAIN,
        "PowerSign with decays",
        ("decays", "problems", "differences"),
        shown=labels,
        called=f"{PLAIN} without a decay",
    )
    drawn = Chart("decays", decay_chart(settings.decays), _DECAYS)
    return replace(found, charts=[drawn, *found.charts])


_DECAYS = (
    "The decays f over a run of T steps. Where f is 1, PowerSign multiplies the gradient by e or 1/e; where it is 0, "
    "it is plain gradient descent."
)


def decay_chart(decays: Sequence[str]) -> Drawing:
    """Returns one panel for each decay."""
    progress = np.linspace(0.0, 1.0, _STEPS + 1)
    panels = {
        _TITLES.get(name, name): [Curve("decay", progress, decay_values(name, _STEPS))]
        for name in decays
    }
    return curve_panels(
        panels, "share of the run, t / T", "f(t)", columns=2, same_y=True, height=1.5
    )


def decay_values(name: str, total_steps: int) -> np.ndarray:
    """Returns a decay at the steps 0 to T, as the table of primitives defines it."""
    g = np.zeros(1)
    steps = range(total_steps + 1)
    return np.array([reference_update(name, g, t=t, total_steps=total_steps)[0] for t in steps])
