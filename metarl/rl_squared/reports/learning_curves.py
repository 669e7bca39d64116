"""Learning curves as the paper draws them: 0 is the first iteration, 1 a classical agent.

  y = (R - R_first) / (R_reference - R_first)

R is the mean return of a training's own trials; the band is one deviation over seeds.

Letters: S seeds; N points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.classical_agents import PaperTable
from metarl.reporting import Column, Curve, Table, curve_chart, write_csv
from metarl.runs import RunDirectory

Runs = Mapping[tuple[str, str], Sequence[RunDirectory]]  # by column and cell, one for each seed


class LearningCurve(NamedTuple):
    """How the trainings of one cell went."""

    iterations: np.ndarray  # [N]
    mean: np.ndarray  # [N] over seeds, normalised
    deviation: np.ndarray  # [N]


def learning_curve(runs: Sequence[RunDirectory], reference: float) -> LearningCurve | None:
    """Returns the normalised curve of some seeds, or None if there is nothing to draw.

    Args:
      runs: one for each seed, with the same settings.
      reference: the return that is 1.
    """
    logs = [_log(run) for run in runs]
    if any(len(iterations) == 0 for iterations, _ in logs):
        return None
    shortest = min((iterations for iterations, _ in logs), key=lambda x: x[-1])
    returns = np.stack([np.interp(shortest, *log) for log in logs])  # [S, N]
    first = float(np.mean(returns[:, 0]))
    if reference <= first:
        return None
    normalised = (returns - first) / (reference - first)
    spread = normalised.std(axis=0, ddof=1) if len(logs) > 1 else np.zeros(len(shortest))
    return LearningCurve(shortest, normalised.mean(axis=0), spread)


def write_curves(
    place: Path,
    name: str,
    table: PaperTable,
    runs: Runs,
    ones: Mapping[str, float],
    reference: str,
) -> list[Path]:
    """Writes one chart for each number of episodes, and all curves as CSV.

    Args:
      place: the directory.
      name: of the figure; files begin with it.
      table: whose cells these are.
      runs: the trainings.
      ones: by cell, the return of the reference.
      reference: its heading.

    Returns:
      The paths.
    """
    curves = {key: learning_curve(seeds, ones[key[1]]) for key, seeds in runs.items()}
    drawn = {key: curve for key, curve in curves.items() if curve is not None}
    files = [write_csv(place / f"{name}-curves.csv", _table(name, drawn))] if drawn else []
    panels: dict[int, dict[tuple[str, str], LearningCurve]] = {}
    for key, curve in drawn.items():
        panels.setdefault(table.cells[key[1]]["episodes"], {})[key] = curve
    for episodes, panel in panels.items():
        drawing = curve_chart(
            [_drawn(key, curve) for key, curve in panel.items()],
            "iterations",
            f"return, 0: first iteration, 1: {reference}",
            description=f"Learning curves of {episodes} episodes, normalised by {reference}.",
        )
        files.append(drawing.write_svg(place / f"{name}-{episodes}.svg"))
        files.append(drawing.write_png(place / f"{name}-{episodes}.png"))
    return files


def _log(run: RunDirectory) -> tuple[np.ndarray, np.ndarray]:
    """Returns iterations of reinforcement, and the mean return in each chunk of them."""
    rows: list[dict[str, Any]] = run.metrics.rows()
    imitated = max((row["position"] for row in rows if row["phase"] == "imitation"), default=0)
    rows = [row for row in rows if row["phase"] != "imitation"]
    steps = np.array([row["position"] - imitated for row in rows], dtype=float)
    return steps / run.config["batch_steps"], np.array([row["return"] for row in rows], dtype=float)


def _drawn(key: tuple[str, str], curve: LearningCurve) -> Curve:
    heading, cell = key
    low, high = curve.mean - curve.deviation, curve.mean + curve.deviation
    return Curve(f"{heading}, {cell}", curve.iterations, curve.mean, low, high)


def _table(name: str, curves: Mapping[tuple[str, str], LearningCurve]) -> Table:
    columns = [Column(c) for c in ("column", "cell", "iterations", "mean", "deviation")]
    rows = [
        {"column": heading, "cell": cell, "iterations": x, "mean": y, "deviation": s}
        for (heading, cell), curve in curves.items()
        for x, y, s in zip(*curve, strict=True)
    ]
    return Table(name, columns, rows)
