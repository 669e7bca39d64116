"""Return against episodes within a task, as a table, a chart and CSV, made from its document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.reporting import (
    Column,
    Curve,
    Drawing,
    Table,
    counted,
    curve_chart,
    number_text,
    write_csv,
)

from .tables import read_mean, world_text


def within_task_table(document: Mapping[str, Any]) -> Table:
    """Returns when each learner reaches the return of an agent's first trial.

    Args:
      document: of an evaluation, with a part `from_scratch`.
    """
    part = document["from_scratch"]
    mark, window, episodes = part["mark_of"], part["window"], part["episodes"]
    rows = [
        _row(text, found, episodes)
        for text, found in part["agents"].items()
        if found["from_scratch"] or text == mark
    ]
    columns = [
        Column("agent"),
        Column("first", f"first {window} episodes, each"),
        Column("last", f"last {window} episodes, each"),
        Column("median", f"episodes to {mark}'s return (median task)"),
        Column("of_mean", "(mean over tasks)"),
        Column("share", "tasks in which it is reached", essential=False),
    ]
    if mark is None:
        columns = columns[:3]
    rows = [{column.name: row[column.name] for column in columns} for row in rows]
    notes = [
        f"From scratch: {counted(episodes, 'episode')} in each of {part['tasks']} test tasks. Intervals: 95 %, over "
        "tasks."
    ]
    if mark is not None:
        notes.append(
            f"Reached after n episodes: the last {window} of them, and all later ones, earn on average what {mark} "
            f"earns in its first trial of {window}."
        )
    where = world_text(document["environment"]).partition(", trials of")[0]
    return Table(f"{where}: within a task", columns, rows, notes)


def curve_table(document: Mapping[str, Any]) -> Table:
    """Returns the curves of all agents, a row for each block of episodes; for CSV."""
    columns = [Column(name) for name in ("agent", "from_scratch", "first_episode", "last_episode")]
    columns.append(Column("return", "mean return of an episode"))
    rows = [
        {
            "agent": text,
            "from_scratch": found["from_scratch"],
            "first_episode": point["first"],
            "last_episode": point["last"],
            "return": _mean_of(point),
        }
        for text, found in document["from_scratch"]["agents"].items()
        for point in found["curve"]
    ]
    return Table("Return against episodes", columns, rows)


def within_task_chart(document: Mapping[str, Any]) -> Drawing:
    """Returns the mean return of an episode against its number, on a logarithmic axis."""
    part = document["from_scratch"]
    names = [text.partition(":")[0] for text in part["agents"]]  # the table has the settings
    labels = names if len(set(names)) == len(names) else list(part["agents"])
    curves = [
        _curve(label, found, text == part["mark_of"] or found["from_scratch"])
        for label, (text, found) in zip(labels, part["agents"].items(), strict=True)
    ]
    return curve_chart(
        curves,
        "episode in the task",
        "mean return of the episode",
        "log",
        description="Return against episodes within a task: "
        + ", ".join(part["agents"])
        + ". Bands: 95 % over tasks.",
    )


def write_within_task(stem: Path, document: Mapping[str, Any]) -> list[Path]:
    """Writes table, curves and chart beside each other.

    Args:
      stem: path and name without an ending; `-within-a-task.csv`, `-curves.csv`, `-curves.svg` and
        `-curves.png` follow.
      document: of an evaluation, with a part `from_scratch`.

    Returns:
      The paths.
    """
    place = stem.parent
    drawing = within_task_chart(document)
    return [
        write_csv(place / f"{stem.name}-within-a-task.csv", within_task_table(document)),
        write_csv(place / f"{stem.name}-curves.csv", curve_table(document)),
        drawing.write_svg(place / f"{stem.name}-curves.svg"),
        drawing.write_png(place / f"{stem.name}-curves.png"),
    ]


def _row(text: str, found: Mapping[str, Any], episodes: int) -> dict[str, Any]:
    reached = found.get("reached_after")
    return {
        "agent": text,
        "first": read_mean(found["first"]),
        "last": read_mean(found["last"]),
        "median": reached and _episodes_text(reached["median"], episodes),
        "of_mean": reached and _episodes_text(reached["of_mean"], episodes),
        "share": reached and f"{reached['share']:.0%}",
    }


def _episodes_text(interval: Mapping[str, float | None], episodes: int) -> str:
    """Returns a number of episodes with its interval; null is infinite, or beside a finite number no interval."""
    bounds = [interval[name] for name in ("estimate", "low", "high")]
    estimate, low, high = (math.inf if bound is None else bound for bound in bounds)
    beyond = f">{episodes:,}"
    if math.isfinite(estimate) and not math.isfinite(low):
        return f"{number_text(estimate)} [–]"
    if not math.isfinite(low):
        return f"not within {episodes:,}"
    shown = [number_text(x) if math.isfinite(x) else beyond for x in (estimate, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _curve(label: str, found: Mapping[str, Any], foreground: bool) -> Curve:
    points = found["curve"]
    middles = [math.sqrt(point["first"] * point["last"]) for point in points]
    means = [_mean_of(point) for point in points]
    return Curve(
        label,
        middles,
        [mean.mean for mean in means],
        [mean.low for mean in means],
        [mean.high for mean in means],
        foreground=foreground,
    )


def _mean_of(point: Mapping[str, Any]) -> Any:
    return read_mean({name: point[name] for name in ("mean", "standard_error", "low", "high")})
