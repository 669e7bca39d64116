"""Axes: sizes, scales, ticks in plain numbers, and labels beside the ends of curves."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .drawing import STYLE
from .numerals import number_text
from .palette import GRID, INK, Stroke

WIDTH = 6.6  # inches
LABEL_SIZE = 8.0  # points
LONGEST_LABEL = 34  # characters: the names of all named rules stand whole
PANEL_TITLE_WIDTH = 23  # characters
_THOUSAND, _MILLION = 1e3, 1e6  # where digits are grouped, and where they are left out
LABEL_GAP = 0.06  # of the axes' width, between the curves' ends and their labels
_EARLY = 0.9  # of the axes' width: labels inside end before it


def with_style(draw: Callable) -> Callable:
    """Makes a drawing function see metarl's style, and leave matplotlib's settings as they were."""

    @functools.wraps(draw)
    def styled(*arguments, **keywords):
        from matplotlib import rc_context

        with rc_context(STYLE):
            return draw(*arguments, **keywords)

    return styled


def new_figure(
    height: float,
    panels: Sequence[float] = (),
    grid: tuple[int, int] = (1, 1),
    columns: int = 0,
    sharey: bool = True,
    sharex: bool = True,
) -> Any:
    """Returns a figure without pyplot, and its axes.

    Args:
      height: in inches.
      panels: relative heights of panels one above the other, sharing the horizontal axis.
      grid: rows and columns of small multiples.
      columns: panels side by side, with axes of their own.
      sharey: whether small multiples share the vertical axis.
      sharex: whether they share the horizontal one.

    Returns:
      The figure and its one axes, or its panels, or its small multiples in reading order.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    spacing = {} if grid == (1, 1) else {"w_pad": 0.04, "h_pad": 0.06, "hspace": 0.1}
    figure.set_layout_engine("constrained", **spacing)
    FigureCanvasAgg(figure)
    if panels:
        return figure, figure.subplots(
            len(panels), 1, sharex=True, gridspec_kw={"height_ratios": list(panels)}
        )
    if columns:
        return figure, figure.subplots(1, columns, squeeze=False).ravel()
    if grid == (1, 1):
        return figure, figure.subplots()
    multiples = figure.subplots(*grid, sharex=sharex, sharey=sharey, squeeze=False).ravel()
    return figure, multiples


def scaled(
    axes: Any,
    x_label: str,
    y_label: str,
    x_scale: str = "linear",
    y_scale: str = "linear",
    y_top: float | None = None,
    ticks: int = 8,
) -> None:
    """Gives axes their labels, scales, upper end, a quiet grid, no frame, and `ticks` decades at most."""
    axes.set_xlabel(x_label, parse_math=False)
    axes.set_ylabel(y_label, parse_math=False)
    if x_scale == "log":
        axes.set_xscale("log", nonpositive="mask")
        _plain_log_ticks(axes.xaxis, ticks)
    else:
        _plain_ticks(axes.xaxis)
    if y_scale == "log":
        axes.set_yscale("log", nonpositive="mask")
    else:
        _plain_ticks(axes.yaxis)
    if y_top is not None:
        axes.set_ylim(top=y_top)
    if y_scale == "log":
        _plain_log_ticks(axes.yaxis, ticks)
    axes.grid(color=INK, alpha=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.7)
    axes.tick_params(width=0.7, labelsize=8)


def add_panel_title(axes: Any, label: str) -> None:
    """Writes the title of a small multiple in at most two lines, as wide as its panel."""
    lines = textwrap.wrap(label, PANEL_TITLE_WIDTH, break_on_hyphens=False)
    if len(lines) > 2:
        lines = [lines[0], f"{lines[1][: PANEL_TITLE_WIDTH - 1]}…"]
    title = axes.set_title("\n".join(lines), fontsize=6.8, loc="left", pad=5, parse_math=False)
    title.set_in_layout(False)


