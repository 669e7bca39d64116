"""Curves: a line with its band, and how one is drawn.

Letters: N points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import require

from .axes import add_end_labels
from .palette import BAND, Stroke, faint_stroke, strong_stroke


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    label: str
    x: ArrayLike  # [N]
    y: ArrayLike  # [N], inf or NaN where there is nothing to draw
    low: ArrayLike | None = None  # [N] the lower edge of the band
    high: ArrayLike | None = None  # [N]
    foreground: bool = True
    chosen: int | None = None
    """The index of a point to mark, such as the learning rate that was chosen."""

    def __post_init__(self) -> None:
        lengths = {np.shape(a) for a in (self.x, self.y, self.low, self.high) if a is not None}
        require(
            len(lengths) == 1 and len(next(iter(lengths))) == 1,
            f"The curve {self.label!r} needs vectors of one length; received {sorted(lengths)}.",
        )


def strokes_of(curves: Sequence[Curve]) -> list[Stroke]:
    """Returns a stroke per curve: hues for the foreground, dashes of ink for the rest."""
    strokes, foreground, background = [], 0, 0
    for curve in curves:
        if curve.foreground:
            strokes.append(strong_stroke(foreground))
            foreground += 1
        else:
            strokes.append(faint_stroke(background))
            background += 1
    return strokes


def draw_curve(axes: Any, curve: Curve, stroke: Stroke, order: int, marked: bool = True) -> None:
    """Draws the line, the band if it has one, and the chosen point."""
    x, y = (np.asarray(values, dtype=float) for values in (curve.x, curve.y))
    y = np.where(np.isfinite(y), y, np.nan)
    depth = 2 + (100 if curve.foreground else 0) + order
    axes.plot(
        x,
        y,
        color=stroke.colour,
        linestyle=stroke.dash,
        alpha=stroke.opacity,
        linewidth=stroke.width,
        zorder=depth,
    )
    alone = _isolated(y)
    if alone.any():
        axes.plot(x[alone], y[alone], "o", markersize=3, color=stroke.colour, zorder=depth)
    if curve.low is not None and curve.high is not None and curve.foreground:
        low, high = (np.asarray(values, dtype=float) for values in (curve.low, curve.high))
        inside = np.isfinite(low) & np.isfinite(high)
        axes.fill_between(
            x, low, high, where=inside, color=stroke.colour, alpha=BAND, linewidth=0, zorder=1
        )
    if marked and curve.chosen is not None:
        axes.plot(
            x[curve.chosen], y[curve.chosen], "o", markersize=4.5, color=stroke.colour, zorder=200
        )


def _isolated(y: np.ndarray) -> np.ndarray:
    """Returns which points have no neighbour that a line could join them to, [N] bool."""
    finite = np.pad(np.isfinite(y), 1)
    return finite[1:-1] & ~finite[:-2] & ~finite[2:]


def label_ends(figure: Any, axes: Any, curves: Sequence[Curve], strokes: Sequence[Stroke]) -> None:
    ends = [(c.label, c.x, c.y, stroke) for c, stroke in zip(curves, strokes, strict=True)]
    add_end_labels(figure, axes, ends)
