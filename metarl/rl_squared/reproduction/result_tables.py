"""Tables of a reproduction: the paper's number, ours with its interval, and the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from metarl.reporting import Column, Table, number_text, to_markdown, write_csv, write_file
from metarl.statistics import Interval

from ..reports.tables import read_mean

_COLUMNS = (
    Column("column"),
    Column("paper", "the paper's", digits=5),
    Column("ours", "ours"),
    Column("difference"),
    Column("within", "within noise", essential=False),
    Column("agent", essential=False),
)
_OF_SEVERAL = (
    Column("trainings", essential=False),
    Column("over_trainings", "mean of trainings", essential=False),
    Column("range", "of the trainings", essential=False),
)


def cell_tables(cells: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Returns one table for each cell.

    Args:
      cells: as `reproduce` gives them, by cell and column.
    """
    return [
        Table(
            cell,
            _columns(lines.values()),
            [{"column": name, **_row(line)} for name, line in lines.items()],
            [
                "Intervals: 95 %, over test tasks; of a mean of trainings over trainings, from eight on. "
                "Within noise: the difference is at most three standard errors of both, and the paper's "
                "rounding."
            ],
        )
        for cell, lines in cells.items()
    ]


def write_tables(place: Path, name: str, cells: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Writes all cells, as `reproduce` gives them, as CSV and as Markdown; returns the paths."""
    every = [line for lines in cells.values() for line in lines.values()]
    columns = [Column("cell"), *_columns(every)]
    rows = [
        {"cell": cell, "column": column, **_row(line)}
        for cell, lines in cells.items()
        for column, line in lines.items()
    ]
    table = Table(name, columns, rows)
    markdown = write_file(place / f"{name}.md", to_markdown(table))
    return [write_csv(place / f"{name}.csv", table), markdown]


def _columns(lines: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Returns the columns, those of several trainings only where there are such."""
    return _COLUMNS + _OF_SEVERAL if any(line.get("trainings") for line in lines) else _COLUMNS


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    names = ("paper", "difference", "within", "agent")
    row = {"ours": read_mean(line["ours"]), **{name: line[name] for name in names}}
    found = line.get("trainings")
    if found is None:
        return row
    mean = found["mean"]
    if found["low"] is not None:
        mean = Interval(mean, found["low"], found["high"])
    spread = " to ".join(number_text(found[name], 4) for name in ("least", "most"))
    return {**row, "trainings": found["count"], "over_trainings": mean, "range": spread}
