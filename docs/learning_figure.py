"""Draws the README's second figure, `learning_figure.svg`, from committed results: `python docs/learning_figure.py`.

What trials in training earn against processor time, in cells of table 1 of RL² that were trained several times
(`experiments/rl2_table_1/curves.csv`), beside what the paper's agent, SNAIL and the strongest classical agent earn.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from front_figure import page

from metarl.reporting import Drawing, write_file
from metarl.reporting.drawing import STYLE
from metarl.reporting.palette import BAND, HUES, INK

HERE = Path(__file__).parent
FIGURE = HERE / "learning_figure.svg"
TABLE = HERE.parent / "experiments" / "rl2_table_1"

SIZE = (6.4, 4.9)  # inches
STRONGEST = "gittins:preset=paper"  # of the classical agents: the exact index for the pulls left
OTHERS = (  # who earns a level, its colour and its dashes
    ("Gittins, pulls left", INK, (None, None)),
    ("the paper's RL²", HUES[1], (5, 2)),
    ("SNAIL", HUES[2], (1.5, 1.5)),
)


def main() -> None:
    """Writes the figure."""
    write_file(FIGURE, figure())


def figure() -> str:
    """Returns the figure as a file of SVG."""
    return page(draw())


def draw() -> Drawing:
    """Returns a panel for each cell."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    curves = read_curves()
    with rc_context({**STYLE, "font.size": 10.5}):
        figure = Figure(figsize=SIZE, layout="constrained")
        places = figure.subplots(2, 2).ravel()
        for axes, (cell, (minutes, returns)) in zip(places, curves.items(), strict=False):
            _draw_cell(axes, cell, minutes, returns)
            axes.set_xlabel("CPU-minutes of one thread")
        for axes in places[::2]:
            axes.set_ylabel("return of a trial")
        handles, labels = places[0].get_legend_handles_labels()
        for unused in places[len(curves) :]:
            unused.set_axis_off()
        if len(curves) < len(places):
            places[-1].legend(handles, labels, loc="center", frameon=False)
        else:
            figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return Drawing(
        figure,
        "Return of a trial in training against CPU-minutes of one thread, in bandits: "
        + "; ".join(_told(cell, *curve) for cell, curve in curves.items())
        + ".",
    )


def read_curves() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns, by cell, CPU-minutes [N], the mean of all seeds, and returns [S, N]."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in _rows(TABLE / "curves.csv"):
        seeds = points.setdefault(row["cell"], {})
        seeds.setdefault(row["seed"], []).append((float(row["cpu_seconds"]), float(row["return"])))
    found = {}
    for cell, seeds in points.items():
        both = np.array(list(seeds.values()))  # [S, N, 2]
        found[cell] = both[..., 0].mean(axis=0) / 60, both[..., 1]
    return found


def _draw_cell(axes, cell: str, minutes: np.ndarray, returns: np.ndarray) -> None:
    """Draws the mean over seeds, their range, and what others earn."""
    axes.plot(minutes, returns.mean(axis=0), color=HUES[0], lw=2.2, label="RL² here, in training")
    axes.fill_between(
        minutes, returns.min(axis=0), returns.max(axis=0), color=HUES[0], alpha=BAND, lw=0
    )
    for (label, colour, dashes), level in zip(OTHERS, levels(cell), strict=True):
        line = axes.axhline(level, color=colour, lw=1.3, label=label)
        if dashes[0] is not None:
            line.set_dashes(dashes)
    pulls, _, arms = cell.partition("x")
    seeds = "1 training" if len(returns) == 1 else f"{len(returns)} trainings"
    axes.set_title(f"{pulls} pulls of {arms} arms, {seeds}", loc="left", fontsize=11)
    axes.set_xlim(0, minutes[-1])
    axes.grid(color=INK, alpha=0.13, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def levels(cell: str) -> tuple[float, ...]:
    """Returns what the others of `OTHERS` earn in a cell."""
    settings = json.loads((TABLE / "settings.json").read_text(encoding="utf-8"))["others"]
    (classical,) = (
        float(row["mean"])
        for row in _rows(TABLE / "measured.csv")
        if (row["split"], row["cell"], row["agent"]) == ("test", cell, STRONGEST)
    )
    return classical, settings["RL²"][cell], settings["SNAIL"][cell]


def _told(cell: str, minutes: np.ndarray, returns: np.ndarray) -> str:
    pulls, _, arms = cell.partition("x")
    end, level = returns[:, -1].mean(), levels(cell)[0]
    return (
        f"with {pulls} pulls of {arms} arms from {returns[:, 0].mean():.3g} to {end:.3g} after "
        f"{minutes[-1]:.1f}, where Gittins earns {level:.3g}"
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
