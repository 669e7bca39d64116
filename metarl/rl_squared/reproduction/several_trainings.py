"""Several trainings of one cell: what they earn together, where the table shows the best on validation tasks.

Trainings that a reproduction makes itself are evaluated with the best of them; of those that come with the
experiment `trainings.csv` holds a line each:

    column,cell,seed,env_steps,cpu_seconds,compile_cpu_seconds,validation_return,return,standard_error

Letters: S trainings.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.statistics import mean_interval

FILE = "trainings.csv"


def summed_up(returns: Sequence[float]) -> dict[str, Any]:
    """Returns how many trainings there are, the mean of what they earn, and their range, as JSON can hold it.

    Args:
      returns: [S] of their agents in test tasks.

    Returns:
      "count", "mean", "low", "high" (95 %, over trainings; None below eight), "least", "most".
    """
    found = mean_interval(returns)
    bounded = math.isfinite(found.low)
    return {
        "count": len(returns),
        "mean": found.mean,
        "low": found.low if bounded else None,
        "high": found.high if bounded else None,
        "least": min(returns),
        "most": max(returns),
    }


def several(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the same of the trainings of a reproduction; None of one alone.

    Args:
      document: with the "evaluation" of all of them.
    """
    scores = document["evaluation"]["agents"].values()
    return summed_up([score["return"]["mean"] for score in scores]) if len(scores) > 1 else None


def read_several(folder: Path, column: str, cell: str) -> dict[str, Any] | None:
    """Returns the same of the trainings that come with an experiment; None of one alone, or where there are none.

    Args:
      folder: of the experiment.
      column: its heading, without marks.
      cell: its name.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    with path.open(encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file) if (row["column"], row["cell"]) == (column, cell)
        ]
    return summed_up([float(row["return"]) for row in rows]) if len(rows) > 1 else None
