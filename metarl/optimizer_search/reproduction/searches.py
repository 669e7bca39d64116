"""searches: whole searches as parts of an experiment, each in a run directory within the experiment's own.

Letters: S searches, N generations, M positions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.reporting import Curve
from metarl.runs import RunDirectory
from metarl.statistics import Interval, Mean, bootstrap_interval

from ..reports.figures import Rows
from ..searching.search_job import SearchJob, drive_search
from ..searching.search_state import SearchState
from ..settings.config import SearchConfig, to_dict
from .compared import interval_curve
from .work import Work

_SEARCHES = "searches"
Log = dict[str, np.ndarray]  # columns of a metric log by name, [N] each


def run_search(
    work: Work, name: str, config: SearchConfig, twin: SearchJob | None = None
) -> tuple[SearchJob, SearchState]:
    """Searches, or goes on with a search, or reads the end of one that is finished.

    Args:
      work: whose part it is.
      name: of its directory.
      config: its settings, with a budget of rules.
      twin: a search that judges rules in the same way, whose compiled programs are taken over.

    Raises:
      KeyboardInterrupt: a signal came; the same call goes on.
    """
    job = SearchJob(config.validate())
    if twin is not None:
        job.programs.share(twin.programs)
    run = _directory(work, name, config)
    return job, drive_search(job, run, work.progress, owner=work.run)


def search_rows(work: Work, name: str) -> Rows:
    """Returns the metric log of a search, one row a generation."""
    return RunDirectory.open(search_directory(work, name)).metrics.rows()


def search_directory(work: Work, name: str) -> Path:
    """Returns where a search lies."""
    return work.run.path / _SEARCHES / name


def at_positions(positions: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the value that a curve has at each position: that of the last point at or before it, NaN before all.

    Args:
      positions: [M] rising.
      x: [N] where the curve was measured, rising.
      y: [N] what it was there.
    """
    place = np.searchsorted(x, positions, side="right") - 1
    return np.where(place < 0, np.nan, y[np.maximum(place, 0)])


def window_means(runs: Sequence[Log], by: str, name: str, edges: np.ndarray) -> np.ndarray:
    """Returns the mean of a column over the rules trained in each window of another, [S, M].

    Args:
      runs: the logs of S searches, with "trained" and both columns.
      by: the column that windows are made of, such as "sampled"; rising.
      name: of the column that is averaged.
      edges: [M + 1] of the windows; a generation counts at its end.

    Returns:
      Means weighted by the rules that each generation trained; NaN where none was.
    """
    found = np.full((len(runs), len(edges) - 1), np.nan)
    for row, run in enumerate(runs):
        weights = np.diff(run["trained"], prepend=0.0)
        good = (weights > 0) & np.isfinite(run[name])
        for place, (low, high) in enumerate(itertools.pairwise(edges)):
            inside = good & (run[by] > low) & (run[by] <= high)
            if inside.any():
                found[row, place] = np.average(run[name][inside], weights=weights[inside])
    return found


def over_searches(values: np.ndarray) -> Interval | None:
    """Returns the interquartile mean with its 95 % interval, [S]; None if a search has no value."""
    if len(values) == 0 or np.isnan(values).any():
        return None
    return bootstrap_interval(values)


def search_curve(label: str, positions: np.ndarray, values: np.ndarray) -> Curve:
    """Returns the IQM over searches with its interval, where every search has a value; values [S, M]."""
    return interval_curve(label, positions, values)


def slope_weights(x: np.ndarray) -> np.ndarray:
    """Returns w for which the least-squares line through y over x rises by y · w, [M]."""
    return (x - x.mean()) / ((x - x.mean()) ** 2).sum()


def bounded(value: Any) -> Any:
    """Returns an interval as a number alone where it has no bounds, for being one of fewer than eight searches."""
    free = isinstance(value, Mean | Interval) and not np.isfinite(value.low)
    return value.estimate if free else value


def signed(interval: Mean | Interval) -> str:
    """Returns what was estimated over searches with its sign, and its interval if it has one."""
    if not np.isfinite(interval.low):
        return f"{interval.estimate:+.3f} (of fewer than eight searches there is no interval)"
    return f"{interval.estimate:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _directory(work: Work, name: str, config: SearchConfig) -> RunDirectory:
    place = search_directory(work, name)
    if (place / "run.json").exists():
        return RunDirectory.open(place)
    return RunDirectory.create(place, "search", to_dict(config), work.run.provenance["command"])
