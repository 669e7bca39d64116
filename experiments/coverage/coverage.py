"""How often the intervals of comparisons hold the truth, and how often a difference of nothing is called one.

    python coverage.py                       # the table in coverage.md and coverage.csv, minutes on one core

Losses of two optimizers are drawn whose ratio has an interquartile mean (of logarithms) of 1: there is no difference.
Whoever calls one better is wrong; that should happen in 5 % of data sets at the most. On one problem the logarithm of
the ratio is drawn from a law below, moved so that its own interquartile mean is 0; the mean is given beside, moved so
that it is 0, by the same bootstrap. Over problems there are three of them, of three different laws.

Letters: N runs.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metarl.reporting import Column, Table, to_markdown, write_csv, write_file
from metarl.statistics import bootstrap_interval, extended_mean, iqm, stratified_bootstrap

RUNS = (2, 3, 4, 5, 8, 10, 20, 60)
_MANY = 1_000_000


def _two_kinds(share: float) -> Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]:
    """Returns a law of which a share of the runs lies far below the others, by 20 standard deviations."""
    return lambda rng, size: (
        np.where(rng.random(size) < share, -2.0, 0.0) + 0.1 * rng.normal(size=size)
    )


LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "log-normal": lambda rng, size: rng.lognormal(size=size),
    "Student t(2)": lambda rng, size: rng.standard_t(2, size=size),
    "Cauchy": lambda rng, size: rng.standard_cauchy(size=size),
    "two kinds, 50 %": _two_kinds(0.5),
    "two kinds, 30 %": _two_kinds(0.3),
    "two kinds, 10 %": _two_kinds(0.1),
}
OVER_PROBLEMS = "three problems"
_TOGETHER = ("normal", "log-normal", "two kinds, 10 %")


@functools.cache
def centred(law: str, statistic: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Returns a law moved so that the statistic of all its numbers is 0."""
    centre = float(statistic(LAWS[law](np.random.default_rng(0), (_MANY,))))
    return lambda rng, size: LAWS[law](rng, size) - centre


def false_calls(
    law: str, runs: int, data_sets: int, statistic: Callable[..., np.ndarray] = iqm, seed: int = 1
) -> int:
    """Returns in how many data sets a difference of nothing is called one.

    Args:
      law: of `LAWS`, or `OVER_PROBLEMS`.
      runs: N, of each problem.
      data_sets: how many are drawn.
      statistic: what is compared.
      seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    draws = [centred(name, statistic) for name in (_TOGETHER if law == OVER_PROBLEMS else (law,))]
    called = 0
    for index in range(data_sets):
        strata = [draw(rng, (runs,)) for draw in draws]
        if law == OVER_PROBLEMS:
            found = stratified_bootstrap(strata, statistic, iqm, resamples=400, seed=index)
        else:
            found = bootstrap_interval(strata[0], statistic, resamples=400, seed=index)
        called += found.excludes(0.0)
    return called


def _table(data_sets: int) -> Table:
    rows = []
    for law in (*LAWS, OVER_PROBLEMS):
        row: dict[str, Any] = {"law": law}
        for runs in RUNS:
            row[f"n{runs}"] = 100 * false_calls(law, runs, data_sets) / data_sets
        rows.append(row)
    for law in ("log-normal", "two kinds, 10 %"):
        row = {"law": f"{law}, the mean"}
        for runs in RUNS:
            row[f"n{runs}"] = 100 * false_calls(law, runs, data_sets, extended_mean) / data_sets
        rows.append(row)
    columns = [Column("law"), *(Column(f"n{runs}", f"N = {runs}", digits=2) for runs in RUNS)]
    notes = [
        f"{data_sets:,} data sets a cell, 400 redraws each; nominal 5 %. With fewer than eight runs there is no "
        "interval, and nothing is called. The last lines: of the mean instead of the interquartile mean.",
    ]
    return Table("Differences of nothing that are called one, %", columns, rows, notes)


def main() -> None:
    """Writes coverage.md and coverage.csv into this folder."""
    parser = argparse.ArgumentParser(description="Simulates the coverage of metarl's intervals.")
    parser.add_argument("--data-sets", type=int, default=4_000, help="drawn for each cell")
    parser.add_argument("-o", type=Path, default=Path(__file__).parent, help="folder of the tables")
    arguments = parser.parse_args()
    table = _table(arguments.data_sets)
    print(to_markdown(table))
    write_csv(arguments.o / "coverage.csv", table)
    write_file(arguments.o / "coverage.md", to_markdown(table))


if __name__ == "__main__":
    main()
