"""strategies: which way of searching finds the better rule, by hundreds of searches on tables of rules.

Search i of every strategy has the same key, sees the same replicates of the table and is measured on the same others,
so strategies are compared search by search. What a search is worth is the true score of the one rule that it would hand
over, by its own choice stage, at each of M numbers of rules trained.

Random search goes on beyond the budget, so that it can be said how many rules it needs for what another finds within
it: its mean curve is made to rise (isotonic regression), and read where it reaches the other's mean. Where it has a
flat piece there, the middle of that is taken, and the number is divided by the one that is read for random search
itself.

Intervals are 95 %: Student's t for means and paired differences over searches, the bootstrap of searches for ratios.
They say how sure a table's answer is, not how it would be on another table.

Letters: n searches, M marks, K rules of a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from scipy.optimize import isotonic_regression

from metarl.errors import require
from metarl.runs import Progress, SilentProgress
from metarl.statistics import (
    Interval,
    bootstrap_interval,
    interval_to_json,
    mean_interval,
    share_interval,
)

from .. import strategies
from ..judging.rewards import FLOOR
from ..settings.config import EvolutionConfig, SearchConfig
from ..settings.strategies_config import RANDOM, StrategiesConfig
from ..tables import RuleTable, load_table, table_names
from .replay import Handover, near_rules, replay
from .views import Draw, TableViews, View, draw_replicates

TOP_SHARE = 0.01  # of the rules of a table, by their true score
_FIRST_MARK, _MARKS_A_DOUBLING = 8, 2
_LEAST_BUDGET, _SHARE = 32, 1 / 8  # of the rules of a table, if no budget is asked for
_BEYOND, _MOST = (
    4,
    3 / 4,
)  # times the budget that random search goes on to; the share of a table that it ends at
_GENERATIONS = (
    8  # at least, in a search of rules that are all new; else there is nothing to learn from
)
_LEAST_BATCH, _LEAST_POPULATION = 8, 8


def measure_strategies(
    config: StrategiesConfig, progress: Progress | None = None
) -> dict[str, Any]:
    """Returns the document of `metarl bench strategies`.

    Args:
      config: the tables, the strategies, how many searches, and their budget.
      progress: where progress is shown; nowhere if None.

    Returns:
      "seed", and under "tables" for each: "rules", "judges", "held_out", "replicates", "budget", "best" (rule and true
      score), and under "strategies" a row for each, under "curves" the true scores by rules trained. All but the
      seconds are the same whenever the same is asked.

    Raises:
      InvalidInput: an unknown table or strategy, a budget beyond a table, a user's strategy that breaks its contract.
    """
    progress = progress or SilentProgress()
    tables = [load_table(name) for name in config.table or table_names()]
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
        found = self._searched(progress)
        random = found[RANDOM]
        views = self._views
        return {
            "rules": self.size,
            "space": self.table.space,
            "depth": self.table.depth,
            "judges": [judge.name for judge in views.judges],
            "held_out": [judge.name for judge in views.held_out],
            "replicates": {name: len(part) for name, part in self._draw(0)._asdict().items()},
            "budget": self.budget,
            "batch_size": self.search_config.batch_size,
            "best_true_score": _mean([search.best for search in random.searches]),
            "strategies": [self._row(name, one, random) for name, one in found.items()],
            "curves": {name: self._curve(one) for name, one in found.items()},
        }

    def _searched(self, progress: Progress) -> dict[str, _Found]:
        """Runs all searches; those of one number beside each other, so that they share what they see."""
        self._views = TableViews(self.table)
        handover = Handover(near_rules(self.table), self.search_config.final.candidates)
        found = {name: _Found(self._marks(name)) for name in self.makers}
        counts = {name: self.config.searches_of(name) for name in self.makers}
        total, done = sum(counts.values()), 0
        progress.begin(self.table.name, "searches")
        try:
            for number in range(max(counts.values())):
                view = self._views.view(self._draw(number))
                for name, one in found.items():
                    if number < counts[name]:
                        one.searches.append(self._one(name, number, one.marks, view, handover))
                        done += 1
                        progress.report(done, total, name)
        finally:
            progress.end()
        return found

    def _one(
        self, name: str, number: int, marks: np.ndarray, view: View, handover: Handover
    ) -> _Search:
        key = jax.random.fold_in(jax.random.key(self.config.seed), number)
        # what learns nothing needs no small generations
        batch_size = SearchConfig().batch_size if name == RANDOM else self.search_config.batch_size
        run = replay(
            self.makers[name],
            key,
            self.table.place_of,
            view.rewards,
            int(marks[-1]),
            batch_size,
        )
        chosen = np.array([handover.place(run.trained[:mark], view) for mark in marks])  # [M]
        steps = np.concatenate([[0], np.cumsum(view.steps[run.trained])])
        ends = min(self.budget, len(run.trained))  # random search goes on
        last = chosen[np.searchsorted(marks, self.budget)]
        top = np.sort(view.truth)[-max(1, round(TOP_SHARE * self.size))]
        elsewhere = None if view.elsewhere is None else _scored(view.elsewhere, last)
        return _Search(
            chosen,
            _scored(view.truth, chosen),
            steps[np.minimum(marks, len(run.trained))],
            float(view.truth.max()),
            bool(last >= 0 and view.truth[last] >= top),
            elsewhere,
            ends,
            int(run.sampled[ends - 1]) if ends else 0,
            float(run.seconds[ends - 1]) if ends else 0.0,
        )

    def _row(self, name: str, found: _Found, random: _Found) -> dict[str, Any]:
        at = int(np.searchsorted(found.marks, self.budget))
        scores, searches = found.scores[:, at], found.searches
        count = len(searches)
        others = random.scores[:count, int(np.searchsorted(random.marks, self.budget))]
        held = [search.elsewhere for search in searches if search.elsewhere is not None]
        is_random = name == RANDOM
        return {
            "strategy": name,
            "searches": count,
            "true_score": _mean(scores),
            "difference_to_random": None if is_random else _mean(scores - others),
            "regret": _mean(
                [search.best - score for search, score in zip(searches, scores, strict=True)]
            ),
            "in_top_percent": interval_to_json(
                share_interval([search.in_top for search in searches]), "share"
            ),
            "rules_random_needs": None
            if is_random
            else interval_to_json(self._rules_ratio(scores, random), "ratio"),
            "elsewhere": _mean(held) if held else None,
            "trained": float(np.mean([search.trained for search in searches])),
            "sampled": float(np.mean([search.sampled for search in searches])),
            "steps": float(found.steps[:, at].mean()),
            "seconds": float(np.median([search.seconds for search in searches])),
            "handed_over": self._handed_over([int(search.chosen[at]) for search in searches]),
        }

    def _rules_ratio(self, scores: np.ndarray, random: _Found) -> Interval:
        """Returns how many rules random search needs for the same, over how many it was given."""
        rows = np.column_stack([random.scores[: len(scores)], scores])  # [n, M + 1]
        marks, budget = random.marks, self.budget

        def statistic(values: np.ndarray, axis: int) -> np.ndarray:
            means = np.moveaxis(values, axis, 0).mean(axis=0)  # [..., M + 1]
            flat = means.reshape(-1, means.shape[-1])
            ratios = [rules_ratio(marks, row[:-1], row[-1], budget) for row in flat]
            return np.reshape(ratios, means.shape[:-1])

        found = bootstrap_interval(rows, statistic, resamples=1000)
        return found._replace(low=max(found.low, 0.0))

    def _curve(self, found: _Found) -> dict[str, Any]:
        intervals = [mean_interval(column) for column in found.scores.T]
        return {
            "rules": found.marks.tolist(),
            "steps": found.steps.mean(axis=0).tolist(),
            "mean": [i.mean for i in intervals],
            "low": [i.low for i in intervals],
            "high": [i.high for i in intervals],
        }

    def _handed_over(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Returns the rules that are handed over most often, with the share of searches."""
        return [
            {"rule": self.table.rule(place) if place >= 0 else None, "share": count / len(places)}
            for place, count in Counter(places).most_common(3)
        ]

    def _marks(self, name: str) -> np.ndarray:
        """Returns at how many rules a search is looked at, rising, [M]; the budget is among them."""
        beyond = max(self.budget, min(round(_MOST * self.size), _BEYOND * self.budget))
        beyond = beyond if name == RANDOM else self.budget
        least = min(_FIRST_MARK, self.budget)
        octaves = np.log2(np.array([least, beyond]) / self.budget)
        below, above = np.ceil(_MARKS_A_DOUBLING * octaves[0]), _MARKS_A_DOUBLING * octaves[1]
        powers = np.arange(below, above + 1e-9) / _MARKS_A_DOUBLING  # 0, the budget, is one of them
        marks = np.rint(self.budget * 2.0**powers).astype(int).tolist()
        return np.array(sorted({*marks, beyond}))

    def _draw(self, number: int) -> Draw:
        generator = np.random.default_rng([self.config.seed, number])
        return draw_replicates(generator, self.table.replicates)


