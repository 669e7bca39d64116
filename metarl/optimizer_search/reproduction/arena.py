"""arena: all strategies of search against each other, by searches of a rule table.

Some judges of the table tune, others report. Of some strategies as many settings each are tried on the judges that
tune; the one whose searches hand over the best rules there is measured on the judges that report, which nobody was
tuned on. And all strategies are measured there as they come, with their usual settings.

Some of them search other tables too, on which nothing was tuned, with the usual settings and with those that were
chosen, up to most of the rules that there are: whether a lead grows or vanishes with what is spent.

Searches are parts: whichever were made are kept, and the same command goes on.

Letters: n searches, M marks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np

from metarl.errors import require
from metarl.reading import Bounds, Count, check_fields
from metarl.reporting import Column, Curve, Drawing, Table, curve_panels

from .. import strategies
from ..measuring.replay import near_rules
from ..measuring.table_searches import (
    Found,
    TableSearches,
    curve,
    search_settings,
    summary,
)
from ..measuring.views import TableViews
from ..reports.chart import Chart
from ..settings.config import SearchConfig
from ..settings.strategies_config import CONTROLLERS, RANDOM
from ..tables import RuleTable, load_table
from .arena_elsewhere import (
    Other,
    nearest_mark,
    other_claims,
    other_row,
    other_table,
    shown_row,
)
from .work import Findings, Work

Changes = Mapping[str, Mapping[str, Any]]  # part of the settings -> field -> value

_FASTER = {"learning_rate": 5e-3}
_FASTER_AND_OPEN = {"learning_rate": 5e-3, "entropy_weight": 0.1}
AS_IT_COMES: Changes = {}
GRIDS: Mapping[str, tuple[Changes, ...]] = {
    "random": (AS_IT_COMES,),
    "enumeration": (AS_IT_COMES,),
    "evolution": (
        AS_IT_COMES,
        {"evolution": {"population": 128}},
        {"evolution": {"first": "random", "population": 128}},
    ),
    "go-explore": (
        AS_IT_COMES,
        {"go_explore": {"sample": 16, "mutations": 1.0}},
        {"go_explore": {"sample": 32}},
    ),
    "bayesian": (
        AS_IT_COMES,
        {"bayesian": {"first": "simplest"}},
        {"bayesian": {"spread": 1.0}},
    ),
    "mcts": (
        AS_IT_COMES,
        {"mcts": {"jumps": 0.5}},
        {"mcts": {"jumps": 0.5, "exploration": 0.1}},
    ),
    "reinforce": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"controller": {"learning_rate": 1e-2}},
    ),
    "ppo": (AS_IT_COMES, {"controller": _FASTER}, {"controller": _FASTER_AND_OPEN}),
    "trpo": (
        AS_IT_COMES,
        {"controller": {"kl_bound": 0.05}},
        {"controller": {"kl_bound": 0.05, "entropy_weight": 0.1}},
    ),
    "risk-seeking": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"controller": _FASTER, "risk_seeking": {"fraction": 0.1}},
    ),
    "priority-queue": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"controller": _FASTER, "priority_queue": {"size": 32}},
    ),
    "guided-evolution": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"guided_evolution": {"generations": 7}},
    ),
    "dpo": (AS_IT_COMES, {"controller": _FASTER}, {"controller": _FASTER, "dpo": {"renewal": 1}}),
    "decision-transformer": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"controller": _FASTER, "decision_transformer": {"asked": 1.0}},
    ),
    "trajectory-transformer": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"controller": _FASTER, "trajectory_transformer": {"beams": 16}},
    ),
    "alphazero": (
        AS_IT_COMES,
        {"controller": _FASTER},
        {"controller": _FASTER, "alphazero": {"steps": 32}},
    ),
    "rlhf": (AS_IT_COMES, {"controller": _FASTER}, {"controller": _FASTER, "dream": {"beta": 0.1}}),
    "imagination": (
        AS_IT_COMES,
        {"imagination": {"candidates": 8}},
        {"imagination": {"candidates": 8, "curiosity": 0.0}},
    ),
}
"""The settings that are tried, three of each strategy that has any, the usual ones first."""

_FIGURES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "rules": {
        "breeding and trees": ("evolution", "go-explore", "mcts", "guided-evolution"),
        "policy gradients": ("reinforce", "ppo", "trpo", "risk-seeking"),
    },
    "others": {
        "imitation and planning": (
            *("priority-queue", "decision-transformer", "trajectory-transformer", "dpo"),
            "alphazero",
        ),
        "models of the judge, and the simplest first": (
            *("rlhf", "imagination", "bayesian", "enumeration"),
        ),
    },
}
_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "breeding, trees and a model": ("evolution", "go-explore", "mcts", "bayesian"),
    "controllers, and the simplest first": ("ppo", "imagination", "priority-queue", "enumeration"),
}
_TUNED, _REPORTED = "tuned", "reported"  # the sides of the first table
_LATE = 1 / 4  # of the budget: from there on a curve counts when settings are compared


@dataclass(frozen=True)
class Settings:
    """Which strategies search what, and how often."""

    table: str = "deterministic-1"
    """Name of the table."""
    tuned_on: tuple[str, ...] = ("quadratic", "breast-cancer-logistic")
    """Judges of the table, jointly, on which settings are chosen."""
    reported_on: tuple[str, ...] = ("digits-mlp",)
    """Judges of the table, jointly, on which strategies are compared; none of the others."""
    strategies: tuple[str, ...] = tuple(GRIDS)
    """Names of strategies, random search among them."""
    budget: Count = 512
    """Rules that a search trains."""
    random_searches: Annotated[int, Bounds(least=2)] = 200
    """n of random search."""
    searches: Annotated[int, Bounds(least=2)] = 40
    """n of a strategy without a network."""
    searches_of_controllers: Annotated[int, Bounds(least=2)] = 20
    """n of one that has a network."""
    tuned: tuple[str, ...] = (
        *("evolution", "go-explore", "bayesian", "mcts", "priority-queue", "ppo"),
    )
    """Names of strategies of which settings are tried."""
    tuning_searches: Annotated[int, Bounds(least=2)] = 20
    """n of each setting that is tried."""
    elsewhere: tuple[str, ...] = ()
    """Names of other tables, searched by the judges that report; nothing is tuned on them."""
    elsewhere_strategies: tuple[str, ...] = (
        *("random", "enumeration", "evolution", "go-explore", "bayesian", "mcts"),
        *("ppo", "imagination", "priority-queue"),
    )
    """Names of the strategies that search them, random search among them."""
    elsewhere_budget: Count = 1500
    """Rules that a search of them trains; all of a smaller table."""
    elsewhere_searches: Annotated[int, Bounds(least=2)] = 40
    """n of a strategy without a network there."""
    elsewhere_searches_of_controllers: Annotated[int, Bounds(least=2)] = 20
    """n of one that has a network."""

    def __post_init__(self) -> None:
        check_fields(self)
        named = (*self.strategies, *self.tuned, *self.elsewhere_strategies)
        unknown = [name for name in named if name not in GRIDS]
        require(
            not unknown and RANDOM in self.strategies and RANDOM in self.elsewhere_strategies,
            f"strategies must be of {', '.join(GRIDS)}, with {RANDOM} among them; {unknown} are not.",
        )
        shared = set(self.tuned_on) & set(self.reported_on)
        require(
            not shared and len(self.tuned_on) * len(self.reported_on) > 0,
            f"tuned_on and reported_on must each name judges, and none twice; {sorted(shared)} are in both.",
        )

    def searches_of(self, name: str) -> int:
        """Returns n of a strategy."""
        if name == RANDOM:
            return self.random_searches
        return self.searches_of_controllers if name in CONTROLLERS else self.searches

    def elsewhere_searches_of(self, name: str) -> int:
        """Returns n of a strategy on another table."""
        by_network = name in CONTROLLERS
        return self.elsewhere_searches_of_controllers if by_network else self.elsewhere_searches


def meet_in_the_arena(work: Work) -> Findings:
    """Searches with every strategy on judges that tune and on judges that report, and compares."""
    settings: Settings = work.settings
    arena = _Arena(work)
    tried = {name: arena.tried(name) for name in settings.tuned}
    best = {name: _best(found) for name, found in tried.items()}
    tuned = {name: arena.reported(name, number) for name, number in best.items()}
    usual = {name: arena.reported(name, 0) for name in settings.strategies}
    rows = arena.rows(usual, {})
    tuned_rows = arena.rows({RANDOM: usual[RANDOM], **tuned}, best)
    others = [arena.elsewhere(name, best) for name in settings.elsewhere]
    return Findings(
        claims=[
            *_claims(rows, settings, ""),
            *_claims(tuned_rows, settings, ", tuned"),
            *(claim for other in others for claim in other_claims(other)),
        ],
        tables={
            "arena": _table(rows, settings, "as they come"),
            **(
                {
                    "tuned": _table(tuned_rows, settings, "tuned"),
                    "tuning": _tuning_table(tried, best, settings),
                }
                if tried
                else {}
            ),
            **{
                other.table.name: other_table(other, settings.reported_on, settings.table)
                for other in others
            },
        },
        charts=[
            *(Chart(n, _drawing(usual, families), _CAPTION) for n, families in _FIGURES.items()),
            *(
                Chart(other.table.name, _drawing(other.found, _ELSEWHERE), _CAPTION)
                for other in others
            ),
        ],
        numbers={
            **{row["strategy"]: _without_handed_over(row) for row in rows},
            "tuned": {row["strategy"]: _without_handed_over(row) for row in tuned_rows},
            **{
                other.table.name: {
                    "rows": list(other.rows),
                    "curves": {name: curve(found) for name, found in other.found.items()},
                }
                for other in others
            },
        },
    )


_CAPTION = (
    "True score of the rule that a search would hand over, against rules trained, on the judges that report; mean over "
    "searches with its 95 % interval. Random search is in every panel, and goes on beyond the budget."
)


class _Side(NamedTuple):
    """What is searched together: judges of a table, up to so many rules."""

    table: RuleTable
    judges: tuple[str, ...]
    budget: int


class _Arena:
    """The searches, as parts of an experiment."""

    def __init__(self, work: Work):
        self.work = work
        settings: Settings = work.settings
        self.settings, self.table = settings, load_table(settings.table)
        self._sides = {
            _TUNED: _Side(self.table, settings.tuned_on, settings.budget),
            _REPORTED: _Side(self.table, settings.reported_on, settings.budget),
        }
        self._searches: dict[str, TableSearches] = {}
        self._made: dict[tuple[str, int, str, int], strategies.Strategy] = {}

    def reported(self, name: str, number: int) -> Found:
        """Returns the searches of a strategy on the judges that report, with a setting by its number."""
        return self._searched(_REPORTED, name, number, self.settings.searches_of(name))

    def tried(self, name: str) -> list[Found]:
        """Returns what each setting of a strategy came to on the judges that tune."""
        count = self.settings.tuning_searches
        return [self._searched(_TUNED, name, number, count) for number in range(len(GRIDS[name]))]

    def elsewhere(self, name: str, best: Mapping[str, int]) -> Other:
        """Returns the searches of another table, with the usual settings and with those that were chosen here."""
        settings, table = self.settings, load_table(name)
        side, budget = table.name, min(settings.elsewhere_budget, len(table.tokens))
        self._sides[side] = _Side(table, settings.reported_on, budget)
        if table.notice:
            self.work.say(table.notice)
        found, numbers = {}, {}
        for strategy in settings.elsewhere_strategies:
            for number in dict.fromkeys((0, best.get(strategy, 0))):
                title = strategy if number == 0 else f"{strategy}, tuned"
                count = settings.elsewhere_searches_of(strategy)
                found[title] = self._searched(side, strategy, number, count)
                numbers[title] = setting_text(GRIDS[strategy][number])
        rows = [
            {**other_row(title, one, found[RANDOM], budget, table), "setting": numbers[title]}
            for title, one in found.items()
        ]
        rows.sort(key=lambda row: -row["true_score"]["mean"])
        return Other(table, budget, found, rows)

    def _searched(self, side: str, name: str, number: int, count: int) -> Found:
        part = f"{side}-{name}-{number}"

        def measure() -> Mapping[str, Any]:
            self.work.say(f"{part}: {count} searches")
            batch = SearchConfig().batch_size if name == RANDOM else self._usual(side).batch_size
            strategy, searches = self._strategy(side, name, number), self._searches_of(side)
            beyond = name == RANDOM and side in (_TUNED, _REPORTED)
            found = searches.many(strategy, range(count), batch, beyond=beyond)
            return found._asdict()

        return Found(**self.work.arrays(part, measure))

    def rows(self, found: Mapping[str, Found], settings: Mapping[str, int]) -> list[dict[str, Any]]:
        """Returns a row for each strategy, the highest true score first."""
        random, budget = found[RANDOM], self.settings.budget
        rows = []
        for name, one in found.items():
            row = summary(name, one, random, budget, self.table, is_random=name == RANDOM)
            half = summary(name, one, random, _half(one, budget), self.table, name == RANDOM)
            row["half"] = half["rules_random_needs"]
            row["setting"] = setting_text(GRIDS[name][settings.get(name, 0)])
            rows.append(row)
        return sorted(rows, key=lambda row: -row["true_score"]["mean"])

    def _searches_of(self, side: str) -> TableSearches:
        """Returns what searches a table; made only where something is left to search."""
        if side not in self._searches:
            table, judges, budget = self._sides[side]
            views, near = TableViews(table, judges), near_rules(table)
            self._searches[side] = TableSearches(table, views, near, budget, self.work.seed)
        return self._searches[side]

    def _usual(self, side: str) -> SearchConfig:
        return search_settings(self._sides[side].table, self._sides[side].budget)

    def _strategy(self, side: str, name: str, number: int) -> strategies.Strategy:
        """Returns a strategy with a setting, one object for all its searches: what it compiled is kept."""
        table, _, budget = self._sides[side]
        at = (table.name, budget, name, number)
        if at not in self._made:
            config = changed(self._usual(side), GRIDS[name][number])
            self._made[at] = strategies.make(name, table.grammar, config)
        return self._made[at]


def changed(config: SearchConfig, changes: Changes) -> SearchConfig:
    """Returns settings with some fields of their parts replaced."""
    parts = {
        part: dataclasses.replace(getattr(config, part), **fields)
        for part, fields in changes.items()
    }
    return dataclasses.replace(config, **parts)


def setting_text(changes: Changes) -> str:
    """Returns what a setting changes, as flags are written."""
    return ", ".join(
        f"{part}.{field} {value}".replace("_", "-")
        for part, fields in changes.items()
        for field, value in fields.items()
    )


def _half(found: Found, budget: int) -> int:
    """Returns the mark at half of the budget."""
    return nearest_mark(found, budget / 2)


def _best(found: Sequence[Found]) -> int:
    """Returns the setting whose searches hand over the best rules, in their later part; of equals the first."""
    late = [one.marks >= _LATE * one.marks[-1] for one in found]
    means = [one.scores[:, there].mean() for one, there in zip(found, late, strict=True)]
    return int(np.argmax(means))


def _drawing(found: Mapping[str, Found], families: Mapping[str, tuple[str, ...]]) -> Drawing:
    panels = {}
    for family, members in families.items():
        present = [name for name in (RANDOM, *members) if name in found]
        curves = {name: curve(found[name]) for name in present}
        panels[family] = [
            Curve(name, one["rules"], one["mean"], one["low"], one["high"])
            for name, one in curves.items()
        ]
    return curve_panels(panels, "rules trained", "true score", x_scale="log", height=3.0)


def _table(rows: Sequence[Mapping[str, Any]], settings: Settings, how: str) -> Table:
    columns = [
        Column("strategy"),
        Column("setting"),
        Column("searches"),
        Column("true_score", "true score"),
        Column("difference", "less random search's", better="higher"),
        Column("needs", "random needs, times", better="higher", neutral=1.0),
        Column("half", "at half the rules", better="higher", neutral=1.0, essential=False),
        Column("top", "share in the best 1 %"),
        Column("regret", "regret", essential=False),
        Column("sampled", "rules proposed", essential=False),
        Column("seconds", "CPU-seconds", digits=2),
    ]
    notes = [
        f"{settings.budget} rules trained in a search. Settings: where there is none, the usual ones; tuned: the best "
        f"of three on {', '.join(settings.tuned_on)}. True score: of the rule that a search hands over, minus the log "
        "of its test loss over tuned Adam's, on replicates that it has not seen. Random needs: rules of random search "
        "for the same mean, over those trained here. CPU-seconds: of ask and tell, a search, without compiling. "
        "Intervals: 95 % over searches."
    ]
    title = f"Searches of {settings.table} by {', '.join(settings.reported_on)}, {how}"
    return Table(title, columns, [shown_row(row) for row in rows], notes)


def _tuning_table(
    tried: Mapping[str, Sequence[Found]], best: Mapping[str, int], settings: Settings
) -> Table:
    rows = []
    for name, found in tried.items():
        for number, one in enumerate(found):
            late = one.marks >= _LATE * one.marks[-1]
            score = one.scores[:, late].mean(axis=1)
            rows.append(
                {
                    "strategy": name,
                    "setting": setting_text(GRIDS[name][number]) or "the usual ones",
                    "searches": len(score),
                    "late": float(score.mean()),
                    "chosen": "x" if best[name] == number else "",
                }
            )
    columns = [
        *(Column("strategy"), Column("setting"), Column("searches")),
        *(Column("late", "mean true score, last three quarters"), Column("chosen")),
    ]
    return Table(f"What was tried, by {', '.join(settings.tuned_on)}", columns, rows, [])


def _without_handed_over(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "handed_over"}


def _claims(rows: Sequence[Mapping[str, Any]], settings: Settings, how: str) -> list[str]:
    claims = []
    for row in rows:
        if row["strategy"] == RANDOM:
            continue
        shown = shown_row(row)
        difference, needs = shown["difference"], shown["needs"]
        side = difference.side(0.0)
        word = {1: "better than", 0: "no clear difference to", -1: "worse than"}[side]
        claims.append(
            f"{row['strategy']}{how}: {word} random search at {settings.budget} rules, by {difference.estimate:+.3f} "
            f"[{difference.low:+.3f}, {difference.high:+.3f}]; random search needs {needs.estimate:.2f} "
            f"[{needs.low:.2f}, {needs.high:.2f}] times the rules."
        )
    return claims
