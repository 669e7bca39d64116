"""Bars: shares or other numbers of a few categories, side by side for several subjects.

Letters: C categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metarl.errors import require

from .axes import add_panel_title, new_figure, scaled, with_style
from .drawing import Drawing
from .numerals import IntervalLike, number_text
from .palette import INK, strong_stroke

_TOGETHER = 0.8  # of the distance of two categories is covered by bars


@with_style
def bar_panels(
    panels: Mapping[str, Mapping[str, Sequence[IntervalLike]]],
    categories: Sequence[str],
    y_label: str,
    y_top: float | None = None,
    height: float = 2.4,
) -> Drawing:
    """Returns bars with their intervals, one chart for each panel, in one row with one vertical axis.

    Args:
      panels: by title, and in it by the label of a colour, a number with its interval for each category [C].
      categories: names of the groups of bars [C].
      y_label: the vertical axis in words, with the unit.
      y_top: its upper end.
      height: in inches.

    Raises:
      InvalidInput: if there are no panels, or one has another number of bars.
    """
    require(
        len(panels) > 0
        and all(len(bars) == len(categories) for of in panels.values() for bars in of.values()),
        f"Every colour of every panel needs {len(categories)} bars, one for each category.",
    )
    figure, grid = new_figure(height=height, grid=(1, len(panels)))
    grid = np.ravel(grid)
    places = np.arange(len(categories))
    for axes, (title, series) in zip(grid, panels.items(), strict=True):
        width = _TOGETHER / len(series)
        for order, (label, bars) in enumerate(series.items()):
            x = places - _TOGETHER / 2 + (order + 0.5) * width
            colour = strong_stroke(order).colour
            axes.bar(x, [b.estimate for b in bars], 0.9 * width, color=colour, label=label)
            ends = [[b.low for b in bars], [b.high for b in bars]]
            axes.vlines(x, *ends, color=INK, linewidth=0.9)
        axes.set_xticks(places, categories)
        scaled(axes, "", "", y_top=y_top, ticks=5)
        axes.grid(visible=False, axis="x")
        add_panel_title(axes, title)
    grid[0].set_ylabel(y_label, parse_math=False)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8
    )
    return Drawing(figure, _in_words(panels, categories, y_label))


def _in_words(
    panels: Mapping[str, Mapping[str, Sequence[IntervalLike]]],
    categories: Sequence[str],
    y_label: str,
) -> str:
    """Returns the chart as a text for those who cannot see it."""
    told = [
        f"{title}: "
        + ", ".join(
            f"{category} {label} {number_text(bar.estimate)}"
            for label, bars in series.items()
            for category, bar in zip(categories, bars, strict=True)
        )
        for title, series in panels.items()
    ]
    return f"{y_label}. {'; '.join(told)}."