def add_end_labels(figure: Any, axes: Any, ends: Sequence[tuple[str, Any, Any, Stroke]]) -> None:
    """Writes each curve's label at the right, as near to the height of its end as the others allow.

    A thin line leads from the label to where the curve ends. Where that is far from the right edge, and no other curve
    comes near, the label stands beside the end itself.

    Args:
      figure: the figure, whose layout is settled first.
      axes: the axes of the curves, with their limits and scales.
      ends: per curve its label, x [N], y [N] and stroke; curves without a finite point get their
        label at the top.
    """
    low, high = axes.get_ylim()
    axes.set_xlim(*_data_limits([x for _, x, _, _ in ends], axes.get_xscale()))
    axes.set_ylim(low, high)
    figure.draw_without_rendering()
    height_points = axes.get_window_extent().height * 72 / figure.dpi
    points = np.array([_end(axes, x, y) for _, x, y, _ in ends])
    size = LABEL_SIZE / height_points
    beside = _beside_their_ends(axes, ends, points, size)
    placed = points[:, 1].copy()
    if not beside.all():
        placed[~beside] = spread_out(points[~beside, 1], 1.3 * size)
    for (label, _, _, stroke), start, height, near in zip(
        ends, points, placed, beside, strict=True
    ):
        leader = {
            "arrowstyle": "-",
            "linestyle": "-" if start[0] > _EARLY else ":",  # no part of the curve
            "color": stroke.colour,
            "alpha": 0.5,
            "linewidth": 0.7,
            "shrinkA": 1.0,
            "shrinkB": 1.0,
            "relpos": (0.0, 0.5),
        }
        axes.annotate(
            shortened(label),
            xy=tuple(start),
            xytext=(4, 0) if near else (1 + LABEL_GAP, height),
            xycoords="axes fraction",
            textcoords="offset points" if near else "axes fraction",
            color=stroke.colour,
            fontsize=LABEL_SIZE,
            verticalalignment="center",
            annotation_clip=False,
            parse_math=False,
            arrowprops=None if near else leader,
        )


def spread_out(heights: np.ndarray, gap: float) -> np.ndarray:
    """Returns heights in [0, 1] moved as little as needed to lie at least `gap` apart.

    Labels that would overlap are pooled into blocks, each centred on the mean of its members'
    wishes (the pool-adjacent- violators algorithm, which gives the least sum of squared moves). If
    all of them do not fit, they share the room evenly.

    Args:
      heights: [N] wishes, 0 at the bottom and 1 at the top.
      gap: the least distance of two labels.

    Returns:
      [N] heights in the order of the wishes.
    """
    count = len(heights)
    gap = min(gap, 1 / max(count - 1, 1))
    order = np.argsort(heights, kind="stable")
    offsets = gap * np.arange(count)
    blocks: list[list[float]] = []  # [mean, size] of wishes less their offsets, rising
    for wish in np.asarray(heights, dtype=float)[order] - offsets:
        blocks.append([wish, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, size = blocks.pop()
            below, members = blocks[-1]
            blocks[-1] = [(below * members + mean * size) / (members + size), members + size]
    floors = np.repeat([mean for mean, _ in blocks], [int(size) for _, size in blocks])
    placed = np.empty(count)
    placed[order] = np.clip(floors, 0.0, 1.0 - gap * (count - 1)) + offsets
    return placed


def _beside_their_ends(
    axes: Any, ends: Sequence[tuple[str, Any, Any, Stroke]], points: np.ndarray, size: float
) -> np.ndarray:
    """Returns which labels have room beside the end of their curve, inside the axes.

    Args:
      axes: of the curves.
      ends: see `add_end_labels`.
      points: [N, 2] where curves end, 0 to 1 of the axes.
      size: of the letters, 0 to 1 of the axes' height.

    Returns:
      [N] bool.
    """
    box = axes.get_window_extent()
    letter = 0.65 * size * box.height / box.width  # a generous width
    lines = [_path(axes, x, y) for _, x, y, _ in ends]
    found: list[bool] = []
    taken: list[np.ndarray] = []  # where labels stand already
    for number, ((label, *_), (across, up)) in enumerate(zip(ends, points, strict=True)):
        left, right = across + letter, across + letter * (len(shortened(label)) + 2)
        low, high = up - size, up + size
        others = [*lines[:number], *lines[number + 1 :], *taken]
        near = np.concatenate(others or [np.zeros((0, 2))])
        inside = (
            (near[:, 0] > left) & (near[:, 0] < right) & (near[:, 1] > low) & (near[:, 1] < high)
        )
        free = right < _EARLY and low > 0 and high < 1 and not inside.any()
        found.append(bool(free))
        if free:
            taken.append(np.array([[left + (right - left) * k / 20, up] for k in range(1, 20)]))
    return np.array(found)


def _path(axes: Any, x: Any, y: Any) -> np.ndarray:
    """Returns points so close along a curve that none of its lines passes a label unseen, 0 to 1 of the axes."""
    points = np.stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)], axis=-1)
    points = axes.transAxes.inverted().transform(axes.transData.transform(points))
    points = points[np.isfinite(points).all(axis=-1)]
    if len(points) < 2:
        return points
    place = np.linspace(0, len(points) - 1, 50 * (len(points) - 1) + 1)
    return np.stack(
        [np.interp(place, np.arange(len(points)), column) for column in points.T], axis=-1
    )


