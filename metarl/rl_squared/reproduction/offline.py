"""Key to door: what is learnt from random walks, by asking for a return and by imitating the best.

For each number of walks the agents are trained, some seeds of each, and played in the same test tasks as
a random walk and who knows what a key is for. Success is the share of episodes in which the door opened.

Reference: Chen et al. (2021), arXiv:2106.01345, section 5.4 and its table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.reading import read_json_object
from metarl.reporting import (
    Column,
    Curve,
    Table,
    curve_chart,
    to_markdown,
    write_csv,
    write_file,
    write_json,
)
from metarl.runs import Progress
from metarl.statistics import Mean, mean_interval

from ..evaluating.evaluation import evaluate
from .documents import slug
from .experiments import Experiment
from .scales import world_config
from .worlds import Documents, WorldWork, Written, reproduce_worlds

_NAME = "key-to-door"


class _Work(WorldWork):
    """One command at work on offline data of one size."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the rows of the table for one number of walks."""
        data = self.scale["worlds"][world]
        texts = {name: self._texts(name, data) for name in self.settings["agents"]}
        texts |= {name: [name] for name in self.settings["yardsticks"]}
        return {"rows": [self._kept(world, name, own) for name, own in texts.items()]}

    def _kept(self, world: str, name: str, texts: Sequence[str]) -> dict[str, Any]:
        """Returns the row of an agent, measured now if it was not before."""
        kept = self.run.path / f"{slug(world)}-walks-{slug(name)}.json"
        if not kept.is_file():
            write_json(kept, self._row(world, name, texts))
        return read_json_object(kept)

    def _texts(self, name: str, data: Mapping[str, Any]) -> list[str]:
        settings = ",".join(f"{key}={value}" for key, value in data.items())
        return [f"{name}:{settings},seed={seed}" for seed in range(self.scale["seeds"])]

    def _row(self, world: str, name: str, texts: Sequence[str]) -> dict[str, Any]:
        successes = []
        for text in texts:
            found = evaluate(
                [text],
                world=world_config(self.scale["world"]),
                tasks=self.scale["tasks"],
                say=self.progress.message,
            )
            (score,) = found.agents.values()
            successes.append(100 * np.asarray(score.totals))
            self.progress.message(f"{text}: the door opened in {successes[-1].mean():.1f} %")
        interval = mean_interval(np.concatenate(successes))
        published = self.settings["published"].get(world, {}).get(name)
        return {
            "walks": world,
            "agent": name,
            "published": published,
            "ours": interval._asdict(),
            "trainings": len(texts) if name in self.settings["agents"] else None,
        }


def reproduce_key_to_door(
    experiment: Experiment,
    scale: str,
    run_dir: str | Path | None,
    command: Sequence[str],
    progress: Progress,
) -> dict[str, Any]:
    """Trains and compares, or goes on with it; see `reproduce_worlds`."""
    return reproduce_worlds(experiment, scale, run_dir, command, progress, _Work, _write)


def success_table(documents: Documents) -> Table:
    """Returns the table: a row for each number of walks and agent."""
    rows = [
        {**row, "ours": Mean(**row["ours"])}
        for document in documents.values()
        for row in document["rows"]
    ]
    columns = [
        Column("walks", "random walks"),
        Column("agent"),
        Column("published", "Chen et al. (2021), %"),
        Column("ours", "ours, % [95 %]"),
        Column("trainings"),
    ]
    notes = [
        "Share of test tasks in which the door was opened; intervals are over tasks, those of all trainings "
        "together."
    ]
    return Table("Key to door", columns, rows, notes)


def _write(place: Path, documents: Documents) -> Written:
    table = success_table(documents)
    chart = curve_chart(
        _curves(table),
        "random walks to learn from",
        "the door was opened, %",
        x_scale="log",
        y_top=100,
    )
    files = [
        write_csv(place / f"{_NAME}.csv", table),
        write_file(place / f"{_NAME}.md", to_markdown(table)),
        chart.write_svg(place / f"{_NAME}.svg"),
        chart.write_png(place / f"{_NAME}.png"),
    ]
    return {"key to door": table}, files


def _curves(table: Table) -> list[Curve]:
    """Returns success against the number of walks: ours with bands, and the published numbers behind them."""
    curves = []
    for agent in dict.fromkeys(row["agent"] for row in table.rows):
        own = [row for row in table.rows if row["agent"] == agent]
        x = [int(row["walks"].replace(",", "")) for row in own]
        ours = [row["ours"] for row in own]
        y, low, high = ([getattr(mean, name) for mean in ours] for name in ("mean", "low", "high"))
        curves.append(Curve(agent, x, y, low, high))
        published = [row["published"] for row in own]
        if all(number is not None for number in published):
            curves.append(Curve(f"{agent}, published", x, published, foreground=False))
    return curves
