"""racing: how the optimizer steps of a search are best spent, by schedules replayed on tables of all rules of a space.

One search tries seven decades in runs of half the length and runs every rule in full; its choice runs 32 rules on as
many seeds each. Beside it stand racing (few decades first, in quarter runs, and the best sixth of a generation in full)
and a choice that starts with many rules and halves their number; at equal steps, a choice of four times as many rules,
and one that rejects one rule after the other. Their rules come in random order; then evolution, the strategy of a
search where none is named, proposes them and learns from what either schedule tells it. See `measuring.spending` for
how all are replayed.

Reference: Audibert, Bubeck, Munos (2010), Best Arm Identification in Multi-Armed Bandits (successive rejects).

Letters: M numbers of rules trained, n searches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.errors import require
from metarl.reading import Count, check_fields
from metarl.reporting import Column, Curve, Table, curve_panels
from metarl.statistics import mean_interval, share_interval
from metarl.update_rules import resolve

from .. import strategies
from ..measuring.spending import (
    ChoiceSchedule,
    SearchSchedule,
    Spent,
    World,
    in_random_order,
    proposed_by,
    spend,
    steps_ratio,
)
from ..reports.chart import Chart
from ..settings.config import SearchConfig
from ..tables import RuleTable, TableJudge, load_table, table_names
from ..tables.table_programs import table_outputs
from .work import Findings, Work

EVERY_RULE = SearchSchedule(7, 1 / 2, ((1.0, 4),))
RACING = SearchSchedule(3, 1 / 4, ((1 / 6, 4),))
FIXED = ChoiceSchedule(6, ((32, 48),))
HALVING = ChoiceSchedule(3, ((64, 8), (24, 16), (8, 32)), weight=4, report=48)
WIDE = ChoiceSchedule(1, ((256, 1), (64, 4), (16, 8), (8, 24)), weight=4, report=48)


def rejecting(rules: int, runs: int) -> tuple[tuple[int, int], ...]:
    """Returns the rounds of successive rejects: in each, those left have equally many runs, and the worst leaves.

    Args:
      rules: that enter, K.
      runs: of all rounds together, n; the rounds have at most so many.

    Reference: Audibert, Bubeck, Munos (2010), figure 3: n_k = ⌈(n - K) / (log̅(K) (K + 1 - k))⌉ runs by round k.
    """
    length = 0.5 + sum(1 / place for place in range(2, rules + 1))
    until = [0, *(int(np.ceil((runs - rules) / (length * left))) for left in range(rules, 1, -1))]
    return tuple((rules - k, until[k + 1] - until[k]) for k in range(rules - 1))


REJECTING = ChoiceSchedule(6, rejecting(32, 32 * 48))
_CHOICES = {"halving": HALVING, "wide": WIDE, "rejecting": REJECTING}


@dataclass(frozen=True)
class Settings:
    """Which tables, and how many searches."""

    tables: tuple[str, ...] = ()
    """Names of tables; all that come with metarl if not given."""
    chosen_on: tuple[str, ...] = ()
    """Judges, as TABLE/JUDGE, whose numbers were looked at when the schedules were chosen; they are marked."""
    budget: Count = 1500
    """Rules trained; half of those of a smaller table."""
    searches: Count = 100
    """Searches by each schedule."""
    learning_budget: Count = 512
    """Rules that evolution trains; half of those of a smaller table."""
    learning_searches: Count = 20
    """Searches of evolution by each schedule, on tables that are whole spaces."""

    def __post_init__(self) -> None:
        check_fields(self)


def replay_schedules(work: Work) -> Findings:
    """Replays searches by each schedule on each judge of each table."""
    settings: Settings = work.settings
    names = settings.tables or table_names()
    require(len(names) > 0, "There are no tables of rules; `metarl table` makes one.")
    found: dict[str, dict[str, Spent]] = {}
    rows: list[dict[str, Any]] = []
    learning: list[dict[str, Any]] = []
    for name in names:
        table = load_table(name)
        name, marks = table.name, _marks(table, settings.budget)
        if table.notice:
            work.say(table.notice)
        for judge in table.whole_judges:
            title = f"{name}/{judge.name}"
            work.say(title)
            found[title] = one = _searched(work, title, table, judge, marks)
            at = len(marks) - 3  # the budget
            chosen = title in settings.chosen_on
            rows.append(_row(title, judge.steps, marks[at], one, at, chosen))
            # where a table ends at a size most of what evolution proposes is larger: minutes for each search
            if table.max_size is None:
                every, raced = _learnt(work, title, table, judge)
                rules = _marks(table, settings.learning_budget)[at]
                learning.append(_learning_row(title, rules, every, raced, at, chosen))
    tables = {
        "steps": _steps_table(rows),
        "choice": _choice_table(rows),
        "evolution": _learning_table(learning),
    }
    panels = {title: _curves({way: one[way] for way in _DRAWN}) for title, one in found.items()}
    drawing = curve_panels(panels, "full runs' worth of steps", "true score", x_scale="log")
    numbers = {row["judge"]: row for row in rows}
    for row in learning:
        numbers[row["judge"]] = {**numbers[row["judge"]], "evolution": row}
    return Findings(
        [*_claims(rows), *_learning_claims(learning)],
        tables,
        [Chart("steps", drawing, _CAPTION)],
        numbers,
    )


_CAPTION = (
    "True score of the rule that a search hands over against the steps that it took, choice included, in units of a "
    "full run; mean over searches with its 95 % interval. Random search, its schedule as named."
)


def _marks(table: RuleTable, budget: int) -> list[int]:
    """Returns the numbers of rules at which searches are looked at, rising; the last but two is the budget."""
    budget = min(budget, len(table.tokens) // 2)
    shares = 2.0 ** (np.arange(-6, 3) / 2)  # an eighth to twice the budget
    marks = np.maximum(1, np.rint(budget * shares)).astype(int)
    return np.minimum(marks, len(table.tokens)).tolist()


def _adam(table: RuleTable) -> int:
    place = int(table.place_of(table.grammar.to_tokens(resolve("adam"))[None])[0])
    require(
        place >= 0, f"Table {table.name!r} has no Adam, by whose rate those of others are guessed."
    )
    return place


_DRAWN = ("every rule, fixed", "every rule, halving", "racing, fixed", "racing, halving")
_WAYS = (*_DRAWN, "every rule, wide", "every rule, rejecting")


def _searched(
    work: Work, title: str, table: RuleTable, judge: TableJudge, marks: list[int]
) -> dict[str, Spent]:
    """Returns the searches of each way to spend steps; measured once."""

    def measure() -> Mapping[str, Any]:
        world = World(table, judge, table_outputs(table).update, _adam(table))
        ways = (marks, work.settings.searches, work.seed)
        every, raced = (
            in_random_order(world, schedule, marks[-1], work.seed)
            for schedule in (EVERY_RULE, RACING)
        )
        fixed, halving, wide, rejecting = spend(world, every, (FIXED, *_CHOICES.values()), *ways)
        found = (fixed, halving, *spend(world, raced, (FIXED, HALVING), *ways), wide, rejecting)
        return _to_arrays(found)

    return dict(zip(_WAYS, _spent(work.arrays(_file(title), measure), len(_WAYS)), strict=True))


def _learnt(work: Work, title: str, table: RuleTable, judge: TableJudge) -> list[Spent]:
    """Returns the searches of evolution with every rule run in full and with racing; the choice halves."""
    settings: Settings = work.settings
    marks = _marks(table, settings.learning_budget)

    def measure() -> Mapping[str, Any]:
        world = World(table, judge, table_outputs(table).update, _adam(table))
        usual = SearchConfig(space=table.space, depth=table.depth)
        strategy = strategies.make(usual.strategy, table.grammar, usual)
        ways = (marks, settings.learning_searches, work.seed)
        found: list[Spent] = []
        for schedule in (EVERY_RULE, RACING):
            place = (strategy, table.place_of, world, schedule)
            one = proposed_by(*place, marks[-1], usual.batch_size, work.seed)
            found += spend(world, one, (HALVING,), *ways)
        return _to_arrays(found)

    return _spent(work.arrays(f"{_file(title)}-evolution", measure), 2)


def _file(title: str) -> str:
    return title.replace("/", "-").replace(" ", "-")


def _to_arrays(found: Sequence[Spent]) -> dict[str, Any]:
    return {
        f"{way} {field}": values
        for way, one in enumerate(found)
        for field, values in one._asdict().items()
    }


def _spent(arrays: Mapping[str, Any], ways: int) -> list[Spent]:
    return [Spent(*(arrays[f"{way} {field}"] for field in Spent._fields)) for way in range(ways)]


def _row(
    title: str, steps: int, rules: int, found: Mapping[str, Spent], at: int, chosen: bool
) -> dict[str, Any]:
    """Returns what the schedules come to on a judge."""
    today, _, raced, both = (found[way] for way in _DRAWN)
    return {
        "judge": title,
        "chosen_on": "yes" if chosen else "",
        "steps": steps,
        "rules": rules,
        "today_steps": float((today.search + today.choice)[:, at].mean()),
        "racing_steps": float((both.search + both.choice)[:, at].mean()),
        "today_score": mean_interval(today.true[:, at]),
        "racing_difference": mean_interval(both.true[:, at] - today.true[:, at]),
        "search_ratio": steps_ratio(raced, today, at, with_choice=False),
        "whole_ratio": steps_ratio(both, today, at),
        "fixed_steps": float(today.choice[:, at].mean()),
        "fixed_top": share_interval(today.in_top[:, at]),
        **{
            name: value
            for way in _CHOICES
            for name, value in _of_choice(way, found[f"every rule, {way}"], today, at).items()
        },
    }


def _of_choice(way: str, own: Spent, fixed: Spent, at: int) -> dict[str, Any]:
    """Returns what a way to choose comes to beside the fixed one."""
    return {
        f"{way}_steps": float(own.choice[:, at].mean()),
        f"{way}_difference": mean_interval(own.true[:, at] - fixed.true[:, at]),
        f"{way}_top": share_interval(own.in_top[:, at]),
    }


def _learning_row(
    title: str, rules: int, every: Spent, raced: Spent, at: int, chosen: bool
) -> dict[str, Any]:
    """Returns what evolution comes to with and without racing on a judge."""
    return {
        "judge": title,
        "chosen_on": "yes" if chosen else "",
        "rules": rules,
        "every_steps": float(every.search[:, at].mean()),
        "racing_steps": float(raced.search[:, at].mean()),
        "choice_steps": float(raced.choice[:, at].mean()),
        "every_score": mean_interval(every.true[:, at]),
        "racing_difference": mean_interval(raced.true[:, at] - every.true[:, at]),
        "search_ratio": steps_ratio(raced, every, at, with_choice=False),
        "whole_ratio": steps_ratio(raced, every, at),
    }


def _learning_table(rows: list[dict[str, Any]]) -> Table:
    columns = [
        Column("judge"),
        Column("chosen_on", "schedule chosen on it"),
        Column("rules", "rules trained"),
        Column("every_steps", "full runs of the search, every rule"),
        Column("racing_steps", "racing"),
        Column("choice_steps", "of the choice"),
        Column("every_score", "true score, every rule"),
        Column("racing_difference", "racing less that"),
        Column("search_ratio", "steps of the search for the same score, ratio"),
        Column("whole_ratio", "choice included"),
    ]
    notes = ["Evolution proposes, and the choice halves, both times. The other columns as above."]
    title = "Evolution, told by racing or by full runs of every rule"
    return Table(title, columns, _shown(rows, columns), notes)


def _learning_claims(rows: list[dict[str, Any]]) -> list[str]:
    return [
        f"{row['judge']}, evolution: with racing {row['racing_steps'] / row['every_steps']:.2f} of the search's steps "
        f"at {row['rules']:,} rules, and a true score {row['racing_difference'].mean:+.3f} "
        f"[{row['racing_difference'].low:+.3f}, {row['racing_difference'].high:+.3f}] from that of every rule in full."
        for row in rows
    ]


def _steps_table(rows: list[dict[str, Any]]) -> Table:
    columns = [
        Column("judge"),
        Column("chosen_on", "schedule chosen on it"),
        Column("rules", "rules trained"),
        Column("today_steps", "full runs, every rule and fixed choice"),
        Column("racing_steps", "racing and halving"),
        Column("today_score", "true score, every rule and fixed choice"),
        Column("racing_difference", "racing and halving less that"),
        Column("search_ratio", "steps of the search for the same score, ratio"),
        Column("whole_ratio", "choice included"),
    ]
    notes = [
        "Steps in units of a full run. The ratio: steps at which racing's mean true score reaches that of the search "
        "that trains every rule in full, over the steps at which that itself does; 95 % intervals over searches, not "
        "judges."
    ]
    return Table(
        "Racing: the same true score for fewer steps", columns, _shown(rows, columns), notes
    )


def _choice_table(rows: list[dict[str, Any]]) -> Table:
    columns = [
        Column("judge"),
        Column("fixed_steps", "full runs, fixed"),
        *(Column(f"{way}_steps", way) for way in _CHOICES),
        *(Column(f"{way}_difference", f"true score, {way} less fixed") for way in _CHOICES),
        Column("fixed_top", "in the best 1 %, fixed"),
        *(Column(f"{way}_top", way) for way in _CHOICES),
    ]
    notes = [
        "The same searches, every rule in full; of the runs of halving and wide 384 only report what the last eight "
        "are worth."
    ]
    title = "The choice: 32 rules on 48 seeds each, 64 halved, 256 halved, 32 rejected one by one"
    return Table(title, columns, _shown(rows, columns), notes)


def _shown(rows: list[dict[str, Any]], columns: list[Column]) -> list[dict[str, Any]]:
    """Returns of each row what the columns show."""
    return [{column.name: row[column.name] for column in columns} for row in rows]


def _curves(found: Mapping[str, Spent]) -> list[Curve]:
    curves = []
    for name, one in found.items():
        means = [mean_interval(column) for column in one.true.T]
        bands = [m.low for m in means], [m.high for m in means]
        steps = (one.search + one.choice).mean(axis=0)
        curves.append(Curve(name, steps, [m.mean for m in means], *bands))
    return curves


def _claims(rows: list[dict[str, Any]]) -> list[str]:
    return [
        f"{row['judge']}: for the true score of {row['rules']:,} rules all run in full, racing takes "
        f"{row['search_ratio'].estimate:.2f} [{row['search_ratio'].low:.2f}, {row['search_ratio'].high:.2f}] of the "
        f"search's steps; with the choice halving, {row['whole_ratio'].estimate:.2f} [{row['whole_ratio'].low:.2f}, "
        f"{row['whole_ratio'].high:.2f}] of all; among the best 1 % {row['halving_top'].estimate:.2f} of searches by "
        f"halving, {row['fixed_top'].estimate:.2f} by the fixed choice."
        for row in rows
    ]
