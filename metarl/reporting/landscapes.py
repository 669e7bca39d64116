"""Landscapes: paths of optimizers over the level lines of a function of two numbers.

Level lines are thin ink; each path has a hue, dashes and a mark of its own along the way, so that
paths which lie on each other can still be told apart. A zoom shows where they end.

Letters: N points of a path; X, Y points of the grid of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import require

from .axes import new_figure, scaled, with_style
from .drawing import Drawing
from .palette import FAINT, INK, strong_stroke

_GRID = 400
_MARKS = "os^Dv>P*X"


@dataclass(frozen=True)
class View:
    """A part of the plane."""

    title: str
    x: tuple[float, float]
    y: tuple[float, float]


@dataclass(frozen=True)
class Trajectory:
    """Where an optimizer went."""

    label: str
    points: ArrayLike  # [N, 2]


@with_style
def landscape_chart(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    levels: Sequence[float],
    paths: Sequence[Trajectory],
    views: Sequence[View],
    minimum: tuple[float, float],
    description: str = "",
) -> Drawing:
    """Returns paths over level lines, one panel for each view, with one legend below.

    Args:
      function: (x [X, Y], y [X, Y]) -> values [X, Y].
      levels: of the lines, rising.
      paths: what to draw.
      views: parts of the plane, from the whole to the zoom; each is framed in the one before it.
      minimum: where the function is lowest; a cross.
      description: for those who cannot see it; made from the labels if empty.

    Raises:
      InvalidInput: if there are no paths or no views.
    """
    require(len(paths) > 0 and len(views) > 0, "A landscape needs a path and a view.")
    legend_rows = -(-len(paths) // 3)
    figure, panels = new_figure(height=3.2 + 0.2 * legend_rows, columns=len(views))
    for axes, view in zip(panels, views, strict=True):
        _draw_levels(axes, function, levels, view)
        for order, path in enumerate(paths):
            _draw_path(axes, path, order, view)
        axes.plot(*minimum, "+", color=INK, markersize=9, markeredgewidth=1.3, zorder=200)
        scaled(axes, "x", "y")
        axes.grid(visible=False)
        axes.set_xlim(*view.x)
        axes.set_ylim(*view.y)
        axes.set_title(view.title, fontsize=8, loc="left", parse_math=False)
    for axes, inner in zip(panels, views[1:], strict=False):
        _frame(axes, inner)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    names = ", ".join(path.label for path in paths)
    return Drawing(figure, description or f"Paths to the minimum at {minimum}: {names}.")


def _draw_levels(axes: Any, function: Callable, levels: Sequence[float], view: View) -> None:
    x, y = np.meshgrid(np.linspace(*view.x, _GRID), np.linspace(*view.y, _GRID))  # [X, Y]
    axes.contour(x, y, function(x, y), levels=levels, colors=INK, linewidths=0.5, alpha=0.6 * FAINT)


def _draw_path(axes: Any, path: Trajectory, order: int, view: View) -> None:
    points = np.asarray(path.points, dtype=float)  # [N, 2]
    points = points[np.isfinite(points).all(axis=1)]
    stroke = strong_stroke(order)
    inside = (
        (points[:, 0] >= view.x[0])
        & (points[:, 0] <= view.x[1])
        & (points[:, 1] >= view.y[0])
        & (points[:, 1] <= view.y[1])
    )
    axes.plot(
        *points.T,
        color=stroke.colour,
        linestyle=stroke.dash,
        linewidth=0.9,
        alpha=0.9,
        marker=_MARKS[order % len(_MARKS)],
        markersize=3.2,
        markeredgewidth=0.0,
        markevery=_spread(points, inside, order),
        label=path.label.replace("$", r"\$"),
        zorder=3 + order,
    )


def _spread(points: np.ndarray, inside: np.ndarray, order: int) -> list[int]:
    """Returns about eight points of a path that are evenly spread over its length within the view."""
    indices = np.flatnonzero(inside)
    if len(indices) < 2:
        return indices.tolist()
    steps = np.linalg.norm(np.diff(points[indices], axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = (np.arange(8) + 0.1 * (order % 10)) / 8 * length[-1]
    return sorted(
        {int(indices[i]) for i in np.searchsorted(length, wanted).clip(0, len(indices) - 1)}
    )


def _frame(axes: Any, view: View) -> None:
    (left, right), (low, high) = view.x, view.y
    axes.plot(
        [left, right, right, left, left],
        [low, low, high, high, low],
        color=INK,
        linewidth=0.7,
        zorder=150,
    )
