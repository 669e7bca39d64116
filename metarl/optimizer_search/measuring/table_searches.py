"""table searches: many searches of one table, on replicates of their own each, and what they came to.

Search i of every strategy has the same key, sees the same replicates of the table and is measured on the same others,
so strategies are compared search by search. What a search is worth is the true score of the one rule that it would hand
over, by its own choice stage, at each of M numbers of rules trained.

Random search goes on beyond the budget, so that it can be said how many rules it needs for what another finds within
it: its mean curve is made to rise (isotonic regression), and read where it reaches the other's mean. Where it has a
flat piece there, the middle of that is taken, and the number is divided by the one that is read for random search
itself.

Letters: n searches, M marks, K rules of a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.optimize import isotonic_regression

from metarl.statistics import (
    Interval,
    bootstrap_interval,
    fewest_runs,
    interval_to_json,
    mean_interval,
    share_interval,
)

from ..judging.rewards import FLOOR
from ..settings.config import EvolutionConfig, SearchConfig
from ..strategies import Strategy
from ..tables import RuleTable
from .replay import Handover, replay
from .views import TableViews, View, draw_replicates

TOP_SHARE = 0.01  # of the rules of a table, by their true score
_FIRST_MARK, _MARKS_A_DOUBLING = 8, 2
_BEYOND, _MOST = (
    4,
    3 / 4,
)  # times the budget that random search goes on to; the share of a table that it ends at
_GENERATIONS = (
    8  # at least, in a search of rules that are all new; else there is nothing to learn from
)
_LEAST_BATCH, _LEAST_POPULATION = 8, 8
_CANDIDATES = 32  # rules of a search that reach the choice, each on all of its replicates
_VIEWS_AT_HAND = 256
_RESAMPLES = 1000


class Found(NamedTuple):
    """What the searches of one strategy came to; arrays alone, so that they can be kept in a file."""

    marks: np.ndarray  # [M] numbers of rules, rising
    chosen: np.ndarray  # [n, M] the rule that a search hands over there, -1 for none
    scores: np.ndarray  # [n, M] its true score
    steps: np.ndarray  # [n, M] optimizer steps until then
    best: np.ndarray  # [n] the best true score of the table, as the search is measured
    in_top: np.ndarray  # [n, M] bool, whether the rule is one of the best of the table
    elsewhere: np.ndarray  # [n, M] its true score on held-out problems; NaN where there are none
    trained: np.ndarray  # [n] rules trained, of random search within the budget
    sampled: np.ndarray  # [n] rules proposed until then
    seconds: np.ndarray  # [n] of ask and tell until then

    def at(self, rules: int) -> int:
        """Returns which mark a number of rules is."""
        return int(np.searchsorted(self.marks, rules))


class TableSearches:
    """Searches one table.

    Args:
      table: of rules.
      views: what its judges show.
      near: which of its rules are near-duplicates, [K, K].
      budget: of rules that a search trains.
      seed: of everything random.
    """

    def __init__(
        self, table: RuleTable, views: TableViews, near: np.ndarray, budget: int, seed: int
    ):
        self.table, self.budget = table, budget
        self._views, self._seed = views, seed
        self._handover = Handover(near, _CANDIDATES)
        self._view = lru_cache(maxsize=_VIEWS_AT_HAND)(self._seen)

    def many(
        self,
        strategy: Strategy,
        numbers: Sequence[int],
        batch_size: int,
        *,
        beyond: bool = False,
        told: Callable[[], None] = lambda: None,
    ) -> Found:
        """Searches.

        Args:
          strategy: that proposes.
          numbers: of the searches, n of them.
          batch_size: rules proposed in a generation.
          beyond: whether to go on beyond the budget, as random search does.
          told: called after each search.
        """
        marks, rows = marks_of(len(self.table.tokens), self.budget, beyond), []
        for number in numbers:
            rows.append(self._one(strategy, number, batch_size, marks))
            told()
        return Found(marks, *map(np.stack, zip(*rows, strict=True)))

    def _one(
        self, strategy: Strategy, number: int, batch_size: int, marks: np.ndarray
    ) -> tuple[Any, ...]:
        key, view = jax.random.fold_in(jax.random.key(self._seed), number), self._view(number)
        place_of = partial(self.table.place_of, max_size=self.table.max_size)
        run = replay(strategy, key, place_of, view.rewards, int(marks[-1]), batch_size)
        chosen = np.array([self._handover.place(run.trained[:mark], view) for mark in marks])
        steps = np.concatenate([[0], np.cumsum(view.steps[run.trained])])
        ends = min(self.budget, len(run.trained))
        top = np.sort(view.truth)[-max(1, round(TOP_SHARE * len(view.truth)))]
        nowhere = np.full(len(marks), np.nan)
        return (
            chosen,
            _scored(view.truth, chosen),
            steps[np.minimum(marks, len(run.trained))],
            float(view.truth.max()),
            (chosen >= 0) & (view.truth[chosen] >= top),
            nowhere if view.elsewhere is None else _scored(view.elsewhere, chosen),
            ends,
            int(run.sampled[ends - 1]) if ends else 0,
            float(run.seconds[ends - 1]) if ends else 0.0,
        )

    def _seen(self, number: int) -> View:
        generator = np.random.default_rng([self._seed, number])
        return self._views.view(draw_replicates(generator, self.table.replicates))


def search_settings(table: RuleTable, budget: int) -> SearchConfig:
    """Returns the settings of a search on a table: the usual ones, with smaller generations for a small budget.

    Where the table ends at a size, larger rules are filtered, so that no strategy pays for what the table lacks.

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
        filters=replace(table.filters, max_size=table.max_size),
        batch_size=int(batch),
        evolution=EvolutionConfig(int(population), int(sample)),
    )


