"""What a comparison of architectures writes: a table for each world, and learning curves.

Letters: S seeds; N points of a curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.reporting import (
    Column,
    Curve,
    Table,
    counted,
    curve_panels,
    to_markdown,
    write_csv,
    write_file,
)
from metarl.runs import RunDirectory
from metarl.statistics import bootstrap_interval, extended_mean, fewest_runs

from ..reports.tables import read_mean, world_text

_COLUMNS = (
    Column("architecture"),
    Column("return", "return of a trial"),
    Column("learning_rate", "learning rate"),
    Column("env_steps", "environment steps", digits=4),
    Column("steps_per_second", "steps a second"),
    Column("parameters", "parameters that act", digits=6),
)


class Learnt(NamedTuple):
    """How the seeds of an architecture learnt."""

    env_steps: np.ndarray  # [N]
    seconds: np.ndarray  # [N] of acting and learning, by the measured rate
    returns: np.ndarray  # [S, N] of training trials


def write_architectures(
    place: Path, name: str, documents: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Table], list[Path]]:
    """Writes tables and curves.

    Args:
      place: the directory.
      name: files begin with it.
      documents: by world; "environment", "tasks", "rates", "tuning", "runs" and "returns".

    Returns:
      The tables by world, and the paths of all files.
    """
    tables = {world: architecture_table(document) for world, document in documents.items()}
    files = [write_csv(place / f"{name}-{world}.csv", table) for world, table in tables.items()]
    page = "\n".join(to_markdown(table) for table in tables.values())
    files.append(write_file(place / f"{name}.md", page))
    files.append(write_csv(place / f"{name}-learning-rates.csv", _tries(documents)))
    learnt = {world: _learnt(document) for world, document in documents.items()}
    files.append(write_csv(place / f"{name}-curves.csv", _points(learnt)))
    for axis, label in (
        ("seconds", "seconds of acting and learning"),
        ("env_steps", "environment steps"),
    ):
        panels = {
            world_text(documents[world]["environment"]): [
                _curve(architecture, getattr(one, axis), one.returns)
                for architecture, one in rows.items()
            ]
            for world, rows in learnt.items()
        }
        drawing = curve_panels(panels, label, "return of a training trial", columns=1)
        stem = f"{name}-{axis.replace('_', '-')}"
        files.append(drawing.write_svg(place / f"{stem}.svg"))
        files.append(drawing.write_png(place / f"{stem}.png"))
    return tables, files


def architecture_table(document: Mapping[str, Any]) -> Table:
    """Returns the table of one world, the best first, with who knows nothing and who knows the task."""
    rates, tuning = document["rates"], document["tuning"]
    rows = [
        {
            **dict.fromkeys(column.name for column in _COLUMNS),
            "architecture": name,
            "return": _return(scores),
            **rates.get(name, {}),
            "learning_rate": tuning[name][0]["learning_rate"] if name in tuning else None,
        }
        for name, scores in document["returns"].items()
    ]
    rows.sort(key=lambda row: -row["return"].estimate)
    seeds, tries = (len(next(iter(document[part].values()))) for part in ("runs", "tuning"))
    over = "test tasks, of one training" if seeds == 1 else f"{seeds} trainings each"
    notes = [
        f"Intervals: 95 %, over {over}; none over fewer than {fewest_runs()}.",
        "Steps a second: acting and learning, warm, measured before the trainings.",
        f"Learning rate: the best of {tries} on validation tasks, with the first seed.",
    ]
    title = f"{world_text(document['environment'])}: {counted(document['tasks'], 'test task')}"
    return Table(title, _COLUMNS, rows, notes)


def _return(scores: Sequence[Mapping[str, float]]) -> Any:
    """Returns the mean return with its interval: over tasks for one agent, else over agents."""
    if len(scores) == 1:
        return read_mean(scores[0])
    return bootstrap_interval([score["mean"] for score in scores], extended_mean)


def _tries(documents: Mapping[str, Mapping[str, Any]]) -> Table:
    names = ("world", "architecture", "learning_rate", "validation_return")
    rows = [
        {"world": world, "architecture": architecture, **one}
        for world, document in documents.items()
        for architecture, tries in document["tuning"].items()
        for one in sorted(tries, key=lambda one: one["learning_rate"])
    ]
    return Table("Learning rates", [Column(name) for name in names], rows)


def _learnt(document: Mapping[str, Any]) -> dict[str, Learnt]:
    """Returns the curves of each architecture; its seeds have logged at the same steps."""
    found = {}
    for name, places in document["runs"].items():
        logs = [RunDirectory.open(place).metrics.rows() for place in places]
        steps = np.array([row["position"] for row in logs[0]], dtype=float)
        returns = np.array([[row["return"] for row in rows] for rows in logs], dtype=float)
        found[name] = Learnt(steps, steps / document["rates"][name]["steps_per_second"], returns)
    return found


def _curve(label: str, x: np.ndarray, returns: np.ndarray) -> Curve:
    """Returns the mean over seeds, and from the least to the largest as a band if they are several."""
    if len(returns) == 1:
        return Curve(label, x, returns[0])
    return Curve(label, x, returns.mean(axis=0), returns.min(axis=0), returns.max(axis=0))


def _points(learnt: Mapping[str, Mapping[str, Learnt]]) -> Table:
    names = ("world", "architecture", "seed", "env_steps", "seconds", "return")
    rows: list[dict[str, Any]] = [
        dict(zip(names, (world, architecture, seed, *point), strict=True))
        for world, ones in learnt.items()
        for architecture, one in ones.items()
        for seed, returns in enumerate(one.returns)
        for point in zip(one.env_steps, one.seconds, returns, strict=True)
    ]
    return Table("Learning curves", [Column(name) for name in names], rows)
