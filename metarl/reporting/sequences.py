"""Sequences: how a recurrent writer chose one token after another, unrolled.

Each step is a cell of the recurrent network; above it stands what it was given to choose from, the
likeliest first, with the probabilities as bars and the choice marked; the choice is what the next
cell reads, below it. A row is a group of steps, and the state goes on from row to row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metarl.errors import require

from .axes import WIDTH, shortened, with_style
from .drawing import Drawing
from .palette import HUES, INK, tint

_ROW = 2.62  # inches
_BAR, _GAP = 0.09, 0.215  # inches: a bar's height, from one bar to the next
_CELL = (0.62, 0.26)  # inches
_LEFT = 0.5  # inches, of the rows' titles
_SHOWN = 6  # options of a step


@dataclass(frozen=True)
class WritingStep:
    """One choice."""

    slot: str
    reads: str  # the choice before
    options: Sequence[tuple[str, float]]  # every token that is allowed, and its probability
    chosen: str


@dataclass(frozen=True)
class WritingRow:
    """The steps that stand in one row."""

    title: str
    steps: Sequence[WritingStep]


@with_style
def sequence_chart(rows: Sequence[WritingRow], cell: str, description: str = "") -> Drawing:
    """Returns a writer unrolled, one row below the other.

    Args:
      rows: what it wrote.
      cell: what to write into the cells, such as "LSTM".
      description: for those who cannot see it; made from the choices if empty.

    Raises:
      InvalidInput: if there are no rows, or one without steps.
    """
    require(len(rows) > 0 and all(row.steps for row in rows), "A sequence needs rows with steps.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = _ROW * len(rows)
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    axes.axis("off")
    width = (WIDTH - _LEFT - 0.1) / max(len(row.steps) for row in rows)
    for place, row in enumerate(rows):
        bottom = height - _ROW * (place + 1)
        axes.text(0.14, bottom + 1.35, row.title, fontsize=9, rotation=90, ha="center", va="center")
        for index, step in enumerate(row.steps):
            _draw_step(axes, _LEFT + width * index, bottom, width, step, cell)
            _draw_inputs(axes, _LEFT + width * index, bottom, width, step)
    chosen = ", ".join(step.chosen for row in rows for step in row.steps)
    return Drawing(figure, description or f"A recurrent network writes: {chosen}.")


def _draw_step(
    axes: Any, left: float, bottom: float, width: float, step: WritingStep, cell: str
) -> None:
    """Draws one cell, and above it the options with the choice marked."""
    centre, floor = left + width / 2, bottom + 0.38
    _draw_cell(axes, centre, floor, cell)
    _arrow(axes, (centre, floor + _CELL[1]), (centre, floor + _CELL[1] + 0.14))
    axes.text(centre, bottom + _ROW - 0.13, step.slot, fontsize=8, ha="center", va="center")
    ordered = sorted(step.options, key=lambda option: -option[1])
    shown = ordered[:_SHOWN]
    if step.chosen not in [label for label, _ in shown]:
        shown[-1] = next(option for option in ordered if option[0] == step.chosen)
    top = max(probability for _, probability in ordered)
    for rank, (label, probability) in enumerate(shown):
        y = bottom + _ROW - 0.4 - _GAP * rank
        _draw_option(axes, left + 0.08, y, width - 0.2, label, probability, top, step.chosen)
    rest = len(ordered) - len(shown)
    if rest:
        y = bottom + _ROW - 0.4 - _GAP * len(shown)
        axes.text(left + 0.08, y, f"and {rest} more", fontsize=6.2, alpha=0.8, va="center")


def _draw_option(
    axes: Any,
    left: float,
    y: float,
    width: float,
    label: str,
    probability: float,
    top: float,
    chosen: str,
) -> None:
    """Draws one option: its text, its probability, and a bar below them, the likeliest's the longest."""
    mine = label == chosen
    colour = HUES[1] if mine else HUES[0]
    text = {"fontsize": 6.2, "va": "bottom", "parse_math": False}
    weight = "bold" if mine else "normal"
    axes.text(left, y - 0.035, shortened(label), weight=weight, **text)
    axes.text(left + width, y - 0.035, f"{probability:.0%}", ha="right", weight=weight, **text)
    length = width * probability / top
    axes.fill_between([left, left + length], y - 0.05, y - 0.05 - _BAR / 2, color=colour, lw=0)


def _draw_cell(axes: Any, centre: float, floor: float, cell: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = _CELL
    axes.add_patch(
        FancyBboxPatch(
            (centre - width / 2, floor),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            edgecolor=HUES[0],
            facecolor=tint(HUES[0]),
            linewidth=1.0,
        )
    )
    axes.text(centre, floor + height / 2, cell, fontsize=8, ha="center", va="center")


def _draw_inputs(axes: Any, left: float, bottom: float, width: float, step: WritingStep) -> None:
    """Draws what enters a cell: the state of the cell before, and the choice before."""
    centre, floor = left + width / 2, bottom + 0.38
    middle = floor + _CELL[1] / 2
    _arrow(axes, (centre - width + _CELL[0] / 2, middle), (centre - _CELL[0] / 2, middle))
    _arrow(axes, (centre, bottom + 0.22), (centre, floor))
    axes.text(
        centre,
        bottom + 0.14,
        shortened(step.reads),
        fontsize=6.2,
        ha="center",
        va="center",
        parse_math=False,
    )


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "-|>,head_length=0.22,head_width=0.11",
            "color": INK,
            "linewidth": 0.8,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
