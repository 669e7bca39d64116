"""rule tables: what tables of all rules of a space say of the space, of its judges, and of choosing the best of many.

A true score is that on test data, the learning rate chosen on choice data; minus the log of the loss over tuned Adam's
on the same replicate. Whatever is chosen on some replicates is measured on others.

Letters: K rules, J judges, S replicates, C checkpoints.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.errors import InvalidInput, require
from metarl.reading import Count, check_fields
from metarl.reporting import Column, Curve, Table, curve_panels
from metarl.statistics import mean_interval, rank_correlation
from metarl.update_rules import Grammar, resolve

from ..judging.rewards import FLOOR, relative_scores
from ..reports.chart import Chart
from ..tables import (
    RuleTable,
    TableJudge,
    beside_table,
    load_table,
    table_names,
    train_beside,
    truth,
)
from .work import Findings, Work

SEARCH, HELD_OUT = "search", "held-out"
_WIDEST, _DEPTHS = "modern-arxiv", (1, 2, 3, 4)  # the space of all functions; of grammars
_MOMENTS = ("eighth", "quarter", "half", "end")  # of a run, C


@dataclass(frozen=True)
class Settings:
    """Which tables, and how they are asked."""

    tables: tuple[str, ...] = ()
    """Names of tables; all that come with metarl if not given."""
    rules: tuple[str, ...] = ("powersign", "addsign", "adam", "m", "ortho(m)", "g", "sign(g)")
    """Rules whose place among the others is told, by name or text; m is momentum."""
    beside: bool = True
    """Train those of them that a table lacks on its replicates, so that their place is told too."""
    shown: tuple[Count, ...] = (1, 2, 4, 8)
    """Numbers of replicates that the best of many is chosen on."""
    draws: Count = 200
    """Draws of rules and replicates that optimism is averaged over; splits in halves."""
    most_rules: Count = 1000
    """The most rules whose ranks are correlated; of larger tables so many are drawn."""

    def __post_init__(self) -> None:
        check_fields(self)


def ask_tables(work: Work) -> Findings:
    """Answers for each table how many rules beat Adam, which are best, what predicts what, and what luck does."""
    settings: Settings = work.settings
    names = settings.tables or table_names()
    require(len(names) > 0, "There are no tables of rules; `metarl table` makes one.")
    tables, claims, numbers = {}, [], {}
    panels: dict[str, list[Curve]] = {}
    for name in names:
        table = load_table(name)
        name = table.name
        work.say(table.notice or f"{name}: the whole space, {len(table.tokens):,} rules")
        generator = np.random.default_rng([work.seed, len(panels)])
        missing = [text for text in settings.rules if _place(table, text) is None]
        beside = _beside(work, table, missing) if settings.beside and missing else None
        beating, best = _beating(table), _best(table, settings, generator, beside)
        ranks = _correlations(table, settings, generator)
        optimism = _optimism(table, settings, generator)
        tables |= {
            f"{name}-judges": _judges_table(table, beating),
            f"{name}-rules": _rules_table(table, best),
            f"{name}-correlations": _correlations_table(table, ranks),
            f"{name}-optimism": _optimism_table(table, optimism),
        }
        panels[name] = _curves(optimism)
        claims += _claims(table, beating, best, optimism)
        numbers[name] = {"judges": beating, **best, "correlations": ranks, "optimism": optimism}
    drawing = curve_panels(panels, "rules chosen from", "score less true score", x_scale="log")
    return Findings(claims, tables, [Chart("optimism", drawing, _OPTIMISM)], numbers)


_OPTIMISM = (
    "Optimism of the best of n: the search score of the best of n rules drawn at random, less its true score on other "
    "replicates; by the number of replicates that it was chosen on. Mean over draws with its 95 % interval."
)


def _beating(table: RuleTable) -> list[dict[str, Any]]:
    """Returns a row for each judge, and one for all: how many rules are better than tuned Adam."""
    runs = {judge.name: _runs(table, judge) for judge in table.whole_judges}  # [K, S] each
    rows = [_beating_row(judge.name, judge.role, runs[judge.name]) for judge in table.whole_judges]
    for role in (SEARCH, HELD_OUT):
        members = [runs[judge.name] for judge in table.whole_judges if judge.role == role]
        if len(members) > 1:
            everywhere = np.min([one.mean(axis=1) for one in members], axis=0)
            row = _beating_row(f"mean of {role} problems", role, np.mean(members, axis=0))
            rows.append({**row, "on_each": int((everywhere > 0).sum())})
    everywhere = np.min([one.mean(axis=1) for one in runs.values()], axis=0)
    row = _beating_row("mean of all", "", np.mean(list(runs.values()), axis=0))
    return [*rows, {**row, "on_each": int((everywhere > 0).sum())}]


def _beating_row(name: str, role: str, runs: np.ndarray) -> dict[str, Any]:
    """Returns how many rules are ahead, and clearly so; runs [K, S], the floor where one diverged."""
    intervals = [mean_interval(row) for row in runs]
    means = runs.mean(axis=1)
    good = (runs > FLOOR).all(axis=1)
    return {
        "judge": name,
        "role": role,
        "ahead": int((means > 0).sum()),
        "clearly": sum(interval.low > 0 for interval in intervals),
        "noise": float(np.median(runs[good].std(axis=1, ddof=1))) if good.any() else None,
        "spread": float(np.subtract(*np.quantile(means, [0.99, 0.5]))),
        "on_each": None,
    }


def _runs(table: RuleTable, judge: TableJudge) -> np.ndarray:
    """Returns the true scores of all runs of each rule at its rate of the best choice score, [K, S]."""
    rate = table.scores(judge, "choice").argmax(axis=1)
    losses = table.test(judge)[np.arange(len(rate)), rate]
    return np.maximum(relative_scores(losses, judge.adam["test"]), FLOOR)


def _best(
    table: RuleTable,
    settings: Settings,
    generator: np.random.Generator,
    beside: RuleTable | None = None,
) -> dict[str, Any]:
    """Returns the true scores, where the named rules stand, and what the best is worth on other replicates.

    Args:
      table: of the rules.
      settings: which are named.
      generator: of the splits in halves.
      beside: the named rules that the table lacks, in their order; None if they were not trained.
    """
    judges = {
        role: [j for j in table.whole_judges if j.role == role] for role in (SEARCH, HELD_OUT)
    }
    means = {role: truth(table, found) for role, found in judges.items() if found}
    order = np.argsort(-means[SEARCH], kind="stable")
    places = {int(place): None for place in order[:5]}
    named = {text: _place(table, text) for text in settings.rules}
    places |= {place: None for place in named.values() if place is not None}
    rank = np.empty(len(order), int)
    rank[order] = np.arange(1, len(order) + 1)
    rows = [
        {
            "rank": int(rank[place]),
            "rule": table.rule(place),
            "name": ", ".join(text for text, at in named.items() if at == place),
            "size": int(table.sizes[place]),
            "inside": "yes",
            **{role: float(mean[place]) for role, mean in means.items()},
        }
        for place in sorted(places, key=lambda place: rank[place])
    ]
    missing = [text for text, place in named.items() if place is None]
    if beside is not None:
        rows += _rows_beside(beside, missing, means, judges)
        rows.sort(key=lambda row: (row["rank"], row["inside"]))  # ahead of whose rank they take
    fresh = []
    for _ in range(settings.draws):  # the best by one half, as the other half sees it
        half = generator.permutation(table.replicates)[: table.replicates // 2]
        shown = [s for s in range(table.replicates) if s not in half]
        chosen = int(truth(table, judges[SEARCH], shown).argmax())
        fresh.append(truth(table, judges[SEARCH], half.tolist())[chosen])
    return {"rules": rows, "missing": missing, "best_fresh": float(np.mean(fresh))}


def _rows_beside(
    beside: RuleTable,
    texts: Sequence[str],
    means: Mapping[str, np.ndarray],
    judges: Mapping[str, Sequence[TableJudge]],
) -> list[dict[str, Any]]:
    """Returns a row for each rule that a table lacks, under the rank that it would have there."""
    own = {
        role: truth(beside, [beside.judge(judge.name) for judge in judges[role]]) for role in means
    }
    return [
        {
            "rank": 1 + int((means[SEARCH] > own[SEARCH][place]).sum()),
            "rule": beside.rule(place),
            "name": text,
            "size": int(beside.sizes[place]),
            "inside": "no",
            **{role: float(mean[place]) for role, mean in own.items()},
        }
        for place, text in enumerate(texts)
    ]


def _beside(work: Work, table: RuleTable, texts: Sequence[str]) -> RuleTable:
    """Returns rules that a table lacks, trained on its replicates; measured once."""
    grammar = _grammar_of(table, texts)
    tokens = np.stack([grammar.to_tokens(resolve(text)) for text in texts])
    losses = {}
    for judge in table.whole_judges:

        def measure(judge: TableJudge = judge) -> Mapping[str, Any]:
            work.say(f"{table.name}, {judge.name}: {', '.join(texts)} beside it")
            return train_beside(table, judge, grammar, tokens)

        part = f"{table.name}-{judge.name}-beside".replace(" ", "-")
        losses[judge.name] = work.arrays(part, measure)
    return beside_table(table, grammar, tokens, losses)


def _grammar_of(table: RuleTable, texts: Sequence[str]) -> Grammar:
    """Returns the grammar of the fewest groups that writes all rules, in the table's space or else the widest."""
    for space in (table.space, _WIDEST):
        for depth in _DEPTHS:
            grammar = Grammar(space, depth)
            with contextlib.suppress(InvalidInput):
                for text in texts:
                    grammar.to_tokens(resolve(text))
                return grammar
    raise InvalidInput(f"No space writes all of these rules: {', '.join(texts)}.")


