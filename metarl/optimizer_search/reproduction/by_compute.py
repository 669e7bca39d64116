"""by compute: the true score of what leads a search, against the rules trained until then, and what twice as many gain.

No score is known to be the best that there is, so that there is no regret to go to nothing by a power of the rules, as
there is on a table (arena_elsewhere.py). What is fitted is a gain in score for each doubling of the rules: for each
search the least-squares line of its scores over the logarithm of the positions, at which all searches of all rivals
have a leader. The gain of its lead is that of the difference to random search, seed by seed.

A rule that diverges on one fresh seed may decide a mean over searches; so beside the means stand interquartile means
(IQM), which one search cannot decide, and these are drawn.

Letters: S searches of a rival, M positions, F fresh seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metarl.reporting import Column, Table, curve_panels
from metarl.statistics import bootstrap_interval, mean_interval

from ..reports.chart import Chart
from ..settings.strategies_config import RANDOM
from .searches import Log, at_positions, bounded, search_curve, signed, slope_weights
from .work import Findings

Runs = Mapping[str, Sequence[Log]]  # by rival, with what `leaders` gives of each search


def by_compute(runs: Runs, positions: Sequence[int]) -> Findings:
    """Returns true scores against compute, and what a doubling of it gains; positions rise, [M]."""
    rows, gains = compute_rows(runs, positions), gain_rows(runs, positions)
    return Findings(
        claims=[_claim(row) for row in gains],
        tables={
            "compute": _compute_table(rows),
            **({"gains": _gain_table(gains)} if gains else {}),
        },
        charts=_charts(runs, positions),
        numbers={
            "compute": rows,
            "gains": gains,
            "leaders": {
                name: {
                    "rules": [run["led_rules"].tolist() for run in found],
                    "true_scores": _none_for_nan(true_scores(found)),
                    "since": [run["led_since"].tolist() for run in found],
                }
                for name, found in runs.items()
            },
        },
    )


def compute_rows(runs: Runs, positions: Sequence[int]) -> list[dict[str, Any]]:
    """Returns a row for each rival and position: what its searches are worth there, and what they cost until then.

    A rival of which a search has no leader yet has no scores there.
    """
    scores = {name: true_scores(found) for name, found in runs.items()}
    rows = []
    for name, found in runs.items():
        minutes = _until(found, "seconds", positions) / 60.0  # [S, M]
        steps = _until(found, "steps", positions)
        for place, position in enumerate(positions):
            own, others = scores[name][:, place], scores[RANDOM][:, place]
            led = not np.isnan(own).any()
            compared = led and name != RANDOM and not np.isnan(others).any()
            rows.append(
                {
                    "strategy": name,
                    "rules": position,
                    "true_score": mean_interval(own) if led else None,
                    "difference": mean_interval(own - others) if compared else None,
                    "true_score_iqm": bootstrap_interval(own) if led else None,
                    "difference_iqm": bootstrap_interval(own - others) if compared else None,
                    "better": _clearly_better(found, place) if led else None,
                    "minutes": float(np.median(minutes[:, place])) if led else None,
                    "steps": float(np.mean(steps[:, place])) if led else None,
                }
            )
    return rows


def gain_rows(runs: Runs, positions: Sequence[int]) -> list[dict[str, Any]]:
    """Returns a row for each rival: what a doubling of the rules gains; none where fewer than two positions serve."""
    scores = {name: true_scores(found) for name, found in runs.items()}
    serve = np.all([~np.isnan(found).any(axis=0) for found in scores.values()], axis=0)  # [M]
    fitted = np.asarray(positions, float)[serve]
    if len(fitted) < 2:
        return []
    weights = slope_weights(np.log2(fitted))
    served = {name: found[:, serve] for name, found in scores.items()}
    # less the first score, which alters no slope: one that stays the same gains nothing, not 1e-17
    gains = {name: (found - found[:, :1]) @ weights for name, found in served.items()}  # [S] each
    ends = {name: found[:, -1] for name, found in served.items()}
    return [
        {
            "strategy": name,
            "first": int(fitted[0]),
            "last": int(fitted[-1]),
            "gain": mean_interval(gains[name]),
            "lead": None if name == RANDOM else mean_interval(ends[name] - ends[RANDOM]),
            "lead_gain": None if name == RANDOM else mean_interval(gains[name] - gains[RANDOM]),
            "gain_iqm": bootstrap_interval(gains[name]),
            "lead_gain_iqm": None
            if name == RANDOM
            else bootstrap_interval(gains[name] - gains[RANDOM]),
        }
        for name in runs
    ]


def true_scores(found: Sequence[Log]) -> np.ndarray:
    """Returns the mean over fresh seeds of what leads each search at each position, [S, M]; NaN where nobody does."""
    return np.stack([run["led_scores"].mean(axis=1) for run in found])


def _compute_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Returns the rows of `compute_rows` as a table; those without a score are left out."""
    columns = [
        Column("strategy", "rival"),
        Column("rules", "rules trained", whole=True),
        Column("true_score", "true score"),
        Column("difference", "less random search's", better="higher"),
        Column("true_score_iqm", "true score, IQM"),
        Column("difference_iqm", "less random search's, IQM", better="higher"),
        Column("better", "clearly better than Adam"),
        Column("minutes", digits=2),
        Column("steps", "optimizer steps", essential=False),
    ]
    notes = [
        "True score: of the rule that leads by its reward in the search when so many rules are trained, minus the log "
        "of the loss over Adam's on fresh seeds, both tuned there; the rule that the choice hands over in the end may "
        "be another. A generation counts when it has ended; where a search has ended none yet there is no row. "
        "Minutes: the median over searches, of proposing and training, without compiling, on one machine with other "
        "work beside. Optimizer steps: the mean. Intervals: 95 % over searches (of means Student's t, of IQM the "
        "bootstrap's), paired by seed.",
    ]
    shown = [_shown(row) for row in rows if row["true_score"] is not None]
    return Table("True score against compute", columns, shown, notes)


