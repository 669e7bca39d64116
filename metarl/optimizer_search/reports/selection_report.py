"""selection report: what the funnel, simplification and the look at meta-overfitting say, for terminal and page.

Everything is read off the document that `Funnel` leaves in a result; a run from before there was one says nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np

from metarl.reporting import (
    Column,
    Curve,
    Figure,
    Paragraph,
    Section,
    Table,
    curve_chart,
    interval_text,
)
from metarl.statistics import Interval

from ..selecting.choice import Choice
from .chart import Chart

_LABELS = {"choice": "choice data", "other_problems": "other problems"}
_ORDERS = {"mean": "mean score", "worst": "lowest score"}  # of several problems
_STAGES = {
    "search": "trained by the search",
    "choice": "ranked on choice data",
    "larger problems": "ranked on further problems",
    "simplification": "simpler rules judged",
    "comparison": "compared",
}


def selection_lines(selection: Mapping[str, Any], winner: Choice | None) -> list[str]:
    """Returns for a terminal how many rules each stage ranked, how the orders agreed, and what was dropped.

    Args:
      selection: the document, see `Funnel.select`; {} gives no line.
      winner: rank 1.
    """
    if not selection:
        return []
    counts = [f"{stage['rules']:,} {_STAGES[stage['name']]}" for stage in selection["stages"]]
    lines = [f"Rules: {', '.join(counts)}.", *_agreements(selection)]
    if winner is not None and len(winner.scores) > 1:
        lines.append(f"The winner's choice score: {_by_judge(winner.scores)}.")
    if winner is not None and winner.larger_score is not None:
        lines.append(f"The winner on further problems: {_by_judge(winner.larger_scores)}.")
    return [*lines, *_simplifications(selection), *_meta_overfitting(selection)]


def ranked_by(selection: Mapping[str, Any], winner: Choice) -> str:
    """Returns by what rules were ranked at last, with the problems where these are not those searched alone.

    Args:
      selection: the document, see `Funnel.select`.
      winner: rank 1.
    """
    if winner.larger_score is None:
        return "on choice data"
    if winner.joint_score is None:
        return f"on choice data of {', '.join(winner.larger_scores)}"
    names = ", ".join((*winner.scores, *winner.larger_scores))
    return f"by the {_order(selection)} on choice data of {names}"


def beside_rival(selection: Mapping[str, Any], winner: Choice, rival: Choice) -> str:
    """Returns the choice score of a rival and the winner's, then the scores that ranked them where these are others."""
    text = f"choice score {rival.choice_score:+.3f}, the winner's {winner.choice_score:+.3f}"
    if winner.joint_score is None or rival.joint_score is None:
        return text
    return f"{text}; {_order(selection)} {rival.joint_score:+.3f}, the winner's {winner.joint_score:+.3f}"


def selection_sections(selection: Mapping[str, Any]) -> list[Section]:
    """Returns the part of a report that says how the finalists were chosen; none for a run without the document."""
    if not selection:
        return []
    blocks: list[Any] = [_stages_table(selection), *map(Paragraph, _agreements(selection))]
    if selection["simplification"]:
        blocks.append(_simplification_table(selection))
    blocks += [Figure(chart.drawing, chart.caption) for chart in selection_charts(selection)]
    blocks += [Paragraph(text) for text in _meta_overfitting(selection)]
    return [Section("How the finalists were chosen", blocks)]


def selection_charts(selection: Mapping[str, Any]) -> list[Chart]:
    """Returns the chart of meta-overfitting; none where fewer than two rules led during the search."""
    found = selection.get("meta_overfitting", {})
    points = found.get("points", [])
    if len(points) < 2:
        return []
    trained = np.array([point["rules_trained"] for point in points], float)  # [N]
    curves = [Curve("search data", trained, np.array([p["search_score"] for p in points]))]
    for name in found["rank_correlation"]:
        mean, low, high = (
            np.array([nan if p[name][part] is None else p[name][part] for p in points])
            for part in ("mean", "low", "high")
        )
        curves.append(Curve(_LABELS[name], trained, mean, low, high))
    drawing = curve_chart(
        curves,
        "rules trained",
        "score of the best rule so far",
        "log",
        description=f"Scores of {len(points)} rules that led during the search, on search data and elsewhere.",
    )
    others = f" Other problems: {', '.join(found['problems'])}." if found["problems"] else ""
    caption = (
        "The rules that were the best so far, judged again on choice data and fresh seeds; bands are 95 % intervals "
        f"over seeds. Where the search's own score rises alone, it overfits its judges.{others}"
    )
    return [Chart("meta-overfitting", drawing, caption)]


