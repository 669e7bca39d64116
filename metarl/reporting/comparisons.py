"""Comparisons: charts of many optimizers side by side, by learning rate and by interval.

Sixteen curves that all turn up at the same end cannot be told apart in one chart, so learning rates
are shown as small multiples that share their axes; differences are intervals one below the other,
around the line of no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from metarl.errors import require

from .axes import add_panel_title, new_figure, scaled, shortened, with_style
from .curves import Curve, draw_curve
from .drawing import Drawing
from .numerals import IntervalLike
from .palette import DASHES, FAINT, HUES, INK, Stroke


@with_style
def learning_rate_sensitivity(
    curves: Sequence[Curve],
    reference: str | None = None,
    y_label: str = "final loss",
    description: str = "",
) -> Drawing:
    """Returns small multiples, one per optimizer: the final loss against the learning rate.

    The panels share their axes, so they are compared by eye; the reference is drawn in each, thin.
    A dot marks the chosen rate, a cross at the upper edge a rate at which runs diverged.

    Args:
      curves: per optimizer the learning rates x and the final losses y, inf where it diverged, with
        `chosen`.
      reference: the label of the curve to repeat in every panel, such as "adam".
      y_label: the vertical axis in words.
      description: for those who cannot see it; made from the labels if empty.

    Returns:
      The drawing.

    Raises:
      InvalidInput: if there are no curves, or the reference is none of them.
    """
    require(len(curves) > 0, "A chart needs at least one curve.")
    known = {curve.label: curve for curve in curves}
    require(reference is None or reference in known, f"{reference!r} is none of {sorted(known)}.")
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure, panels = new_figure(height=1.35 * rows + 0.75, grid=(rows, columns))
    panels = list(np.atleast_1d(panels))  # of one curve there is one panel
    faint = Stroke(INK, DASHES[0], FAINT, 0.8)
    for axes, curve in zip(panels, curves, strict=False):
        if reference is not None and curve.label != reference:
            draw_curve(axes, known[reference], faint, 0, marked=False)
        draw_curve(axes, curve, Stroke(HUES[0], DASHES[0], 1.0, 1.6), 1)
        add_panel_title(axes, curve.label)
        scaled(axes, "", "", "log", "log", ticks=4)
    for unused in panels[len(curves) :]:
        unused.set_visible(False)
    _mark_divergence(panels, curves)
    figure.supxlabel("learning rate", fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    return Drawing(
        figure, description or f"{y_label} against the learning rate: {', '.join(known)}."
    )


def _mark_divergence(panels: Sequence, curves: Sequence[Curve]) -> None:
    """Puts a cross at the upper edge of a panel for every learning rate that diverged there."""
    for axes, curve in zip(panels, curves, strict=False):
        x, y = (np.asarray(values, dtype=float) for values in (curve.x, curve.y))
        diverged = x[~np.isfinite(y)]
        top = np.ones_like(diverged)
        (crosses,) = axes.plot(
            diverged,
            top,
            "x",
            transform=axes.get_xaxis_transform(),
            color=INK,
            markersize=4,
            markeredgewidth=0.9,
            clip_on=False,
        )
        crosses.set_in_layout(False)


@with_style
def interval_chart(
    labels: Sequence[str],
    intervals: Sequence[IntervalLike],
    x_label: str,
    reference: float | None = 0.0,
    description: str = "",
    x_scale: Literal["linear", "log"] = "linear",
) -> Drawing:
    """Returns intervals one below the other, with a line at the value to compare with.

    Args:
      labels: one per interval.
      intervals: estimates with bounds; an arrow at the edge stands for what is infinite.
      x_label: the horizontal axis in words, with the unit.
      reference: where the line stands; None for no line.
      description: for those who cannot see it; made from the labels if empty.
      x_scale: "linear", or "log" for ratios; a bound of zero is as far off there as an infinite one.

    Returns:
      The drawing; intervals that exclude the reference have a filled dot and a hue, the others are
      hollow and of ink.

    Raises:
      InvalidInput: if there are no intervals, or not one per label.
    """
    require(
        len(labels) == len(intervals) > 0,
        f"A chart needs one interval per label; received {len(labels)} and {len(intervals)}.",
    )
    if x_scale == "log":
        intervals = [_beyond_zero(interval) for interval in intervals]
    figure, axes = new_figure(height=0.24 * len(labels) + 0.8)
    if reference is not None:
        axes.axvline(reference, color=INK, alpha=FAINT, linewidth=0.9, linestyle=(0, (4, 2)))
    edges = _finite_range(intervals, reference, x_scale)
    for row, interval in enumerate(intervals):
        _draw_interval(axes, row, interval, edges, reference)
    axes.set_yticks(range(len(labels)), [shortened(label) for label in labels], parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(*edges)
    scaled(axes, x_label, "", x_scale)
    axes.set_xlim(*edges)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    return Drawing(figure, description or f"{x_label}: {', '.join(labels)}.")


class _Interval(NamedTuple):
    estimate: float
    low: float
    high: float


def _beyond_zero(ratio: IntervalLike) -> _Interval:
    """Returns a ratio with what is not above zero, and so on no logarithmic axis, as -inf."""
    return _Interval(*(number if number > 0 else -np.inf for number in _numbers(ratio)))


def _finite_range(
    intervals: Sequence[IntervalLike], reference: float | None, scale: str
) -> tuple[float, float]:
    """Returns the edges of an axis that holds every finite number and the reference."""
    numbers = [float(n) for interval in intervals for n in _numbers(interval) if np.isfinite(n)]
    numbers += [] if reference is None else [reference]
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    if scale == "log":
        margin = (high / low if high > low else 10.0) ** 0.06
        return low / margin, high * margin
    margin = 0.06 * (high - low or 1.0)
    return low - margin, high + margin


def _draw_interval(
    axes: Any,
    row: int,
    interval: IntervalLike,
    edges: tuple[float, float],
    reference: float | None,
) -> None:
    """Draws one interval in its row; an arrow at the edge stands for what is infinite."""
    clear = reference is not None and not interval.low <= reference <= interval.high
    colour = HUES[0] if clear else INK
    low, high = np.clip([interval.low, interval.high], *edges)
    axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    for infinity, edge, arrow in ((-np.inf, edges[0], "<"), (np.inf, edges[1], ">")):
        if infinity in _numbers(interval):
            axes.plot([edge], [row], arrow, markersize=6, color=colour, clip_on=False)
    if np.isfinite(interval.estimate):
        face = colour if clear else "none"
        axes.plot([interval.estimate], [row], "o", markersize=5, color=colour, markerfacecolor=face)


def _numbers(interval: IntervalLike) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high
