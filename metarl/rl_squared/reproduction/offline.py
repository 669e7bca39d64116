"""Key to door: what is learnt from random walks, by asking for a return and by imitating the best.

For each number of walks the agents are trained, some seeds of each with walks of their own, and played in the
same tasks as a random walk and who knows what a key is for. A row is an agent at some settings, named by the agent
and, after a comma, by what is special in them; rows of one agent stand beside the same published number, and who
has a published number alone (CQL) is quoted. Success is the share of episodes in which the door opened: in pairs of
key and door that the walks were made in, as in the paper, whose rooms have no other, and in pairs of the test
split, which nobody has seen.

Reference: Chen et al. (2021), arXiv:2106.01345, section 5.4 and its table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.environments import Split, play_split
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
from metarl.statistics import Interval, bootstrap_interval, extended_mean, fewest_runs

from ..agent.agent import make_trial
from ..evaluating.entrants import find_entrants
from .documents import slug
from .scales import world_config
from .worlds import Documents, WorldWork, Written, reproduction

_NAME = "key-to-door"
SPLITS: tuple[Split, ...] = ("train", "test")
_LUCK = 0  # seed of tasks and of what happens in them


class _Work(WorldWork):
    """One command at work on offline data of one size."""

    def measure(self, world: str) -> dict[str, Any]:
        """Returns the rows of the table for one number of walks."""
        data = self.scale["worlds"][world]
        texts = {name: self._texts(name, data) for name in self.settings["agents"]}
        texts |= {name: [name] for name in self.settings["yardsticks"]}
        rows = [self._row(world, name, own) for name, own in texts.items()]
        return {"rows": [*rows, *self._quoted(world, texts)]}

    def _quoted(self, world: str, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Returns the rows of who has a published number and is not measured here."""
        return [
            {"walks": world, "agent": name, "published": number, "trainings": None}
            | dict.fromkeys(SPLITS)
            for name, number in self.settings["published"].get(world, {}).items()
            if name not in measured
        ]

    def _texts(self, name: str, data: Mapping[str, Any]) -> list[str]:
        """Returns the agents of all seeds; each its own settings and those of the data."""
        given = {**self.settings["agents"][name], **data}
        settings = ",".join(f"{key}={value}" for key, value in given.items())
        return [f"{agent_of(name)}:{settings},seed={seed}" for seed in range(self.scale["seeds"])]

    def _row(self, world: str, name: str, texts: Sequence[str]) -> dict[str, Any]:
        opened = [self._opened(text) for text in texts]
        return {
            "walks": world,
            "agent": name,
            "published": self.settings["published"].get(world, {}).get(agent_of(name)),
            "trainings": len(texts) if name in self.settings["agents"] else None,
            **{split: [one[split] for one in opened] for split in SPLITS},
        }

    def _opened(self, text: str) -> dict[str, float]:
        """Returns in how many % of the episodes an agent opened the door, measured now if it was not before."""
        kept = self.run.path / "trainings" / f"{slug(text)}.json"
        if not kept.is_file():
            trial = make_trial(world_config(self.scale["world"]))
            (entrant,) = find_entrants([text])
            agent = entrant.make(trial)
            played = {
                split: play_split(agent, trial, _LUCK, self.scale["tasks"], split)
                for split in SPLITS
            }
            opened = {split: 100 * float(np.mean(one.totals)) for split, one in played.items()}
            kept.parent.mkdir(exist_ok=True)
            write_json(kept, opened)
            shares = ", ".join(f"{split} {share:.1f} %" for split, share in opened.items())
            self.progress.message(f"{text}: the door opened in {shares}")
        return read_json_object(kept)


def agent_of(name: str) -> str:
    """Returns the agent of a row."""
    return name.partition(", ")[0]


def success_table(documents: Documents) -> Table:
    """Returns the table: a row for each number of walks and agent."""
    rows = [
        {**row, **{split: _success(row, split) for split in SPLITS}, "range": _range(row)}
        for document in documents.values()
        for row in document["rows"]
    ]
    columns = [
        Column("walks", "random walks"),
        Column("agent"),
        Column("published", "Chen et al. (2021), %"),
        Column("train", "ours, pairs of the walks, % [95 %]"),
        Column("test", "ours, other pairs, % [95 %]"),
        Column("range", "of the trainings, other pairs"),
        Column("trainings"),
    ]
    notes = [
        "Share of episodes in which the door was opened. Intervals are over trainings, each with walks of its own; "
        f"none over fewer than {fewest_runs()}. They hold for these pairs of key and door: at the usual size 46 "
        "are those of the walks and nine the others, in each of which a greedy agent does the same every time."
    ]
    return Table("Key to door", columns, rows, notes)


def _success(row: Mapping[str, Any], split: str) -> Any:
    """Returns the mean over trainings with its interval; the mean alone of too few, or of who was not trained; None of
    who is quoted.
    """
    if row[split] is None:
        return None
    if (row["trainings"] or 0) < fewest_runs():
        return float(np.mean(row[split]))
    return bootstrap_interval(row[split], extended_mean)


def _range(row: Mapping[str, Any]) -> str | None:
    if row["trainings"] is None:
        return None
    return f"{min(row['test']):.0f} to {max(row['test']):.0f}"


def _write(place: Path, documents: Documents) -> Written:
    table = success_table(documents)
    chart = curve_chart(
        _curves(table),
        "random walks to learn from",
        "the door was opened in pairs of the walks, %",
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
    """Returns success against the number of walks: in the pairs of the walks, with bands, and the published."""
    curves, drawn = [], set()
    for agent in dict.fromkeys(row["agent"] for row in table.rows):
        own = [row for row in table.rows if row["agent"] == agent]
        x = [int(row["walks"].replace(",", "")) for row in own]
        ours = [row["train"] for row in own if row["train"] is not None]
        if ours and all(isinstance(one, Interval) for one in ours):
            y, low, high = zip(*ours, strict=True)
            curves.append(Curve(agent, x, y, low, high))
        elif ours:
            curves.append(Curve(agent, x, [getattr(one, "estimate", one) for one in ours]))
        published = [row["published"] for row in own]
        if all(number is not None for number in published) and agent_of(agent) not in drawn:
            drawn.add(agent_of(agent))
            curves.append(Curve(f"{agent_of(agent)}, published", x, published, foreground=False))
    return curves


reproduce_key_to_door = reproduction(_Work, _write)