def _order(selection: Mapping[str, Any]) -> str:
    return next(
        _ORDERS[stage["order"]]
        for stage in selection["stages"]
        if stage["name"] == "larger problems"
    )


def _stages_table(selection: Mapping[str, Any]) -> Table:
    columns = [
        Column("stage"),
        Column("rules"),
        Column("judged_by", "judged by"),
        Column("data"),
        Column("seeds"),
    ]
    rows = [
        {
            "stage": stage["name"],
            "rules": stage["rules"],
            "judged_by": ", ".join(stage["judged_by"]),
            "data": stage["data"],
            "seeds": stage["seeds"],
        }
        for stage in selection["stages"]
    ]
    return Table("From the search to the comparison: rules ranked at each stage", columns, rows)


def _simplification_table(selection: Mapping[str, Any]) -> Table:
    columns = [
        Column("rule", "rule that was found"),
        Column("simplified"),
        Column("score"),
        Column("simplified_score", "score, simplified"),
        Column("worse_by", "worse by"),
        Column("tried", "simpler rules judged", essential=False),
    ]
    rows = [{**entry, "worse_by": _worse_by(entry)} for entry in selection["simplification"]]
    notes = ["Scores on the same choice data and seeds, apart from those of the ranking."]
    return Table("What the finalists do not need", columns, rows, notes)


def _agreements(selection: Mapping[str, Any]) -> list[str]:
    """Returns a sentence for each stage that ranked what another had ranked before."""
    return [
        f"Order {'of the search' if stage['name'] == 'choice' else 'of choice data'} against "
        f"{_STAGES[stage['name']].removeprefix('ranked on ')}, {stage['rules']} rules: rank correlation "
        f"{_text(_interval(stage['rank_correlation'], 'estimate'))}."
        for stage in selection["stages"]
        if stage.get("rank_correlation") and stage["rules"] > 2
    ]


def _simplifications(selection: Mapping[str, Any]) -> list[str]:
    return [
        f"Simplified: {entry['rule']} -> {entry['simplified']}; score {entry['score']:+.3f} to "
        f"{entry['simplified_score']:+.3f}, worse by "
        f"{_text(_worse_by(entry))}."
        for entry in selection["simplification"]
        if entry["rule"] != entry["simplified"]
    ]


def _meta_overfitting(selection: Mapping[str, Any]) -> list[str]:
    """Returns how the scores of the leaders moved, and how far their orders agree."""
    found = selection.get("meta_overfitting", {})
    points = found.get("points", [])
    if len(points) < 2:
        return []
    first, last = points[0], points[-1]
    sentences = [
        f"From {first['rules_trained']:,} to {last['rules_trained']:,} rules trained the best search score went from "
        f"{first['search_score']:+.3f} to {last['search_score']:+.3f}"
    ]
    for name, correlation in found["rank_correlation"].items():
        told = f"on {_LABELS[name]} from {first[name]['mean']:+.3f} to {last[name]['mean']:+.3f}"
        if len(points) > 2:  # the order of two says nothing
            agreement = _text(_interval(correlation, "estimate"))
            told += f" (rank correlation {agreement} over {len(points)} rules that led)"
        sentences.append(told)
    return ["; ".join(sentences) + "."]


def _by_judge(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {score:+.3f}" for name, score in scores.items())


def _text(interval: Interval) -> str:
    return " ".join(interval_text(interval))


def _worse_by(entry: Mapping[str, Any]) -> Interval:
    """Returns what a simplified rule lost; of an older run that is a mean over pairs."""
    plain = entry["worse_by"]
    return _interval(plain, "iqm" if "iqm" in plain else "mean")


def _interval(plain: Mapping[str, Any], estimate: str) -> Interval:
    """Returns an interval from its plain form; null, where JSON lost an infinity, is an open end."""
    low, high = plain["low"], plain["high"]
    return Interval(
        nan if plain[estimate] is None else plain[estimate],
        -np.inf if low is None else low,
        np.inf if high is None else high,
    )
