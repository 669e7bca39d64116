"""Tables: rows of plain values that know how to be read, as text, CSV and JSON.

A cell holds a text, a number, None (nothing to report), a boolean, or an interval (anything with
`estimate`, `low` and `high`). What a cell looks like is decided once, by `cell_text`, for terminals
and pages alike; CSV and JSON hold the values themselves. A difference is called "better" or "worse"
in words where its interval excludes zero, so that no colour is needed to see it. `to_json` takes a
table as it takes any dataclass.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from metarl.errors import require

from .files import write_file
from .numerals import IntervalLike, interval_text, number_text

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """One column: where its values are, and how they are read."""

    name: str
    """The key of its values in a row; its name in CSV and JSON."""
    heading: str = ""
    """What people read above it, with the unit; the name if empty."""
    better: Literal["lower", "higher"] | None = None
    """For differences: the side of `neutral` that wins. Cells then say "better" or "worse"."""
    neutral: float = 0.0
    """What a difference is where neither side wins; 1 for ratios."""
    digits: int = 3
    """Significant digits of plain numbers."""
    essential: bool = True
    """False: left out where a terminal is too narrow, and said so below the table."""
    whole: bool = False
    """True: a text that is never folded, such as a name that is to be typed."""

    @property
    def title(self) -> str:
        return self.heading or self.name


@dataclass(frozen=True)
class Table:
    """A titled table: columns, rows by column name, and notes below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    highlighted: Sequence[int] = ()
    """Indices of the rows to point out, such as the winner's."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        require(len(set(names)) == len(names), f"Columns of a table have distinct names: {names}.")
        strangers = {name for row in self.rows for name in row} - set(names)
        require(
            not strangers, f"Rows hold values of no column: {sorted(strangers)}; known: {names}."
        )


class Cell(str):
    """The text of a cell, and what a renderer may want to set apart in it."""

    bounds: str = ""
    """The interval's bounds, a part of the text."""
    verdict: str = ""
    """The word better or worse, with which the text ends, or nothing."""


def cell_text(column: Column, value: Any) -> Cell:
    """Returns what people read in a cell.

    Args:
      column: the column it stands in.
      value: a text, number, boolean, None or interval.

    Returns:
      The text: a dash for None, `estimate [low, high]` for an interval, with a verdict in a column
      of differences.
    """
    if value is None:
        return Cell(NOTHING)
    if isinstance(value, str):
        return Cell(value)
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if not isinstance(value, IntervalLike):
        return Cell(number_text(value, column.digits))
    estimate, bounds = interval_text(value)
    verdict = _verdict(column, value)
    cell = Cell(" ".join(part for part in (estimate, bounds, verdict) if part))
    cell.bounds, cell.verdict = bounds, verdict
    return cell


def _verdict(column: Column, difference: IntervalLike) -> str:
    """Returns "better" or "worse" where the interval of a difference excludes what is neutral."""
    if column.better is None or difference.low <= column.neutral <= difference.high:
        return ""
    return "better" if (difference.high < column.neutral) == (column.better == "lower") else "worse"


def is_numeric(table: Table, column: Column) -> bool:
    """Returns whether a column holds numbers or intervals, which are aligned on the right."""
    values = [row.get(column.name) for row in table.rows]
    return any(not isinstance(value, str | bool | None) for value in values)


def to_csv(table: Table) -> str:
    """Returns the table as CSV: one header line of column names, full precision, empty for None.

    A column that holds intervals takes three: NAME, NAME_low and NAME_high. Infinities are written
    as inf.
    """
    spread = {
        column.name: any(isinstance(row.get(column.name), IntervalLike) for row in table.rows)
        for column in table.columns
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = [_csv_names(column.name, spread[column.name]) for column in table.columns]
    writer.writerow([name for names in header for name in names])
    for row in table.rows:
        cells = [_csv_values(row.get(c.name), spread[c.name]) for c in table.columns]
        writer.writerow([value for values in cells for value in values])
    return text.getvalue()


def write_csv(path: str | os.PathLike[str], table: Table) -> Path:
    """Writes `to_csv(table)` as one whole file; returns the path."""
    return write_file(path, to_csv(table))


def to_markdown(table: Table) -> str:
    """Returns the table in Markdown, its title as a heading, its notes below; as people read it."""
    columns = table.columns
    rules = ["---:" if is_numeric(table, column) else "---" for column in columns]
    rows = [[cell_text(column, row.get(column.name)) for column in columns] for row in table.rows]
    lines = [[column.title for column in columns], rules, *rows]
    grid = "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )
    notes = "".join(f"\n{note}\n" for note in table.notes)
    return f"### {table.title}\n\n{grid}{notes}"


def _csv_names(name: str, interval: bool) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"] if interval else [name]


def _csv_values(value: Any, interval: bool) -> list[Any]:
    if isinstance(value, IntervalLike):
        return [float(value.estimate), float(value.low), float(value.high)]
    return [value, None, None] if interval else [value]
