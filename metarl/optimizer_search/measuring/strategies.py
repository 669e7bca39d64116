"""strategies: which way of searching finds the better rule, by hundreds of searches on tables of rules.

Search i of every strategy has the same key, sees the same replicates of the table and is measured on the same others,
so strategies are compared search by search (`table_searches`).

Intervals are 95 %: Student's t for means and paired differences over searches, the bootstrap of searches for ratios.
They say how sure a table's answer is, not how it would be on another table.
"""

from __future__ import annotations

from typing import Any

from metarl.errors import require
from metarl.runs import Progress, SilentProgress

from .. import strategies
from ..settings.config import SearchConfig, to_dict
from ..settings.strategies_config import RANDOM, StrategiesConfig
from ..tables import RuleTable, load_table, table_names
from .replay import near_rules
from .table_searches import Found, TableSearches, curve, mean_to_json, search_settings, summary
from .views import TableViews

_LEAST_BUDGET, _SHARE = 32, 1 / 8  # of the rules of a table, if no budget is asked for


def measure_strategies(
    config: StrategiesConfig, progress: Progress | None = None
) -> dict[str, Any]:
    """Returns the document of `metarl bench strategies`.

    Args:
      config: the tables, the strategies, how many searches, and their budget.
      progress: where progress is shown; nowhere if None.

    Returns:
      "seed", and under "tables" for each: "rules", "filters" (where a table ends at a size, larger rules are filtered),
      "judges", "held_out", "replicates", "budget", "best" (rule and true score), and under "strategies" a row for each,
      under "curves" the true scores by rules trained. All but the seconds are the same whenever the same is asked.

    Raises:
      InvalidInput: an unknown table or strategy, a budget beyond a table, a user's strategy that breaks its contract.
    """
    progress = progress or SilentProgress()
    found = [load_table(name) for name in config.table or table_names()]
    tables = [  # one may be named twice, sign-2 and sign-2-size-6
        table for table in dict.fromkeys(found) if config.table or table.max_size is None
    ]
    require(
        len(tables) > 0,
        "No tables of rules are here; `metarl table` makes one, --table takes its folder.",
    )
    for table in tables:
        size, budget = len(table.tokens), config.budget or 0
        require(
            budget <= size,
            f"--budget {budget:,} is more than table {table.name!r} has: it holds {size:,} rules, and a search cannot "
            "train one twice.",
        )
    contests = [_Contest(table, config) for table in tables]  # all names are looked up first
    return {
        "seed": config.seed,
        "tables": {contest.table.name: contest.document(progress) for contest in contests},
    }


class _Contest:
    """The strategies on one table."""

    def __init__(self, table: RuleTable, config: StrategiesConfig):
        self.table, self.config = table, config
        self.size = len(table.tokens)
        least = max(_LEAST_BUDGET, round(_SHARE * self.size))
        self.budget = config.budget or min(self.size, least)
        self.search_config = search_settings(table, self.budget)
        self.makers = {
            name: strategies.make(name, table.grammar, self.search_config)
            for name in config.strategies
        }

    def document(self, progress: Progress) -> dict[str, Any]:
        views = TableViews(self.table)
        found = self._searched(views, progress)
        random = found[RANDOM]
        return {
            "rules": self.size,
            "space": self.table.space,
            "depth": self.table.depth,
            "max_size": self.table.max_size,
            "filters": to_dict(self.search_config.filters),
            "judges": [judge.name for judge in views.judges],
            "held_out": [judge.name for judge in views.held_out],
            "replicates": views.shares(),
            "budget": self.budget,
            "batch_size": self.search_config.batch_size,
            "best_true_score": mean_to_json(random.best),
            "strategies": [
                summary(name, one, random, self.budget, self.table, is_random=name == RANDOM)
                for name, one in found.items()
            ],
            "curves": {name: curve(one) for name, one in found.items()},
        }

    def _searched(self, views: TableViews, progress: Progress) -> dict[str, Found]:
        """Runs all searches, one strategy after the other."""
        config = self.config
        searches = TableSearches(
            self.table, views, near_rules(self.table), self.budget, config.seed
        )
        total, done = sum(config.searches_of(name) for name in self.makers), 0
        found = {}

        def told() -> None:
            nonlocal done
            done += 1
            progress.report(done, total, name)

        progress.begin(self.table.name, "searches")
        try:
            for name, strategy in self.makers.items():
                beyond = name == RANDOM
                # what learns nothing needs no small generations
                batch = SearchConfig().batch_size if beyond else self.search_config.batch_size
                numbers = range(config.searches_of(name))
                found[name] = searches.many(strategy, numbers, batch, beyond=beyond, told=told)
        finally:
            progress.end()
        return found
