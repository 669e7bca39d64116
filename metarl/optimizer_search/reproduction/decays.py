"""decays: f(t) of PowerSign, exp(f(t) sign(g) sign(m)) g: none, linear, cosine, restarted cosine.

The decays are drawn, and PowerSign with each is compared with PowerSign without.

Reference: Bello et al. (2017), arXiv:1709.07417, section 4 (decays).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from metarl.reporting import Curve, Drawing, curve_panels
from metarl.update_rules import OPERANDS, resolve

from ..comparing.entrants import rule_entrant
from ..reports.chart import Chart
from .compared import Protocol, against, compared
from .work import Findings, Work

PLAIN = "PowerSign"
_POINTS = 801  # of a drawn decay
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
    progress = np.linspace(0.0, 1.0, _POINTS)
    panels = {
        _TITLES.get(name, name): [Curve("decay", progress, decay_values(name, progress))]
        for name in decays
    }
    return curve_panels(
        panels, "share of the run, t / T", "f(t)", columns=2, same_y=True, height=1.5
    )


def decay_values(name: str, progress: np.ndarray) -> np.ndarray:
    """Returns a decay at each share of the run, as the table of primitives defines it."""
    # a run of one step, of which a share is taken: t, T and p = t / T
    scope = SimpleNamespace(t=progress, total_steps=1.0, progress=progress, scalar=np)
    return np.asarray(OPERANDS[name].evaluate(scope))  # type: ignore[arg-type]
