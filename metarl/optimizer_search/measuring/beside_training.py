"""beside training: what a search takes of each strategy, and of sorting rules, beside training them.

All strategies search in turn at the settings of the preset laptop, with programs of training that are compiled once,
before. The first generation of each is left out, and compiling is. Medians are told, so that a generation that has to
wait on a busy machine counts little; where others use the machine all the time, both parts slow down alike.

What a run does between its generations, its checkpoints and its log, is in none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from metarl.reporting import Column, Table, number_text
from metarl.runs import compilation_seconds

from .. import strategies
from ..searching.search_job import SearchJob
from ..settings.config import preset
from ..settings.strategies_config import RANDOM

BUDGET = 256
FIFTH = 0.2  # of its time is the most that a search ought to spend outside training


def measure_beside_training(
    problem: str = "digits-mlp",
    names: tuple[str, ...] = (),
    budget: int | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Returns the document of `metarl bench overhead`.

    Args:
      problem: that rules are trained on.
      names: of strategies; all if none are named.
      budget: rules that each search trains; 256 if not given.
      seed: of each search.
      say: told what is measured next.

    Returns:
      "problem", "budget" and "seed", and under "overhead" for each strategy the "generations" after the first, their
      median "seconds", "strategy_seconds" (proposing and learning), "sorting_seconds" (filters and fingerprints) and
      "share" outside training; the "share_of_search", of all of them together; and "compile_seconds" of the search,
      which are in none of these.

    Raises:
      InvalidInput: an unknown problem or strategy.
    """
    budget = budget or BUDGET
    config = replace(
        preset("laptop"), problem=(problem,), strategy=RANDOM, budget=budget, seed=seed
    )
    jobs = {
        name: SearchJob(replace(config, strategy=name).validate())
        for name in dict.fromkeys(names or strategies.names())
    }
    say("compiling what trains")
    trains = SearchJob(config)
    trains.programs.prepare()
    found = {}
    for name, job in jobs.items():
        say(f"{name}: {budget:,} rules")
        job.programs.share(trains.programs)
        found[name] = _searched(job)
    trains.close()
    return {"problem": problem, "budget": budget, "seed": seed, "overhead": found}


def overhead_table(document: dict[str, Any]) -> Table:
    """Returns one row a strategy, the largest share first."""
    columns = [
        Column("strategy"),
        Column("share", "share outside training"),
        Column("share_of_search", "of the search"),
        Column("seconds", "seconds a generation"),
        Column("strategy_seconds", "of the strategy"),
        Column("sorting_seconds", "of sorting"),
        Column("generations"),
        Column("compile_seconds", "compiling"),
    ]
    found = document["overhead"]
    rows = [
        {"strategy": name, **{key: _cell(key, value) for key, value in found[name].items()}}
        for name in sorted(found, key=lambda name: -found[name]["share"])
    ]
    above = [row["strategy"] for row in rows if found[row["strategy"]]["share_of_search"] > FIFTH]
    notes = [
        "Medians of all generations but the first; of the search: of these together. Compiling is in neither.",
        f"More than a fifth of the search outside training: {', '.join(above) or 'none'}.",
    ]
    title = (
        f"{document['problem']}: what searches of {document['budget']:,} rules take beside training"
    )
    return Table(title, columns, rows, notes)


def _cell(key: str, value: float) -> Any:
    if key == "generations":
        return value
    return f"{value:.2f}" if key.startswith("share") else number_text(value)


def _searched(job: SearchJob) -> dict[str, Any]:
    """Searches, and returns what it took."""
    compiled = compilation_seconds()
    state = job.init()
    while not job.finished(state):
        state, _ = job.update(state)
    job.close()
    rows = job.time.generations

    def median(value: Callable[[dict[Any, float]], float]) -> float:
        return statistics.median(map(value, rows)) if rows else math.nan

    return {
        "generations": len(rows),
        "seconds": median(lambda row: row["whole"]),
        "strategy_seconds": median(lambda row: row["strategy"]),
        "sorting_seconds": median(lambda row: row["sorting"]),
        "share": median(lambda row: 1.0 - row["training"] / row["whole"]),
        "share_of_search": job.time.to_json().get("share_outside_training", math.nan),
        "compile_seconds": compilation_seconds() - compiled,
    }
