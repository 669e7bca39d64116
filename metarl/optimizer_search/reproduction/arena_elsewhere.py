"""arena elsewhere: what strategies do on tables on which nothing was tuned, from few rules to most that there are.

Beside the score at a quarter of the budget, which random search may exceed fourfold, stand the leads early and at the
end, and how regret falls with the rules that are trained.

Letters: n searches, M marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from metarl.reporting import Column, Table
from metarl.statistics import (
    Interval,
    bootstrap_interval,
    interval_from_json,
    interval_to_json,
)

from ..measuring.table_searches import Found, mean_to_json, summary
from ..settings.strategies_config import RANDOM
from ..tables import RuleTable
from .searches import slope_weights

_EARLY, _MIDDLE = 1 / 16, 1 / 4  # of the budget, where strategies are compared beside its end
_FIRST_RULES = 16  # from there on regret is fitted by a power of the rules,
_LEAST_REGRET = 1e-3  # and what is below this counts as this


class Other(NamedTuple):
    """What came of another table."""

    table: RuleTable
    budget: int
    found: Mapping[str, Found]
    rows: Sequence[Mapping[str, Any]]


def other_row(
    name: str, found: Found, random: Found, budget: int, table: RuleTable
) -> dict[str, Any]:
    """Returns the row of a strategy on another table: early, at a quarter of the budget, and at its end."""
    middle, is_random = nearest_mark(found, _MIDDLE * budget), name == RANDOM
    row = summary(name, found, random, middle, table, is_random)
    for moment, rules in (("early", nearest_mark(found, _EARLY * budget)), ("late", budget)):
        own = found.scores[:, found.at(rules)]
        others = random.scores[: len(own), random.at(rules)]
        row[moment] = None if is_random else mean_to_json(own - others)
        row[f"{moment}_score"] = mean_to_json(own)
    row["exponent"] = interval_to_json(exponent(found, budget), "slope")
    return row


def exponent(found: Found, budget: int) -> Interval:
    """Returns a where the mean regret goes as rules^-a, by least squares of logarithms, from 16 rules to the budget.

    Marks at which the regret is nothing count as such of the least that is told apart; the interval is the bootstrap's
    over searches.
    """
    marks = (found.marks >= _FIRST_RULES) & (found.marks <= budget)
    weights = -slope_weights(np.log(found.marks[marks]))

    def statistic(regrets: np.ndarray, axis: int) -> np.ndarray:
        means = np.moveaxis(regrets, axis, 0).mean(axis=0)  # [..., M]
        return np.log(np.maximum(means, _LEAST_REGRET)) @ weights

    return bootstrap_interval(found.best[:, None] - found.scores[:, marks], statistic)


def other_table(other: Other, judges: Sequence[str], tuned_on: str) -> Table:
    """Returns a row for each strategy and setting.

    Args:
      other: what came of the table.
      judges: of its searches.
      tuned_on: name of the table on which settings were chosen.
    """
    random, budget = other.found[RANDOM], other.budget
    early, middle = (nearest_mark(random, share * budget) for share in (_EARLY, _MIDDLE))
    columns = [
        Column("strategy"),
        Column("setting", essential=False),
        Column("searches"),
        Column("true_score", f"true score at {middle} rules"),
        Column("difference", "less random search's", better="higher"),
        Column("needs", "random needs, times", better="higher", neutral=1.0),
        Column("early", f"less random search's at {early}", better="higher"),
        Column("late_score", f"true score at {other.budget:,}"),
        Column("late", f"less random search's at {other.budget:,}", better="higher"),
        Column("exponent", "exponent of regret", essential=False),
        Column("top", f"share in the best 1 % at {middle}"),
        Column("trained", "rules trained", essential=False),
        Column("sampled", "rules proposed", essential=False),
        Column("seconds", "CPU-seconds", digits=2),
    ]
    named = {column.name for column in columns}
    rows = [
        {
            **{name: value for name, value in shown_row(row).items() if name in named},
            "early": shown_interval(row["early"], "mean"),
            "late": shown_interval(row["late"], "mean"),
            "late_score": shown_interval(row["late_score"], "mean"),
            "exponent": shown_interval(row["exponent"], "slope"),
            "trained": row["trained"],
        }
        for row in other.rows
    ]
    notes = [
        f"{len(other.table.tokens):,} rules, {other.table.replicates} replicates; nothing was tuned on this table; "
        f"tuned: as chosen on {tuned_on}. Exponent: a where the mean regret to the best rule goes as rules^-a, "
        f"from {_FIRST_RULES} rules to {other.budget:,}. Rules trained: of {other.budget:,}, by those that end since "
        "nothing new comes. Rules proposed, CPU-seconds of ask and tell: until the end. Intervals: 95 % over searches."
    ]
    extent = f", {other.table.extent}" if other.table.extent else ""
    title = f"Searches of {other.table.name}{extent} by {', '.join(judges)}"
    return Table(title, columns, rows, notes)


def other_claims(other: Other) -> list[str]:
    """Returns a sentence for each strategy but random search."""
    middle = nearest_mark(other.found[RANDOM], _MIDDLE * other.budget)
    early = nearest_mark(other.found[RANDOM], _EARLY * other.budget)
    claims = []
    for row in other.rows:
        if row["strategy"] == RANDOM:
            continue
        leads = ", ".join(
            f"{row[name]['mean']:+.3f} [{row[name]['low']:+.3f}, {row[name]['high']:+.3f}] at {rules}"
            for name, rules in (
                *(("early", early), ("difference_to_random", middle)),
                ("late", other.budget),
            )
        )
        needs = shown_interval(row["rules_random_needs"], "ratio")
        assert needs is not None
        claims.append(
            f"{other.table.name}, {row['strategy']}: less random search's true score {leads} rules; random search "
            f"needs {needs.estimate:.2f} [{needs.low:.2f}, {needs.high:.2f}] times the rules of {middle}."
        )
    return claims


def nearest_mark(found: Found, rules: float) -> int:
    """Returns the mark nearest to a number of rules."""
    return int(found.marks[np.argmin(np.abs(found.marks - rules))])


def shown_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a strategy as tables show it."""
    return {
        "strategy": row["strategy"],
        "setting": row["setting"],
        "searches": row["searches"],
        "true_score": shown_interval(row["true_score"], "mean"),
        "difference": shown_interval(row["difference_to_random"], "mean"),
        "needs": shown_interval(row["rules_random_needs"], "ratio"),
        "half": shown_interval(row.get("half"), "ratio"),
        "top": shown_interval(row["in_top_percent"], "share"),
        "regret": shown_interval(row["regret"], "mean"),
        "sampled": row["sampled"],
        "seconds": row["seconds"],
    }


def shown_interval(value: Mapping[str, Any] | None, estimate: str) -> Interval | None:
    """Returns what a document holds as an interval."""
    return None if value is None else interval_from_json(value, estimate)
