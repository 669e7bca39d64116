"""Which problems tell optimizers apart, as a table and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.reporting import Column, Table, counted, to_markdown, write_csv, write_file, write_json

from .telling_apart import FINISHED

_COLUMNS = (
    Column("problem", whole=True),
    Column("family", essential=False),
    Column("steps", essential=False),
    Column("spread", digits=2),
    Column("noise", digits=2),
    Column("ratio", "spread / noise", digits=2),
    Column("pairs", "pairs told apart"),
    Column("at_half", "fallen at half the steps", digits=2),
    Column("best", essential=False),
    Column("seconds", "seconds a run", digits=2, essential=False),
    Column("tells_apart", "tells apart"),
)


def problems_table(document: Mapping[str, Any]) -> Table:
    """Returns one row a problem, those that tell optimizers apart best first.

    Args:
      document: see `measure_problems`.
    """
    found = document["measured_problems"]
    count = len(document["optimizers"])
    rows = [
        {
            "problem": name,
            **{column.name: row[column.name] for column in _COLUMNS[1:]},
            "pairs": f"{row['pairs']} of {count * (count - 1) // 2}",
            "tells_apart": "yes" if row["tells_apart"] else "no",
        }
        for name, row in sorted(found.items(), key=lambda one: -one[1]["ratio"])
    ]
    title = (
        f"{counted(len(rows), 'problem')}, {count} optimizers tuned on {document['tuning_seeds']} seeds, "
        f"{document['seeds']} other seeds of each"
    )
    return Table(title, list(_COLUMNS), rows, _notes(document))


def write_problems(place: Path, document: Mapping[str, Any]) -> list[Path]:
    """Writes document and table into a directory, and returns the paths.

    Raises:
      OSError: it could not be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    table = problems_table(document)
    return [
        write_json(place / "problems.json", document),
        write_csv(place / "problems.csv", table),
        write_file(place / "problems.md", to_markdown(table)),
    ]


def _notes(document: Mapping[str, Any]) -> list[str]:
    return [
        f"Optimizers: {', '.join(document['optimizers'])}. Spread: difference of the logarithms of two "
        "tuned optimizers' final losses (0.1: some 10 % of the loss), the middle one of all pairs; noise: what one run "
        "on a seed that is the same for all adds to it. Pairs: whose 95 % interval of the paired difference excludes "
        "0. Fallen: the share of the fall of log loss that the best optimizer has done by then.",
        f"Tells apart: the spread is above the noise, and less than {100 * FINISHED:.0f} % has fallen at half the "
        "steps. Judged on search splits; the seconds are those of Adam in the one program of all.",
    ]
