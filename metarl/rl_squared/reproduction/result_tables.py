"""Tables of a reproduction: the paper's number, ours with its interval, and the difference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.reporting import Column, Table, to_markdown, write_csv, write_file

from ..reports.tables import read_mean

_COLUMNS = (
    Column("column"),
    Column("paper", "the paper's", digits=5),
    Column("ours", "ours"),
    Column("difference"),
    Column("within", "within noise", essential=False),
    Column("agent", essential=False),
)


def cell_tables(cells: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Returns one table for each cell.

    Args:
      cells: as `reproduce` gives them, by cell and column.
    """
    notes = [
        "Intervals: 95 %, over test tasks. Within noise: the difference is at most three standard "
        "errors of both, and the paper's rounding."
    ]
    return [
        Table(
            cell, _COLUMNS, [{"column": name, **_row(line)} for name, line in lines.items()], notes
        )
        for cell, lines in cells.items()
    ]


def write_tables(place: Path, name: str, cells: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Writes all cells, as `reproduce` gives them, as CSV and as Markdown; returns the paths."""
    columns = [Column("cell"), *_COLUMNS]
    rows = [
        {"cell": cell, "column": column, **_row(line)}
        for cell, lines in cells.items()
        for column, line in lines.items()
    ]
    table = Table(name, columns, rows)
    markdown = write_file(place / f"{name}.md", to_markdown(table))
    return [write_csv(place / f"{name}.csv", table), markdown]


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "paper": line["paper"],
        "ours": read_mean(line["ours"]),
        "difference": line["difference"],
        "within": line["within"],
        "agent": line["agent"],
    }
