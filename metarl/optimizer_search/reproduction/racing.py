"""racing: how the optimizer steps of a search are best spent, by schedules replayed on tables of all rules of a space.

One search tries seven decades in runs of half the length and runs every rule in full; its choice runs 32 rules on as
many seeds each. Beside it stand racing (few decades first, in quarter runs, and the best sixth of a generation in full)
and a choice that starts with many rules and halves their number. See `measuring.spending` for how they are replayed.

Letters: M numbers of rules trained, n searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.errors import require
from metarl.reading import Count, check_fields
from metarl.reporting import Column, Curve, Table, curve_panels
from metarl.statistics import mean_interval, share_interval
from metarl.update_rules import resolve

from ..measuring.spending import ChoiceSchedule, SearchSchedule, Spent, World, spend, steps_ratio
from ..reports.chart import Chart
from ..tables import RuleTable, TableJudge, load_table, table_names
from ..tables.table_programs import table_outputs
from .work import Findings, Work

EVERY_RULE = SearchSchedule(7, 1 / 2, ((1.0, 4),))
RACING = SearchSchedule(3, 1 / 4, ((1 / 6, 4),))
FIXED = ChoiceSchedule(6, ((32, 48),))
HALVING = ChoiceSchedule(3, ((64, 8), (24, 16), (8, 32)), weight=4, report=48)


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

    def __post_init__(self) -> None:
        check_fields(self)


def replay_schedules(work: Work) -> Findings:
    """Replays searches by each schedule on each judge of each table."""
    settings: Settings = work.settings
    names = settings.tables or table_names()
    require(len(names) > 0, "There are no tables of rules; `metarl table` makes one.")
    found: dict[str, dict[str, Spent]] = {}
    rows: list[dict[str, Any]] = []
    for name in names:
        table = load_table(name)
        name, marks = table.name, _marks(table, settings)
        if table.notice:
            work.say(table.notice)
        for judge in table.judges:
            title = f"{name}/{judge.name}"
            work.say(title)
            found[title] = one = _searched(work, title, table, judge, marks)
            at = len(marks) - 3  # the budget
            rows.append(_row(title, judge.steps, marks[at], one, at, title in settings.chosen_on))
    tables = {"steps": _steps_table(rows), "choice": _choice_table(rows)}
    panels = {title: _curves(one) for title, one in found.items()}
    drawing = curve_panels(panels, "full runs' worth of steps", "true score", x_scale="log")
    numbers = {row["judge"]: row for row in rows}
    return Findings(_claims(rows), tables, [Chart("steps", drawing, _CAPTION)], numbers)


_CAPTION = (
    "True score of the rule that a search hands over against the steps that it took, choice included, in units of a "
    "full run; mean over searches with its 95 % interval. Random search, its schedule as named."
)


def _marks(table: RuleTable, settings: Settings) -> list[int]:
    """Returns the numbers of rules at which searches are looked at, rising; the last but two is the budget."""
    budget = min(settings.budget, len(table.tokens) // 2)
    shares = 2.0 ** (np.arange(-6, 3) / 2)  # an eighth to twice the budget
    marks = np.maximum(1, np.rint(budget * shares)).astype(int)
    return np.minimum(marks, len(table.tokens)).tolist()


def _adam(table: RuleTable) -> int:
    place = int(table.place_of(table.grammar.to_tokens(resolve("adam"))[None])[0])
    require(
        place >= 0, f"Table {table.name!r} has no Adam, by whose rate those of others are guessed."
    )
    return place


def _searched(
    work: Work, title: str, table: RuleTable, judge: TableJudge, marks: list[int]
) -> dict[str, Spent]:
    """Returns the searches of each way to spend steps; measured once."""

    def measure() -> Mapping[str, Any]:
        world = World(table, judge, table_outputs(table).update, _adam(table))
        ways = ((FIXED, HALVING), marks, work.settings.searches, work.seed)
        found = (*spend(world, EVERY_RULE, *ways), *spend(world, RACING, *ways))
        return {
            f"{way} {field}": values
            for way, one in enumerate(found)
            for field, values in one._asdict().items()
        }

    arrays = work.arrays(title.replace("/", "-").replace(" ", "-"), measure)
    names = ("every rule, fixed", "every rule, halving", "racing, fixed", "racing, halving")
    return {
        name: Spent(*(arrays[f"{way} {field}"] for field in Spent._fields))
        for way, name in enumerate(names)
    }


def _row(
    title: str, steps: int, rules: int, found: Mapping[str, Spent], at: int, chosen: bool
) -> dict[str, Any]:
    """Returns what the schedules come to on a judge."""
    today, halved, raced, both = found.values()
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
        "choice_difference": mean_interval(halved.true[:, at] - today.true[:, at]),
        "fixed_steps": float(today.choice[:, at].mean()),
        "halving_steps": float(halved.choice[:, at].mean()),
        "fixed_top": share_interval(today.in_top[:, at]),
        "halving_top": share_interval(halved.in_top[:, at]),
    }


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
        Column("halving_steps", "halving"),
        Column("choice_difference", "true score, halving less fixed"),
        Column("fixed_top", "in the best 1 %, fixed"),
        Column("halving_top", "halving"),
    ]
    notes = [
        "The same searches, every rule in full; of halving's runs 384 only report what the last eight are worth."
    ]
    title = "The choice: 32 rules on 48 seeds each, or 64 halved"
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
