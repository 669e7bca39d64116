"""Lines of a table: what the paper has in a cell, what we have, and whether they agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from metarl.classical_agents import PaperCell, PaperTable

ROUNDING = 0.05  # the paper prints one decimal
WARM_START = "warm start"


def learnt_line(
    cell: str,
    heading: str,
    paper: float | None,
    score: Mapping[str, float],
    document: Mapping[str, Any],
    table: PaperTable,
) -> PaperCell:
    """Returns the line of a trained agent; it is within the paper's reach as a classical one is."""
    error = score["standard_error"]
    difference = allowed = within = None
    if paper is not None:
        tasks = document["evaluation"]["tasks"]
        difference = score["mean"] - paper
        allowed = 3 * error * math.sqrt(1 + tasks / table.paper_tasks) + ROUNDING
        within = abs(difference) <= allowed
    teacher, distilled, variate, inputs = (
        document["evaluation"].get(mark, {}).get(document["agent"])
        for mark in ("warm_started", "distilled", "control_variates", "inputs")
    )
    return PaperCell(
        cell=cell,
        column=_marked(heading, teacher)
        + (f", {distilled}" if distilled else "")
        + (f", control variate: {variate}" if variate else "")
        + (f", inputs: {inputs}" if inputs else ""),
        paper=paper,
        ours=score["mean"],
        standard_error=error,
        low=score["low"],
        high=score["high"],
        difference=difference,
        allowed=allowed,
        within=within,
        agent=document["agent"],
    )


def _marked(heading: str, teacher: str | None) -> str:
    """Returns the heading of a column, which tells whom its agents imitated first."""
    if teacher is None:
        return heading
    told = f"{WARM_START}: {teacher}"
    return heading.replace(WARM_START, told) if WARM_START in heading else f"{heading}, {told}"


def by_cell(
    lines: Sequence[PaperCell], trainings: Mapping[tuple[str, str], Any]
) -> dict[str, dict[str, Any]]:
    """Returns the lines as JSON can hold them, by cell and column.

    Args:
      lines: classical agents and trained ones.
      trainings: by cell and column, what several trainings earn together.
    """
    cells: dict[str, dict[str, Any]] = {}
    for line in lines:
        ours = {
            "mean": line.ours,
            "standard_error": line.standard_error,
            "low": line.low,
            "high": line.high,
        }
        rest = {name: getattr(line, name) for name in ("difference", "allowed", "within", "agent")}
        rest["trainings"] = trainings.get((line.cell, line.column))
        cells.setdefault(line.cell, {})[line.column] = {"paper": line.paper, "ours": ours, **rest}
    return cells
