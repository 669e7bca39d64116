"""Panels: several charts of the same curves side by side, with one legend for all of them.

Labels at the ends of curves have no room between panels, so here a legend below names the curves;
equal labels have equal strokes in all panels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from metarl.errors import require

from .axes import WIDTH, new_figure, scaled, with_style
from .curves import Curve, draw_curve
from .drawing import Drawing
from .palette import Stroke, faint_stroke, strong_stroke

Scale = Literal["linear", "log"]

_LEGEND_COLUMNS = 5  # at most
_LETTER, _HANDLE = (
    4.9,
    38.0,
)  # points that a letter of a legend takes, and a stroke with the room around it


@with_style
def curve_panels(
    panels: Mapping[str, Sequence[Curve]],
    x_label: str | Sequence[str],
    y_label: str | Sequence[str],
    columns: int = 2,
    same_y: bool = False,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
    height: float = 2.3,
    description: str = "",
) -> Drawing:
    """Returns one chart of curves for each panel.

    Args:
      panels: by title, the curves.
      x_label: the horizontal axis in words, with the unit; one for each panel where they differ.
      y_label: the vertical axis in words, with the unit; one for each panel where they differ.
      columns: panels in a row.
      same_y: whether all panels have one vertical axis.
      x_scale: "linear" or "log".
      y_scale: "linear" or "log".
      height: of a row, in inches.
      description: for those who cannot see it; made from the labels if empty.

    Raises:
      InvalidInput: if there are no panels, or one without curves.
    """
    require(
        len(panels) > 0 and all(len(curves) > 0 for curves in panels.values()),
        "A chart needs at least one panel, and every panel a curve.",
    )
    strokes, shared_x = _strokes(panels), isinstance(x_label, str)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    legend_rows = _legend_rows(list(strokes)) if len(strokes) > 1 else 0
    figure, grid = new_figure(
        height=height * rows + 0.2 * legend_rows + 0.3,
        grid=(rows, columns),
        sharey=same_y,
        sharex=shared_x,
    )
    places = np.ravel(grid)
    below = [""] * len(panels) if isinstance(x_label, str) else x_label
    beside = [""] * len(panels) if isinstance(y_label, str) else y_label
    for axes, x, y, (title, curves) in zip(places, below, beside, panels.items(), strict=False):
        for order, curve in enumerate(curves):
            draw_curve(axes, curve, strokes[curve.label], order)
        scaled(axes, x, y, x_scale, y_scale, ticks=5)
        axes.set_title(title, fontsize=8, loc="left", parse_math=False)
    for unused in places[len(panels) :]:
        unused.set_visible(False)
    if isinstance(x_label, str):
        # the lowest of each column, unused places left out
        for axes in places[: len(panels)][-columns:]:
            axes.set_xlabel(x_label, parse_math=False)
            axes.tick_params(labelbottom=True)
    if isinstance(y_label, str):
        figure.supylabel(y_label, fontsize=9)
    if legend_rows:
        _add_legend(figure, strokes, -(-len(strokes) // legend_rows))
    names, against = ", ".join(strokes), x_label if isinstance(x_label, str) else ", ".join(x_label)
    return Drawing(figure, description or f"{', '.join(panels)} against {against}: {names}.")


def _strokes(panels: Mapping[str, Sequence[Curve]]) -> dict[str, Stroke]:
    """Returns a stroke for each label: hues for the foreground, dashes of ink for the rest."""
    strokes: dict[str, Stroke] = {}
    counts = {True: 0, False: 0}
    for curves in panels.values():
        for curve in curves:
            if curve.label not in strokes:
                make = strong_stroke if curve.foreground else faint_stroke
                strokes[curve.label] = make(counts[curve.foreground])
                counts[curve.foreground] += 1
    return strokes


def _legend_rows(labels: Sequence[str]) -> int:
    """Returns how many rows of a legend hold labels side by side; matplotlib fills its columns one after another."""
    for rows in range(-(-len(labels) // _LEGEND_COLUMNS), len(labels)):
        columns = [labels[first : first + rows] for first in range(0, len(labels), rows)]
        letters = sum(max(map(len, column)) for column in columns)
        if _LETTER * letters + _HANDLE * len(columns) <= 72 * WIDTH:
            return rows
    return len(labels)


def _add_legend(figure, strokes: Mapping[str, Stroke], columns: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=s.colour, linestyle=s.dash, alpha=s.opacity, linewidth=s.width)
        for s in strokes.values()
    ]
    labels = [label.replace("$", r"\$") for label in strokes]
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
        handlelength=3.2,
    )
