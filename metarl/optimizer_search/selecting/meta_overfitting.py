"""meta-overfitting: whether what a search gains on its own data is gained elsewhere too.

The rules that were the best so far at log-spaced moments of the search are judged again: by the search's judges on
choice data and fresh seeds, and by judges of problems that the search did not use. A search score that rises while the
others stay or fall is overfitting, of the search to its judges. The rank correlation says how far the orders agree.

Letters: N moments, S replicates.

Reference: Chen et al. (2023), "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, which calls it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.problems import Problem
from metarl.reporting import Column, Table, write_csv
from metarl.statistics import (
    Interval,
    bootstrap_interval,
    extended_mean,
    interval_to_json,
    rank_correlation,
)
from metarl.update_rules import Grammar

from ..judging.evaluators import Backend, local_evaluator
from ..judging.halving import HalvingPanel
from ..judging.judges import judges_of
from ..judging.panel import Panel, Scores, around, sweeping_trial
from ..judging.rewards import FLOOR
from ..searching.records import Leader
from ..settings.config import SearchConfig

META_OVERFITTING = "meta_overfitting.csv"
MOMENTS = 16
ELSEWHERE = (
    "choice",
    "other_problems",
)  # where rules are judged again; the latter if problems are named


def look_again(
    records: Sequence[Leader],
    choice: HalvingPanel,
    others: Sequence[Problem],
    grammar: Grammar,
    config: SearchConfig,
    backend: Backend = local_evaluator,
) -> dict[str, Any]:
    """Returns search scores beside those of fresh data and of other problems, for each record.

    Returns:
      "points": for each record rules_trained, rule, search_score, and under "choice" and, with others, under
      "other_problems" the score as {mean, low, high}; "problems": names of the others; "rank_correlation": under the
      same names that with the search score, as {estimate, low, high}.
    """
    if not records:
        return {"points": [], "problems": [p.name for p in others], "rank_correlation": {}}
    tokens = np.stack([record.tokens for record in records])
    rates = np.stack([record.learning_rates for record in records])
    found = {"choice": choice.scores(tokens, around(rates))}
    if others:
        found["other_problems"] = _scores_elsewhere(tokens, rates, others, grammar, config, backend)
    intervals = {name: _intervals(scores) for name, scores in found.items()}
    search = [float(record.reward) for record in records]
    points = [
        {
            "rules_trained": int(record.trained),
            "rule": str(grammar.to_rule(record.tokens).canonical()),
            "search_score": score,
            **{name: interval_to_json(row[place], "mean") for name, row in intervals.items()},
        }
        for place, (record, score) in enumerate(zip(records, search, strict=True))
    ]
    correlations = {
        name: interval_to_json(rank_correlation(search, [i.estimate for i in row]), "estimate")
        for name, row in intervals.items()
    }
    names = [problem.name for problem in others]
    return {"points": points, "problems": names, "rank_correlation": correlations}


def write_points(document: dict[str, Any], run_dir: Path) -> None:
    """Writes one row a moment into `meta_overfitting.csv` of the run."""
    columns = [Column(name) for name in ("rules_trained", "rule", "search_score")]
    kinds = [name for name in ELSEWHERE if any(name in point for point in document["points"])]
    columns += [Column(f"{name}_{part}") for name in kinds for part in ("mean", "low", "high")]
    rows = [
        {
            **{name: point[name] for name in ("rules_trained", "rule", "search_score")},
            **{f"{name}_{part}": point[name][part] for name in kinds for part in point[name]},
        }
        for point in document["points"]
    ]
    write_csv(run_dir / META_OVERFITTING, Table("meta-overfitting", columns, rows))


def _scores_elsewhere(
    tokens: np.ndarray,
    rates: np.ndarray,
    others: Sequence[Problem],
    grammar: Grammar,
    config: SearchConfig,
    backend: Backend,
) -> Scores:
    judges = judges_of(others, config.training.steps)
    seeds = config.final.funnel_seeds
    panel = Panel(
        judges,
        grammar,
        config,
        "meta-overfitting",
        lambda steps: sweeping_trial(steps, seeds, config),
        backend,
    )
    # a rule of a search with one multiple of Adam's rate for all problems takes it along
    carried = np.tile(rates[:, :1, None], (1, len(judges), 1)) if config.training.one_rate else None
    scores = panel.scores(tokens, carried)
    panel.close()
    return scores


def _intervals(scores: Scores) -> list[Interval]:
    """Returns the mean score of each rule with its interval over seeds; a run that diverged counts as the floor."""
    runs = np.where(np.isfinite(scores.replicates), scores.replicates, FLOOR)  # [N, S]
    return [bootstrap_interval(row, extended_mean) for row in runs]