def search_settings(table: RuleTable, budget: int) -> SearchConfig:
    """Returns the settings of a search on a table: the usual ones, with smaller generations for a small budget.

    A search of 32 rules would be over before its first generation of 64 has been told, and evolution's population of
    128 would never be full.
    """
    usual = SearchConfig()
    batch = np.clip(budget // _GENERATIONS, _LEAST_BATCH, usual.batch_size)
    population = np.clip(budget // 4, _LEAST_POPULATION, usual.evolution.population)
    sample = np.clip(population // 4, 2, usual.evolution.sample)
    return SearchConfig(
        space=table.space,
        depth=table.depth,
        filters=table.filters,
        batch_size=int(batch),
        evolution=EvolutionConfig(int(population), int(sample)),
    )


@dataclass(frozen=True)
class _Search:
    """What one search came to."""

    chosen: np.ndarray  # [M] the rule it hands over at each mark, -1 for none
    scores: np.ndarray  # [M] its true score
    steps: np.ndarray  # [M] optimizer steps until then
    best: float  # the best true score of the table, as this search is measured
    in_top: bool
    elsewhere: float | None
    trained: int
    sampled: int
    seconds: float


@dataclass(frozen=True)
class _Found:
    """The searches of one strategy."""

    marks: np.ndarray  # [M]
    searches: list[_Search] = field(default_factory=list)

    @property
    def scores(self) -> np.ndarray:
        """True scores, [n, M]."""
        return np.stack([search.scores for search in self.searches])

    @property
    def steps(self) -> np.ndarray:
        """Optimizer steps, [n, M]."""
        return np.stack([search.steps for search in self.searches])


def rules_ratio(marks: np.ndarray, curve: np.ndarray, wanted: float, budget: int) -> float:
    """Returns the rules at which a curve reaches a score, over those at which it reaches its own at the budget.

    Args:
      marks: numbers of rules, rising, [M].
      curve: mean scores there, [M].
      wanted: a score.
      budget: one of the marks.

    Returns:
      The ratio; +inf where the curve never gets there, and at least that of its first mark.
    """
    rising = isotonic_regression(curve).x
    own = curve[int(np.searchsorted(marks, budget))]
    if wanted <= own:  # a mean at the budget may lie above what the rising curve makes of it
        wanted = min(wanted, rising[-1])
    return _reached(marks, rising, wanted) / _reached(marks, rising, min(own, rising[-1]))


def _reached(marks: np.ndarray, rising: np.ndarray, wanted: float) -> float:
    """Returns where a rising curve has a value, on a logarithmic axis; the middle of a flat piece."""
    logs = np.log(marks)
    if wanted > rising[-1]:
        return np.inf
    flat = np.isclose(rising, wanted, rtol=0, atol=1e-12)
    if flat.any():
        return float(np.exp((logs[flat][0] + logs[flat][-1]) / 2))
    right = int(np.argmax(rising > wanted))
    if right == 0:
        return float(marks[0])
    share = (wanted - rising[right - 1]) / (rising[right] - rising[right - 1])
    return float(np.exp(logs[right - 1] + share * (logs[right] - logs[right - 1])))


def _scored(scores: np.ndarray, places: Any) -> Any:
    """Returns the scores of rules; no rule has the floor."""
    return np.where(np.asarray(places) >= 0, scores[places], FLOOR)


def _mean(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    found = mean_interval(np.asarray(values, float))
    return {"mean": found.mean, "low": found.low, "high": found.high}
