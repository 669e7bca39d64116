"""The report of a training: its agent beside classical ones, how it learnt, its settings; one page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import require
from metarl.reporting import (
    Code,
    Curve,
    Facts,
    Figure,
    Folded,
    Section,
    curve_chart,
    html_page,
    to_json,
    write_file,
)
from metarl.runs import RunDirectory, no_result_yet, stored_result, telling_of_damage

from .tables import evaluation_table, world_text

REPORT = "report.html"
_LOGGED = {"return": "training tasks", "validation_return": "validation tasks"}


def write_training_report(run_dir: str | Path) -> Path:
    """Writes `report.html` into the directory of a training that has ended and been evaluated.

    Returns:
      The path of the page.

    Raises:
      InvalidInput: this is no training, it has not ended, or its files are damaged.
      OSError: the page could not be written.
    """
    run = RunDirectory.open(run_dir)
    require(run.job == "train", f"Run {str(run.path)!r} is {run.described}, not a training.")
    result = stored_result(run)
    if result is None:
        raise no_result_yet(run)
    with telling_of_damage(run):
        page = _page(run, result)
    return write_file(run.path / REPORT, page)


def _page(run: RunDirectory, document: Mapping[str, Any]) -> str:
    evaluation = document["evaluation"]
    sections = [
        Section("On test tasks", [evaluation_table(evaluation), *_within_a_trial(evaluation)]),
        Section("Training", [*_learning(run.metrics.rows()), _facts(document)]),
        Section("How to repeat it", [Code(shlex.join(run.provenance["command"])), _settings(run)]),
    ]
    return html_page("A trained agent", sections, world_text(evaluation["environment"]))


def _within_a_trial(evaluation: Mapping[str, Any]) -> list[Figure]:
    """Returns the chart of returns by episode: who learns within a trial, and how fast."""
    scores = {**evaluation["yardsticks"], **evaluation["agents"]}
    curves = [
        Curve(
            text,
            range(1, len(score["per_episode"]) + 1),
            score["per_episode"],
            foreground="greedy_actions" in score,
        )
        for text, score in scores.items()
        if len(score["per_episode"]) > 1
    ]
    if not curves:
        return []
    drawing = curve_chart(curves, "episode of the trial", "mean return of the episode")
    return [Figure(drawing, "What each agent earns in the episodes of a trial.")]


def _learning(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Returns the chart of returns in training."""
    curves = []
    for name, label in _LOGGED.items():
        points = [(row["position"], row[name]) for row in rows if name in row]
        if points:
            steps, returns = np.array(points, dtype=float).T
            curves.append(Curve(label, steps, returns))
    if not curves:
        return []
    drawing = curve_chart(curves, "environment steps", "mean return of a trial")
    return [Figure(drawing, "The mean return of a trial while the agent was trained.")]


def _facts(document: Mapping[str, Any]) -> Facts:
    compiling = document.get("compile_seconds") or 0.0  # trainings of before have none
    compiled = f", and {compiling:.0f} of compiling" if compiling else ""
    by_chance = document.get("random_validation_return")
    beside = {} if by_chance is None else {"the same, acting at random": f"{by_chance:.4g}"}
    return Facts(
        {
            "warm start": document["warm_start"] or "none",
            "distilled": document.get("distilled") or "no",
            "environment steps": f"{document['env_steps']:,}",
            "seconds": f"{document['seconds'] - compiling:.0f}{compiled}",
            "steps per second": f"{document['steps_per_second']:,.0f}",
            "return on validation tasks": document["validation_return"],
            **beside,
        }
    )


def _settings(run: RunDirectory) -> Folded:
    return Folded(
        "Settings and provenance", [Code(to_json(run.config)), Code(to_json(run.provenance))]
    )
