"""table speed: what a whole search on a table of rules costs, strategy, journal, checkpoints and choice included.

The search is that of `metarl search --evaluator table:NAME`, in a folder that is deleted afterwards. A strategy's first
search in a process traces and compiles, and lays out what the functions of the table do on the probes; it is told
apart. Of the others, which have seeds of their own, medians count. Importing is in none.

Processor time is that of all threads. Where other programs run on the same cores it grows, though less than the
clock's.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metarl.reporting import Column, Table
from metarl.runs import SilentProgress

from ..running.table_search import search_table
from ..settings.config import SearchConfig
from ..settings.strategies_config import StrategiesConfig
from ..tables import RuleTable, load_table

BUDGET = 1_500
_TABLE = "deterministic-1"


def measure_table_search(
    config: StrategiesConfig, repeats: int, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Returns the document of `metarl bench table`.

    Args:
      config: the table, the strategies, the budget, and the seed of the first search; `deterministic-1`, and 1,500
        rules or all of a smaller table, if not given.
      repeats: searches of each strategy after the first.
      say: told what is measured next.

    Returns:
      "table", "judges", "budget", "repeats", and under "searches" for each strategy medians: "processor_seconds" and
      "seconds", "rules_trained", "rules_proposed", and "first_processor_seconds" of the search that compiles.

    Raises:
      InvalidInput: an unknown table or strategy, or a budget beyond the table.
    """
    found: dict[str, dict[str, float]] = {}
    place = (config.table or (_TABLE,))[0]
    table = load_table(place)
    budget = config.budget or min(BUDGET, len(table.tokens))
    problems = _problems(table)
    for name in config.strategies:
        say(f"{name}: {1 + repeats} searches of {budget:,} rules of {table.name}")
        rows = [
            _one(place, problems, name, budget, config.seed + number)
            for number in range(1 + repeats)
        ]
        first, rest = rows[0], rows[1:]
        found[name] = {
            **{key: statistics.median(row[key] for row in rest) for key in first},
            "first_processor_seconds": first["processor_seconds"],
        }
    return {
        "table": table.name,
        "judges": list(problems),
        "budget": budget,
        "repeats": repeats,
        "searches": found,
    }


def table_speed_table(document: dict[str, Any]) -> Table:
    """Returns one row a strategy."""
    columns = [
        Column("strategy"),
        Column("processor_seconds", "processor seconds"),
        Column("seconds", "by the clock"),
        Column("first_processor_seconds", "the first, which compiles"),
        Column("rules_trained", "rules trained"),
        Column("rules_proposed", "proposed"),
    ]
    rows = [
        {
            "strategy": name,
            **{
                key: round(value, 2) if "seconds" in key else round(value)
                for key, value in row.items()
            },
        }
        for name, row in document["searches"].items()
    ]
    notes = [
        "A search on a table, the strategy's own work, journal, checkpoints and choice included, importing not; "
        f"medians of {document['repeats']} after the first of each strategy."
    ]
    title = f"{document['table']}: searches of {document['budget']:,} rules by {', '.join(document['judges'])}"
    return Table(title, columns, rows, notes)


def _one(
    place: str, problems: tuple[str, ...], strategy: str, budget: int, seed: int
) -> dict[str, float]:
    """Searches once, and returns what it took."""
    table = load_table(place)
    config = SearchConfig(
        problem=problems,
        strategy=strategy,
        space=table.space,
        depth=table.depth,
        filters=table.filters,
        budget=budget,
        seed=seed,
        table=place,
    )
    with tempfile.TemporaryDirectory() as folder:
        began, clock = time.process_time(), time.perf_counter()
        document = search_table(config, Path(folder) / "search", progress=SilentProgress())
        return {
            "processor_seconds": time.process_time() - began,
            "seconds": time.perf_counter() - clock,
            "rules_trained": document["rules_trained"],
            "rules_proposed": document["rules_sampled"],
        }


def _problems(table: RuleTable) -> tuple[str, ...]:
    """Returns the search problems of a table that it has at their usual steps."""
    return tuple(
        judge.name
        for judge in table.judges
        if judge.role == "search" and judge.name == judge.problem
    )
