"""Charts: curves with bands, what became of a search, learning rates, and intervals side by side.

A curve is data and a label; the charts are a choice of axes. Curves in the foreground get a hue and a band, those in the
background a thin line of ink; every label stands at the right, in its curve's colour, beside the curve's end, and never on
the data. Values that are infinite (diverged runs) are left out of a line, and marked with a cross at the upper edge where
they tell something.

Letters: N points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import require

from .axes import add_end_labels, new_figure, scaled, with_style
from .drawing import Drawing
from .numerals import IntervalLike
from .palette import BAND, FAINT, HUES, INK, Stroke, faint_stroke, strong_stroke

Scale = Literal["linear", "log"]


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


@with_style
def curve_chart(
    curves: Sequence[Curve],
    x_label: str,
    y_label: str,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    description: str = "",
) -> Drawing:
    """Returns a chart of curves with bands, labelled at their right ends.

    Args:
      curves: what to draw; any number.
      x_label: the horizontal axis in words, with the unit.
      y_label: the vertical axis in words, with the unit.
      x_scale: "linear" or "log".
      y_scale: "linear" or "log".
      description: what the chart shows, for those who cannot see it; made from the labels if empty.

    Returns:
      The drawing.

    Raises:
      InvalidInput: if there are no curves.
    """
    require(len(curves) > 0, "A chart needs at least one curve.")
    figure, axes = new_figure(height=max(3.4, 0.19 * len(curves) + 0.8))
    strokes = _strokes(curves)
    for order, (curve, stroke) in enumerate(zip(curves, strokes, strict=True)):
        _draw_curve(axes, curve, stroke, order)
    scaled(axes, x_label, y_label, x_scale, y_scale)
    add_end_labels(figure, axes, [(c.label, c.x, c.y, s) for c, s in zip(curves, strokes, strict=True)])
    names = ", ".join(curve.label for curve in curves)
    return Drawing(figure, description or f"{y_label} against {x_label}: {names}.")


def learning_curves(
    curves: Sequence[Curve], y_label: str = "loss", y_scale: Scale = "log", description: str = ""
) -> Drawing:
    """Returns the losses of training runs against their optimizer steps; see `curve_chart`."""
    return curve_chart(curves, "optimizer steps", y_label, "linear", y_scale, description)


@with_style
def search_curve(
    rules_trained: ArrayLike,
    best_so_far: ArrayLike,
    mean_reward: ArrayLike,
    distinct_share: ArrayLike,
    description: str = "",
) -> Drawing:
    """Returns how a search went: rewards above, the share of distinct proposals below.

    Args:
      rules_trained: [N] distinct rules trained by the end of each generation.
      best_so_far: [N] the best reward up to then.
      mean_reward: [N] the mean reward of the generation.
      distinct_share: [N] distinct rules over rules proposed in the generation, 0 to 1.
      description: for those who cannot see it; made from the numbers if empty.

    Returns:
      The drawing.
    """
    figure, (above, below) = new_figure(height=4.2, panels=(2.2, 1.0))
    rewards = [
        Curve("best so far", rules_trained, best_so_far),
        Curve("mean of generation", rules_trained, mean_reward),
    ]
    shares = [Curve("distinct rules", rules_trained, distinct_share)]
    strokes = [strong_stroke(index) for index in range(3)]
    for axes, curves, own in ((above, rewards, strokes[:2]), (below, shares, strokes[2:])):
        for order, (curve, stroke) in enumerate(zip(curves, own, strict=True)):
            _draw_curve(axes, curve, stroke, order)
    scaled(above, "", "reward")
    scaled(below, "rules trained", "share")
    above.tick_params(labelbottom=False)
    below.set_ylim(0, 1.05)
    for axes, curves, own in ((above, rewards, strokes[:2]), (below, shares, strokes[2:])):
        add_end_labels(figure, axes, [(c.label, c.x, c.y, s) for c, s in zip(curves, own, strict=True)])
    return Drawing(figure, description or _search_in_words(rules_trained, best_so_far))


def _search_in_words(rules_trained: ArrayLike, best_so_far: ArrayLike) -> str:
    rules, best = np.asarray(rules_trained), np.asarray(best_so_far)
    return (
        f"Best and mean reward, and the share of distinct rules, over {int(rules[-1])} rules trained; "
        f"the best reward rose from {best[0]:.3g} to {best[-1]:.3g}."
    )


@with_style
def learning_rate_sensitivity(
    curves: Sequence[Curve],
    reference: str | None = None,
    y_label: str = "final loss",
    description: str = "",
) -> Drawing:
    """Returns small multiples, one per optimizer: the final loss against the learning rate.

    The panels share their axes, so they are compared by eye; the reference is drawn in each, thin. A dot marks the chosen
    rate, a cross at the upper edge a rate at which runs diverged.

    Args:
      curves: per optimizer the learning rates x and the final losses y, inf where it diverged, with `chosen`.
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
    faint = Stroke(INK, (0, ()), FAINT, 0.8)
    for axes, curve in zip(panels, curves, strict=False):
        if reference is not None and curve.label != reference:
            _draw_curve(axes, known[reference], faint, 0, marked=False)
        _draw_curve(axes, curve, Stroke(HUES[0], (0, ()), 1.0, 1.6), 1)
        axes.set_title(curve.label, fontsize=7.5, loc="left", pad=4, parse_math=False)
        scaled(axes, "", "", "log", "log")
    _mark_divergence(panels, curves)
    figure.supxlabel("learning rate", fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    return Drawing(figure, description or f"{y_label} against the learning rate: {', '.join(known)}.")


@with_style
def interval_chart(
    labels: Sequence[str],
    intervals: Sequence[IntervalLike],
    x_label: str,
    reference: float | None = 0.0,
    description: str = "",
) -> Drawing:
    """Returns intervals one below the other, with a line at the value to compare with.

    Args:
      labels: one per interval.
      intervals: estimates with bounds; what is infinite is cut off at the edge.
      x_label: the horizontal axis in words, with the unit.
      reference: where the line stands; None for no line.
      description: for those who cannot see it; made from the labels if empty.

    Returns:
      The drawing; intervals that exclude the reference have a filled dot and a hue, the others are hollow and of ink.

    Raises:
      InvalidInput: if there are no intervals, or not one per label.
    """
    require(
        len(labels) == len(intervals) > 0,
        f"A chart needs one interval per label; received {len(labels)} and {len(intervals)}.",
    )
    figure, axes = new_figure(height=0.24 * len(labels) + 0.8)
    if reference is not None:
        axes.axvline(reference, color=INK, alpha=FAINT, linewidth=0.9, linestyle=(0, (4, 2)))
    finite = [float(i.estimate) for i in intervals if np.isfinite(i.estimate)]
    bounds = [float(b) for i in intervals for b in (i.low, i.high) if np.isfinite(b)]
    extent = (min([*finite, *bounds, reference or 0.0]), max([*finite, *bounds, reference or 0.0]))
    margin = 0.05 * (extent[1] - extent[0] or 1.0)
    left, right = extent[0] - margin, extent[1] + margin
    for row, interval in enumerate(intervals):
        clear = reference is not None and not interval.low <= reference <= interval.high
        colour = HUES[0] if clear else INK
        low, high = np.clip([interval.low, interval.high], left, right)
        axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
        if np.isfinite(interval.estimate):
            face = colour if clear else "none"
            axes.plot([interval.estimate], [row], "o", markersize=5, color=colour, markerfacecolor=face)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(left, right)
    scaled(axes, x_label, "")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    return Drawing(figure, description or f"{x_label}: {', '.join(labels)}.")


def _strokes(curves: Sequence[Curve]) -> list[Stroke]:
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


def _draw_curve(axes, curve: Curve, stroke: Stroke, order: int, marked: bool = True) -> None:
    """Draws the line, the band if it has one, and the chosen point."""
    x, y = (np.asarray(values, dtype=float) for values in (curve.x, curve.y))
    y = np.where(np.isfinite(y), y, np.nan)
    depth = 2 + (100 if curve.foreground else 0) + order
    axes.plot(
        x, y, color=stroke.colour, linestyle=stroke.dash, alpha=stroke.opacity,
        linewidth=stroke.width, zorder=depth,
    )
    if curve.low is not None and curve.high is not None and curve.foreground:
        low, high = (np.asarray(values, dtype=float) for values in (curve.low, curve.high))
        inside = np.isfinite(low) & np.isfinite(high)
        axes.fill_between(
            x, low, high, where=inside, color=stroke.colour, alpha=BAND, linewidth=0, zorder=1
        )
    if marked and curve.chosen is not None:
        axes.plot(x[curve.chosen], y[curve.chosen], "o", markersize=4.5, color=stroke.colour, zorder=200)


def _mark_divergence(panels: Sequence, curves: Sequence[Curve]) -> None:
    """Puts a cross at the upper edge of a panel for every learning rate that diverged there."""
    for axes, curve in zip(panels, curves, strict=False):
        x, y = (np.asarray(values, dtype=float) for values in (curve.x, curve.y))
        diverged = x[~np.isfinite(y)]
        top = np.ones_like(diverged)
        axes.plot(
            diverged, top, "x", transform=axes.get_xaxis_transform(), color=INK, markersize=4,
            markeredgewidth=0.9, clip_on=False,
        )