def marks_of(size: int, budget: int, beyond: bool) -> np.ndarray:
    """Returns at how many rules a search is looked at, rising, [M]; the budget is among them.

    Args:
      size: K.
      budget: of a search.
      beyond: whether it goes on beyond that, to a multiple of it or to most of the table.
    """
    last = max(budget, min(round(_MOST * size), _BEYOND * budget)) if beyond else budget
    octaves = np.log2(np.array([min(_FIRST_MARK, budget), last]) / budget)
    below, above = np.ceil(_MARKS_A_DOUBLING * octaves[0]), _MARKS_A_DOUBLING * octaves[1]
    powers = np.arange(below, above + 1e-9) / _MARKS_A_DOUBLING  # 0, the budget, is one of them
    marks = np.rint(budget * 2.0**powers).astype(int).tolist()
    return np.array(sorted({*marks, last}))


def summary(
    name: str, found: Found, random: Found, budget: int, table: RuleTable, is_random: bool = False
) -> dict[str, Any]:
    """Returns the row of a strategy, beside random search's first as many searches, as a plain document.

    Args:
      name: of the strategy.
      found: its searches.
      random: those of random search.
      budget: one of the marks of both.
      table: that was searched.
      is_random: whether it is random search itself, which is compared with nobody.
    """
    at, count = found.at(budget), len(found.scores)
    scores, others = found.scores[:, at], random.scores[:count, random.at(budget)]
    elsewhere = found.elsewhere[:, at]
    return {
        "strategy": name,
        "searches": count,
        "true_score": mean_to_json(scores),
        "difference_to_random": None if is_random else mean_to_json(scores - others),
        "regret": mean_to_json(found.best - scores),
        "in_top_percent": interval_to_json(share_interval(found.in_top[:, at].tolist()), "share"),
        "rules_random_needs": None
        if is_random
        else interval_to_json(_rules_ratio(scores, random, budget), "ratio"),
        "elsewhere": None if np.isnan(elsewhere).any() else mean_to_json(elsewhere),
        "trained": float(found.trained.mean()),
        "sampled": float(found.sampled.mean()),
        "steps": float(found.steps[:, at].mean()),
        "seconds": float(np.median(found.seconds)),
        "handed_over": _handed_over(found.chosen[:, at].tolist(), table),
    }


def curve(found: Found) -> dict[str, Any]:
    """Returns mean true scores by rules trained, with their intervals, as a plain document."""
    intervals = [mean_interval(column) for column in found.scores.T]
    return {
        "rules": found.marks.tolist(),
        "steps": found.steps.mean(axis=0).tolist(),
        "mean": [i.mean for i in intervals],
        "low": [i.low for i in intervals],
        "high": [i.high for i in intervals],
    }


def mean_to_json(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Returns a mean with its 95 % interval."""
    found = mean_interval(np.asarray(values, float))
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _rules_ratio(scores: np.ndarray, random: Found, budget: int) -> Interval:
    """Returns how many rules random search needs for the same, over how many it was given.

    Where there are as many searches of each they are redrawn in pairs; else each side on its own, so that all searches
    of random search say where its curve is.
    """

    def ratios(curves: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        pairs = zip(curves, wanted, strict=True)
        return np.array([rules_ratio(random.marks, curve, one, budget) for curve, one in pairs])

    def statistic(values: np.ndarray, axis: int) -> np.ndarray:
        means = np.moveaxis(values, axis, 0).mean(axis=0)  # [..., M + 1]
        flat = means.reshape(-1, means.shape[-1])
        return ratios(flat[:, :-1], flat[:, -1]).reshape(means.shape[:-1])

    if len(scores) == len(random.scores):
        rows = np.column_stack([random.scores, scores])  # [n, M + 1]
        found = bootstrap_interval(rows, statistic, resamples=_RESAMPLES)
        return found._replace(low=max(found.low, 0.0))
    estimate = rules_ratio(random.marks, random.scores.mean(axis=0), scores.mean(), budget)
    if min(len(scores), len(random.scores)) < fewest_runs(0.95):
        return Interval(estimate, 0.0, np.inf)
    generator = np.random.default_rng(0)
    drawn = [
        side[generator.integers(len(side), size=(_RESAMPLES, len(side)))].mean(axis=1)
        for side in (random.scores, scores)
    ]
    low, high = np.quantile(ratios(*drawn), (0.025, 0.975), method="nearest")
    return Interval(estimate, float(low), float(high))


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


def _handed_over(places: Sequence[int], table: RuleTable) -> list[Mapping[str, Any]]:
    """Returns the rules that are handed over most often, with the share of searches."""
    return [
        {"rule": table.rule(place) if place >= 0 else None, "share": count / len(places)}
        for place, count in Counter(places).most_common(3)
    ]


def _scored(scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns the scores of rules; no rule has the floor."""
    return np.where(places >= 0, scores[places], FLOOR)
