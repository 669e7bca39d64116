"""Charts: curves with bands, learning curves, and what became of a search.

A curve is data and a label; the charts are a choice of axes. Curves in the foreground get a hue and
a band, those in the background a thin line of ink; every label stands at the right, in its curve's
colour, beside the curve's end, and never on the data. Values that are infinite (diverged runs) are
left out of a line.

Letters: N points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import require

from .axes import new_figure, scaled, with_style
from .curves import Curve, draw_curve, label_ends, strokes_of
from .drawing import Drawing
from .palette import strong_stroke

Scale = Literal["linear", "log"]


@with_style
def curve_chart(
    curves: Sequence[Curve],
    x_label: str,
    y_label: str,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    y_top: float | None = None,
    description: str = "",
) -> Drawing:
    """Returns a chart of curves with bands, labelled at their right ends.

    Args:
      curves: what to draw; any number.
      x_label: the horizontal axis in words, with the unit.
      y_label: the vertical axis in words, with the unit.
      x_scale: "linear" or "log".
      y_scale: "linear" or "log".
      y_top: where the vertical axis ends; above all curves if None.
      description: what the chart shows, for those who cannot see it; made from the labels if empty.

    Returns:
      The drawing.

    Raises:
      InvalidInput: if there are no curves.
    """
    require(len(curves) > 0, "A chart needs at least one curve.")
    figure, axes = new_figure(height=max(3.4, 0.19 * len(curves) + 0.8))
    strokes = strokes_of(curves)
    for order, (curve, stroke) in enumerate(zip(curves, strokes, strict=True)):
        draw_curve(axes, curve, stroke, order)
    scaled(axes, x_label, y_label, x_scale, y_scale, y_top)
    label_ends(figure, axes, curves, strokes)
    names = ", ".join(curve.label for curve in curves)
    return Drawing(figure, description or f"{y_label} against {x_label}: {names}.")


def learning_curves(
    curves: Sequence[Curve], y_label: str = "loss", y_scale: Scale = "log", description: str = ""
) -> Drawing:
    """Returns the losses of training runs against their optimizer steps; see `curve_chart`.

    The vertical axis shows what the runs came to, not where all of them began: it ends at the
    median loss after a tenth of the steps, or above the worst end of a curve in the foreground.
    What is worse leaves through the upper edge.
    """
    y_top = _settled_top(curves)
    return curve_chart(curves, "optimizer steps", y_label, "linear", y_scale, y_top, description)


def _settled_top(curves: Sequence[Curve]) -> float | None:
    """Returns the upper end of an axis that leaves out the first tenth of the steps; None if nothing is finite."""
    early, ends = [], []
    for curve in curves:
        y = np.asarray(curve.y, dtype=float)
        early.append(y[len(y) // 10])
        ends.append(y[-1] if curve.foreground else np.nan)
    candidates = [np.median(early), *ends]
    finite = [float(value) for value in candidates if np.isfinite(value)]
    return 1.1 * max(finite) if finite else None


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
            draw_curve(axes, curve, stroke, order)
    scaled(above, "", "reward")
    scaled(below, "rules trained", "share")
    above.tick_params(labelbottom=False)
    below.set_ylim(0, 1.05)
    for axes, curves, own in ((above, rewards, strokes[:2]), (below, shares, strokes[2:])):
        label_ends(figure, axes, curves, own)
    return Drawing(figure, description or _search_in_words(rules_trained, best_so_far))


def _search_in_words(rules_trained: ArrayLike, best_so_far: ArrayLike) -> str:
    rules, best = np.asarray(rules_trained), np.asarray(best_so_far)
    return (
        f"Best and mean reward, and the share of distinct rules, over {int(rules[-1])} rules trained; "
        f"the best reward rose from {best[0]:.3g} to {best[-1]:.3g}."
    )