def _gain_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Returns the rows of `gain_rows` as a table."""
    columns = [
        Column("strategy", "rival"),
        Column("gain", "gain in true score a doubling", better="higher"),
        Column("lead", f"less random search's at {rows[0]['last']:,} rules", better="higher"),
        Column("lead_gain", "gain of that lead a doubling", better="higher"),
        Column("gain_iqm", "gain, IQM", better="higher"),
        Column("lead_gain_iqm", "gain of that lead, IQM", better="higher"),
    ]
    notes = [
        f"Slopes of least-squares lines of true score over log2 of rules trained, from {rows[0]['first']:,} to "
        f"{rows[0]['last']:,}, one for each search; their mean with its 95 % interval (Student's t), and their IQM "
        "with the bootstrap's, paired by seed."
    ]
    named = {column.name for column in columns}
    shown = [{k: v for k, v in _shown(row).items() if k in named} for row in rows]
    return Table("What twice the rules gain", columns, shown, notes)


def _charts(runs: Runs, positions: Sequence[int]) -> list[Chart]:
    """Returns true scores against rules trained and against minutes, a line for each rival; none if nobody led."""
    by_rules, by_minutes = [], []
    for name, found in runs.items():
        scores = true_scores(found)
        if np.isnan(scores).any(axis=0).all():
            continue
        minutes = np.median(_until(found, "seconds", positions), axis=0) / 60.0  # [M]
        by_rules.append(search_curve(name, np.asarray(positions), scores))
        by_minutes.append(search_curve(name, minutes, scores))
    if not by_rules:
        return []
    drawing = curve_panels(
        {"by rules": by_rules, "by the clock": by_minutes},
        ("rules trained", "minutes of search, without compiling"),
        "true score",
        x_scale="log",
        height=3.0,
    )
    caption = (
        "True score of the rule that leads a search, on fresh seeds, against rules trained and against the median "
        "search's minutes until then; IQM over searches with its 95 % bootstrap interval."
    )
    return [Chart("compute", drawing, caption)]


def _none_for_nan(values: np.ndarray) -> list[Any]:
    """Returns numbers as JSON can hold them."""
    return [[None if np.isnan(x) else float(x) for x in row] for row in values]


def _until(found: Sequence[Log], name: str, positions: Sequence[int]) -> np.ndarray:
    """Returns a column of the logs at the end of the last generation before each position, [S, M]."""
    places = np.asarray(positions, float)
    return np.stack([at_positions(places, run["trained"], run[name]) for run in found])


def _clearly_better(found: Sequence[Log], place: int) -> int:
    """Returns of how many searches the leader has an interval above tuned Adam, over fresh seeds."""
    return sum(mean_interval(run["led_scores"][place]).low > 0 for run in found)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row as tables show it."""
    return {name: bounded(value) for name, value in row.items()}


def _claim(row: Mapping[str, Any]) -> str:
    span = f"from {row['first']:,} to {row['last']:,} rules"
    told = f"{row['strategy']}, {span}: a doubling of the rules gains {signed(row['gain'])} in true score"
    if row["lead_gain"] is None:
        return f"{told}."
    side = int(row["lead_gain"].low > 0) - int(row["lead_gain"].high < 0)
    word = {1: "grows", 0: "does not clearly change", -1: "shrinks"}[side]
    return (
        f"{told}; what it is ahead of random search, {signed(row['lead'])} in the end, {word}: "
        f"{signed(row['lead_gain'])} a doubling; IQM {signed(row['lead_gain_iqm'])}."
    )
