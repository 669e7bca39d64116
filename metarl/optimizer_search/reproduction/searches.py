"""searches: whole searches as parts of an experiment, each in a run directory within the experiment's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metarl.runs import RunDirectory, drive

from ..config import SearchConfig, to_dict
from ..search_job import SearchJob, SearchState, describe
from .work import Work

_SEARCHES = "searches"
_CHECKPOINT_SECONDS = 20.0
Rows = Sequence[Mapping[str, Any]]


def run_search(work: Work, name: str, config: SearchConfig) -> tuple[SearchJob, SearchState]:
    """Searches, or goes on with a search, or reads the end of one that is finished.

    Args:
      work: whose part it is.
      name: of its directory.
      config: its settings, with a budget of rules.

    Raises:
      KeyboardInterrupt: a signal came; the same call goes on.
    """
    job = SearchJob(config.validate())
    run = _directory(work, name, config)
    try:
        state, outcome = drive(
            job,
            run,
            work.progress,
            checkpoint_seconds=_CHECKPOINT_SECONDS,
            unit="rules",
            describe=describe,
            owner=work.run,
        )
    finally:
        job.close()
    if outcome == "interrupted":
        raise KeyboardInterrupt
    return job, state


def search_rows(work: Work, name: str) -> Rows:
    """Returns the metric log of a search, one row a generation."""
    return RunDirectory.open(work.run.path / _SEARCHES / name).metrics.rows()


def column(rows: Rows, name: str) -> np.ndarray:
    """Returns numbers [N] of a metric log, NaN where a generation has none."""
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=float)


def at_positions(positions: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the value that a curve has at each position: that of the last point at or before it, NaN before all.

    Args:
      positions: [M] rising.
      x: [N] where the curve was measured, rising.
      y: [N] what it was there.
    """
    place = np.searchsorted(x, positions, side="right") - 1
    return np.where(place < 0, np.nan, y[np.maximum(place, 0)])


def _directory(work: Work, name: str, config: SearchConfig) -> RunDirectory:
    place = work.run.path / _SEARCHES / name
    if (place / "run.json").exists():
        return RunDirectory.open(place)
    return RunDirectory.create(place, "search", to_dict(config), work.run.provenance["command"])
