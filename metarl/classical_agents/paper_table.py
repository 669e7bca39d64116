"""A table of a paper, reproduced: the paper's number, ours, and whether they agree, cell by cell.

Each cell is an agent in a family of tasks with a budget. Its settings are chosen from the agent's
grid on validation tasks, and what it earns is measured on test tasks; every mean that was measured
stands in a file as soon as it is known, and is not measured again. A table is data, in JSON:

    {"environment": "mdp",
     "cells": {"10": {"episodes": 10}, ...},              settings of the environment beside the budget
     "columns": {"PSRL": {"agent": "psrl", "preset": "paper", "anytime": true,
                          "paper": {"10": 138.1, ...}}, ...},
     "tasks": 10000, "paper_tasks": 1000, "validation_tasks": 1000}

A cell is within reach of the paper if |ours - paper| <= 3 sqrt(SE² + SE_paper²) + 0.05, the last
for rounding; SE_paper is ours for as many tasks as the paper had.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metarl.environments import Trial, load
from metarl.errors import require, unknown_name
from metarl.reading import MOST_SETTINGS, read_json_object

from .making import grid
from .measurements import Ledger, Measured
from .table import world_of

ROUNDING = 0.05
"""The paper prints one decimal."""


@dataclass(frozen=True)
class PaperColumn:
    """One column: an agent, and what the paper says of it.

    Attributes:
      agent: its text, with the settings that are fixed.
      preset: whose settings and grid it has, "paper" or "matched"; None for the text alone.
      paper: the paper's numbers by cell; those missing are ours alone.
      anytime: the agent does not ask how long the trial will be.
      cells: the only cells it is played in; none for all.
      validation_tasks: on which its settings are chosen; None for as many as the table says.
    """

    agent: str
    preset: str | None = "paper"
    paper: Mapping[str, float] = field(default_factory=dict)
    anytime: bool = False
    cells: Sequence[str] = ()
    validation_tasks: int | None = None


@dataclass(frozen=True)
class PaperTable:
    """What to reproduce.

    Attributes:
      environment: a name that `metarl.environments.load` takes.
      cells: by name, the settings of the environment, and the budget as "episodes".
      columns: by heading.
      tasks: of the test split.
      paper_tasks: on how many the paper's numbers are means.
      validation_tasks: on which settings are chosen.
      seed: of tasks and luck.
      chunk: tasks that are played at once.
      others: the paper's numbers for agents that are not classical, by heading and cell.
      source: where the paper's numbers are from.
    """

    environment: str
    cells: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, PaperColumn]
    tasks: int = 10_000
    paper_tasks: int = 1000
    validation_tasks: int = 1000
    seed: int = 0
    chunk: int = 500
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class PaperCell:
    """One line of the reproduced table; None where the paper has no number."""

    cell: str
    column: str
    paper: float | None
    ours: float
    standard_error: float
    low: float
    high: float
    difference: float | None
    allowed: float | None
    within: bool | None
    agent: str


def read_table(path: Path) -> PaperTable:
    """Reads a table's settings; see the module for their form.

    Raises:
      InvalidInput: it holds a name that is not a setting of a table or of a column.
    """
    settings = read_json_object(path, MOST_SETTINGS)
    columns = {
        heading: PaperColumn(**_checked(PaperColumn, column))
        for heading, column in settings.pop("columns").items()
    }
    return PaperTable(columns=columns, **_checked(PaperTable, settings))


def _checked(kind: type, settings: dict[str, Any]) -> dict[str, Any]:
    for name in settings:
        if name not in kind.__dataclass_fields__:
            raise unknown_name("setting of a table", name, kind.__dataclass_fields__)
    return settings


def reproduce_table(
    table: PaperTable,
    folder: Path,
    cells: Iterable[str] | None = None,
    report: Callable[[PaperCell], None] = lambda line: None,
) -> list[PaperCell]:
    """Measures every cell that is not yet measured, and writes the table after each.

    Args:
      table: what to reproduce.
      folder: where `measured.csv` (every mean so far, the grids' too) and `classical.csv` (the
        table) are kept; what the former holds is not measured again.
      cells: names of cells, or None for all.
      report: is shown each line of the table when it is known.

    Returns:
      The lines, in the order of columns and cells.

    Raises:
      InvalidInput: there is no such cell, or an agent cannot act in the environment.
    """
    wanted = list(table.cells) if cells is None else list(cells)
    for name in wanted:
        if name not in table.cells:
            raise unknown_name("cell", name, table.cells)
    trials = {name: trial_of(table, name) for name in wanted}
    ledger = Ledger(folder / "measured.csv", trials, table.seed, table.chunk)
    lines: list[PaperCell] = []
    for heading, column in table.columns.items():
        played = [name for name in wanted if not column.cells or name in column.cells]
        texts = _choose(table, column, played, ledger)
        for name, text in texts.items():
            same = [other for other in played if texts[other] == text] if column.anytime else ()
            ours = ledger.measure("test", name, text, table.tasks, same)
            lines.append(_line(heading, column.paper.get(name), ours, table.paper_tasks))
            report(lines[-1])
            write_cells(lines, folder / "classical.csv")
    return lines


def _choose(
    table: PaperTable, column: PaperColumn, cells: Sequence[str], ledger: Ledger
) -> dict[str, str]:
    """Returns the best text of the agent's grid for each cell, by mean on validation tasks."""
    if not cells or column.preset is None:
        return dict.fromkeys(cells, column.agent)
    texts = grid(column.agent, world_of(ledger.trials[cells[0]].environment), column.preset)
    if len(texts) == 1:
        return dict.fromkeys(cells, texts[0])
    tasks = column.validation_tasks or table.validation_tasks
    beside = cells if column.anytime else ()

    def earns(cell: str, text: str) -> float:
        return ledger.measure("validation", cell, text, tasks, beside).mean

    return {cell: max(texts, key=functools.partial(earns, cell)) for cell in cells}


def _line(heading: str, paper: float | None, ours: Measured, paper_tasks: int) -> PaperCell:
    """Holds what we measured against the paper's number."""
    reach = 1.96 * ours.standard_error
    difference = allowed = within = None
    if paper is not None:
        variance = ours.standard_error**2 * (1 + ours.tasks / paper_tasks)
        difference, allowed = ours.mean - paper, 3 * math.sqrt(variance) + ROUNDING
        within = abs(difference) <= allowed
    return PaperCell(
        cell=ours.cell,
        column=heading,
        paper=paper,
        ours=ours.mean,
        standard_error=ours.standard_error,
        low=ours.mean - reach,
        high=ours.mean + reach,
        difference=difference,
        allowed=allowed,
        within=within,
        agent=ours.agent,
    )


def trial_of(table: PaperTable, cell: str) -> Trial:
    """Returns the trial of a cell.

    Raises:
      InvalidInput: it has no budget, or the environment is unknown.
    """
    settings = dict(table.cells[cell])
    require("episodes" in settings, f"Cell {cell!r} of a table has no budget 'episodes'.")
    episodes = settings.pop("episodes")
    return Trial(load(table.environment, **settings), episodes=episodes)


def write_cells(lines: Sequence[PaperCell], path: Path) -> None:
    """Writes a reproduced table as CSV, nothing where the paper has no number."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PaperCell.__dataclass_fields__)
        for line in lines:
            writer.writerow(_written(value) for value in vars(line).values())


def _written(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    return f"{value:.3f}" if isinstance(value, float) else str(value)
