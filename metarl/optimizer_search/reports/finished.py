"""finished: all that the files of a finished search say, read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from metarl.errors import require
from metarl.runs import RunDirectory, no_result_yet, telling_of_damage

from ..settings.config import SearchConfig, from_dict
from .chart import Chart
from .figures import problem_charts, search_charts
from .result import SearchResult

RANDOM_RUN = "random-search"


class Finished(NamedTuple):
    """All that a report is made of."""

    run: RunDirectory
    config: SearchConfig
    result: SearchResult
    rows: list[dict[str, Any]]  # of the metric log
    random_rows: list[dict[str, Any]]  # of random search; empty if it did not run

    @property
    def finalists(self) -> list[str]:
        """The rules by rank."""
        return [choice.rule for choice in self.result.best]

    @property
    def searched(self) -> list[str]:
        """The problems that rules were searched on; a comparison has them before the held-out ones."""
        return list(self.result.comparison)[: len(set(self.config.problem))]

    @property
    def ranking(self) -> set[str]:
        """The further problems that ranked the finalists (`final.funnel`)."""
        stages = self.result.selection.get("stages", [])
        judges = [name for s in stages if s["name"] == "larger problems" for name in s["judged_by"]]
        return {name.split(" x")[0] for name in judges}

    def search_charts(self) -> list[Chart]:
        """The charts of the search."""
        return search_charts(self.rows, self.config.strategy, self.random_rows)

    def problem_charts(self, name: str) -> list[Chart]:
        """The charts of one problem."""
        return problem_charts(name, self.result.comparison[name], self.finalists)


def read_finished(run_dir: Path) -> Finished:
    """Returns all that the files of a finished search say.

    Raises:
      InvalidInput: this is no search, it is not finished yet, or its files are damaged.
    """
    run = RunDirectory.open(run_dir)
    require(
        run.job == "search",
        f"Run {str(run.path)!r} is {run.described}, not a search; there is no report for it.",
    )
    with telling_of_damage(run):
        result = SearchResult.read(run.path)
    if result is None:
        raise no_result_yet(run)
    config = from_dict(SearchConfig, run.config, str(run.path / "config.json"))
    beside = run.path / RANDOM_RUN
    random_rows = RunDirectory.open(beside).metrics.rows() if beside.exists() else []
    return Finished(run, config, result, run.metrics.rows(), random_rows)