def _place(table: RuleTable, text: str) -> int | None:
    """Returns where a rule stands in a table; None if its space cannot write it, or its filters stop it."""
    try:
        tokens = table.grammar.to_tokens(resolve(text))
    except InvalidInput:
        return None
    place = int(table.place_of(tokens[None])[0])
    return place if place >= 0 else None


def _correlations(
    table: RuleTable, settings: Settings, generator: np.random.Generator
) -> list[dict[str, Any]]:
    """Returns rank correlations of what a search sees with true scores on other replicates.

    A row for each judge: its search losses at each checkpoint on half of the replicates, and at the end on one alone,
    with its own true score on the other half; and at the end with the true scores of each judge of whole runs.
    """
    count = len(table.tokens)
    rules = np.sort(generator.permutation(count)[: settings.most_rules])
    seen = generator.permutation(table.replicates)[: table.replicates // 2]
    true = {judge.name: truth(table, judge, seen.tolist())[rules] for judge in table.judges}
    held_out = [true[judge.name] for judge in table.whole_judges if judge.role == HELD_OUT]
    rows = []
    for judge in table.judges:
        along = [_seen(table, judge, seen, place)[rules] for place in range(len(_MOMENTS))]
        own = true[judge.name]
        others = [true[j.name] for j in table.whole_judges if j.problem != judge.problem]
        elsewhere = held_out if judge.role == SEARCH else others
        row: dict[str, Any] = {"judge": judge.name, "role": judge.role}
        for name, scores in zip(_MOMENTS, along, strict=True):
            row[name] = rank_correlation(scores, own)
        row["one_replicate"] = rank_correlation(_seen(table, judge, seen[:1], -1)[rules], own)
        row["held_out"] = (
            rank_correlation(along[-1], np.mean(elsewhere, axis=0)) if elsewhere else None
        )
        for other in table.whole_judges:
            row[f"to {other.name}"] = rank_correlation(along[-1], true[other.name])
        rows.append(row)
    return rows


def _seen(
    table: RuleTable, judge: TableJudge, replicates: np.ndarray, checkpoint: int
) -> np.ndarray:
    """Returns the score on search data at a checkpoint, at the rate that is best there, [K]."""
    losses = table.losses(judge)[:, :, replicates, checkpoint]  # [K, R, F]
    scores = relative_scores(losses, judge.adam["search"][replicates])
    return np.maximum(scores.mean(axis=2).max(axis=1), FLOOR)


def _optimism(
    table: RuleTable, settings: Settings, generator: np.random.Generator
) -> list[dict[str, Any]]:
    """Returns how much too good the best of n rules looks, chosen by its search score on a few replicates."""
    judges = [judge for judge in table.whole_judges if judge.role == SEARCH]
    count, total = len(table.tokens), table.replicates
    sizes = sorted({*(2 ** np.arange(2, int(np.log2(count)) + 1)).tolist(), count})
    shown = [number for number in settings.shown if number <= total // 2]
    found: dict[tuple[int, int], list[tuple[Any, Any, Any]]] = {}
    for _ in range(settings.draws):
        order, rules = generator.permutation(total), generator.permutation(count)
        true = truth(table, judges, order[: total // 2].tolist())  # on the other half
        for number in shown:
            scores = np.mean([_seen(table, judge, order[:number], -1) for judge in judges], axis=0)
            for size in sizes:
                drawn = rules[:size]
                best = drawn[np.argmax(scores[drawn])]
                value = (scores[best] - true[best], true[best], np.max(true[drawn]))
                found.setdefault((number, size), []).append(value)
    return [
        {
            "replicates": number,
            "rules": size,
            "optimism": mean_interval([value[0] for value in values]),
            "true_score": mean_interval([value[1] for value in values]),
            "best": float(np.mean([value[2] for value in values])),
        }
        for (number, size), values in found.items()
    ]


def _judges_table(table: RuleTable, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("judge"),
        Column("role"),
        Column("ahead", "rules ahead of tuned Adam"),
        Column("clearly", "clearly"),
        Column("on_each", "ahead on each"),
        Column("noise", "noise of a run"),
        Column("spread", "best 1 % less median"),
    ]
    notes = [
        f"{len(table.tokens):,} rules, {table.replicates} replicates. Ahead: the mean true score is above 0; clearly: "
        "its 95 % interval over replicates is (of so many rules some are by luck). Noise: standard deviation of a "
        "rule's true score from run to run, median over rules. Adam's learning rate is the best of 15 on the test data "
        "of the same replicates, a rule's is chosen on choice data."
    ]
    return Table(f"{table.name}: rules that beat tuned Adam", columns, list(rows), notes)


def _rules_table(table: RuleTable, best: Mapping[str, Any]) -> Table:
    columns = [
        Column("rank"),
        Column("rule"),
        Column("name", "asked for as"),
        Column("size", "nodes"),
        Column("inside", "in the table"),
        Column(SEARCH, "true score, search problems"),
        *([Column(HELD_OUT, "on held-out problems")] if HELD_OUT in best["rules"][0] else []),
    ]
    trained = any(row["inside"] == "no" for row in best["rules"])
    missing = (
        f" Not in the table, but trained beside it on its replicates, under the rank that they would have: "
        f"{', '.join(best['missing'])}."
        if trained
        else f" Not in the table: {', '.join(best['missing'])}."
        if best["missing"]
        else ""
    )
    notes = [
        f"The best by mean true score over the search problems, of {len(table.tokens):,}, and rules by name. The best "
        f"by one half of the replicates has {best['best_fresh']:.3g} on the other, mean over splits; the score of the "
        f"table's first is the best of many, and has their luck.{missing}"
    ]
    return Table(
        f"{table.name}: the best rules, and those that are known", columns, best["rules"], notes
    )


def _correlations_table(table: RuleTable, rows: Sequence[Mapping[str, Any]]) -> Table:
    titles = {
        "eighth": "own, after 1/8",
        "quarter": "after 1/4",
        "half": "after 1/2",
        "end": "at the end",
        "one_replicate": "at the end, one replicate",
        "held_out": "with held-out problems",
    }
    columns = [Column("judge"), Column("role"), *(Column(n, t) for n, t in titles.items())]
    columns += [
        Column(f"to {judge.name}", f"with {judge.name}", essential=False)
        for judge in table.whole_judges
    ]
    notes = [
        f"Spearman's rank correlation over rules of the search score on {table.replicates // 2} replicates with true "
        "scores on the others, 95 % bootstrap intervals over rules. Held-out problems: their mean true score; for a "
        "held-out judge the mean of all others."
    ]
    return Table(f"{table.name}: what predicts what", columns, list(rows), notes)


def _optimism_table(table: RuleTable, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("replicates"),
        Column("rules", "rules chosen from"),
        Column("optimism", "score less true score"),
        Column("true_score", "true score"),
        Column("best", "the best of them"),
    ]
    notes = [
        "The rule of the best search score on so many replicates; true scores on the other half of all."
    ]
    return Table(f"{table.name}: optimism of the best of n", columns, list(rows), notes)


def _curves(rows: Sequence[Mapping[str, Any]]) -> list[Curve]:
    curves = []
    for number in dict.fromkeys(row["replicates"] for row in rows):
        own = [row for row in rows if row["replicates"] == number]
        means = [row["optimism"] for row in own]
        label = f"{number} replicate{'s' if number > 1 else ''}"
        sizes = [row["rules"] for row in own]
        bands = [m.low for m in means], [m.high for m in means]
        curves.append(Curve(label, sizes, [m.mean for m in means], *bands))
    return curves


def _claims(
    table: RuleTable,
    beating: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    optimism: Sequence[Mapping[str, Any]],
) -> list[str]:
    total, first = len(table.tokens), next(row for row in best["rules"] if row["inside"] == "yes")
    alone = [row for row in beating if row["on_each"] is None]
    counts = ", ".join(f"{row['judge']} {row['clearly']}" for row in alone)
    ranks = ", ".join(f"{row['name']} {row['rank']}" for row in best["rules"] if row["name"])
    whole = [row for row in optimism if row["rules"] == total]
    lucks = ", ".join(f"{row['optimism'].mean:.3f} on {row['replicates']}" for row in whole)
    return [
        f"{table.name}: of {total:,} rules clearly ahead of tuned Adam: {counts}; ahead on each of the problems: "
        f"{beating[-1]['on_each']}.",
        f"{table.name}: the best rule is {first['rule']}, true score {first[SEARCH]:+.3f} on the search problems; the "
        f"best by one half of the replicates has {best['best_fresh']:+.3f} on the other. Rank of known rules: "
        f"{ranks or 'none'}.",
        f"{table.name}: the best of all by its search score looks too good by {lucks} replicates.",
    ]