def _end(axes: Any, x: Any, y: Any) -> tuple[float, float]:
    """Returns a curve's last finite point, 0 to 1 of the axes; the upper right corner if it has none."""
    points = np.stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)], axis=-1)
    points = points[np.isfinite(points).all(axis=-1)]
    if len(points) == 0:
        return 1.0, 1.0
    end = axes.transAxes.inverted().transform(axes.transData.transform(points[-1]))
    across, up = np.where(np.isfinite(end), np.clip(end, 0.0, 1.0), 1.0)
    return float(across), float(up)


def _data_limits(xs: Sequence, scale: str) -> tuple[float, float]:
    """Returns the least and largest x: curves run to the right edge, where their labels begin."""
    numbers = np.concatenate([np.asarray(x, dtype=float) for x in xs])
    numbers = numbers[np.isfinite(numbers) & ((numbers > 0) | (scale == "linear"))]
    low, high = float(numbers.min()), float(numbers.max())
    return (
        (low, high)
        if low < high
        else (low - 0.5, high + 0.5)
        if scale == "linear"
        else (low / 2, high * 2)
    )


def shortened(label: str) -> str:
    """Returns a label of bearable length; the middle of a long one gives way."""
    if len(label) <= LONGEST_LABEL:
        return label
    half = (LONGEST_LABEL - 1) // 2
    return f"{label[:half].rstrip()}…{label[-half:].lstrip()}"


def _plain_ticks(axis: Any) -> None:
    """Labels a linear axis with whole numbers: digits in groups of three, and millions as 2M."""

    def text(value: float, _: object) -> str:
        if max(map(abs, axis.get_view_interval())) >= _MILLION:
            return f"{value / _MILLION:,.6g}M" if value else "0"
        return f"{value:,.6g}" if abs(value) >= _THOUSAND else number_text(value, digits=6)

    axis.set_major_formatter(text)


def _plain_log_ticks(axis: Any, ticks: int) -> None:
    """Labels a logarithmic axis with plain numbers: decades, or 1, 2 and 5, or even steps."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else np.inf
    if decades > 2.5:
        locator = LogLocator(numticks=ticks)
    elif decades > 0.8:
        locator = LogLocator(subs=(1.0, 2.0, 5.0), numticks=12)
    else:  # between 0.9 and 1.3 stands no multiple of a power of ten but 1
        locator = MaxNLocator(nbins=7, steps=[1, 2, 5, 10])
    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, digits=6)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
