"""Worlds and what is learnt in them: one short training in each, beside who was made for the world.

Each family has a trained agent, a hand-made one that finds out by itself, one that knows the task where there is
such a one, and one that acts at random. The figure is the honest curve: what each training earns in validation
tasks, against its steps; the table what all earn in test tasks, in the first and in the last episode of a trial too,
which tells whether anything is learnt within one.

Reference: the families' own pages name where they come from; Duan et al. (2016), arXiv:1611.02779.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
from metarl.statistics import Mean

from ..evaluating.scores import ORACLE, RANDOM
from ..reports.tables import world_text
from .in_context import WaysWork
from .maps_and_rules import trainings_and_yardsticks
from .worlds import Documents, Written, reproduction

_NAME = "learnt-worlds"
_HAND_MADE, _KNOWING, _BLIND = "hand-made", "knows the task", "at random"
_NOTE = (
    "Intervals are over test tasks, of one training each; they do not tell how another training would differ. "
    "0 is who acts at random, 1 who knows the task, or else the hand-made agent."
)


def learnt_table(documents: Documents) -> Table:
    """Returns the table of all worlds: the trained, the hand-made, who knows the task and who acts at random.

    Args:
      documents: by world; see `WaysWork.measure`.
    """
    columns = [
        Column("world", whole=True),
        Column("agent"),
        Column("return", "return of a trial [95 %]"),
        Column("share", "0 random, 1 best"),
        Column("first", "first episode"),
        Column("last", "last episode"),
        Column("env_steps", "environment steps", digits=4),
        Column("seconds", "seconds of learning"),
    ]
    rows = [row for world, document in documents.items() for row in _rows(world, document)]
    learnt = [index for index, row in enumerate(rows) if row["env_steps"]]
    notes = [
        _NOTE,
        *(
            f"{world}: {world_text(one['environment'])}; {counted(one['tasks'], 'test task')}."
            for world, one in documents.items()
        ),
    ]
    return Table("Worlds and what is learnt in them", columns, rows, notes, learnt)


def _rows(world: str, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Returns the rows of one world, the best first."""
    agents = document["agents"]
    lowest = agents[RANDOM]["return"]["mean"]
    highest = agents.get(ORACLE, agents[document["reference"]])["return"]["mean"]
    known = highest > lowest  # and not random alone beside the trained
    for name, agent in sorted(agents.items(), key=lambda item: -item[1]["return"]["mean"]):
        yield {
            "world": world,
            "agent": f"{name} ({agent['mark']})" if agent.get("mark") else name,
            "return": Mean(**agent["return"]),
            "share": (agent["return"]["mean"] - lowest) / (highest - lowest) if known else None,
            "first": agent["per_episode"][0],
            "last": agent["per_episode"][-1],
            "env_steps": agent.get("env_steps"),
            "seconds": agent.get("seconds"),
        }


def learnt_panel(document: Mapping[str, Any]) -> list[Curve]:
    """Returns the curves of one world, against thousands of steps, for an axis that is logarithmic.

    Who is not trained has a name that is the same in all worlds.
    """
    roles = {document["reference"]: _HAND_MADE, ORACLE: _KNOWING, RANDOM: _BLIND}
    curves = trainings_and_yardsticks(document)
    begin = min(np.min(curve.x) for curve in curves if curve.foreground)  # there is no 0
    return [
        dataclasses.replace(
            curve,
            label=roles.get(curve.label, curve.label),
            x=np.maximum(curve.x, begin) / 1000,
        )
        for curve in curves
        if curve.foreground or curve.label in roles
    ]


def curve_table(documents: Documents) -> Table:
    """Returns the table of the figure: what each training earned in validation tasks, against its steps."""
    rows = [
        {"world": world, "agent": name, "env_steps": steps, "validation_return": earned}
        for world, document in documents.items()
        for name, agent in document["agents"].items()
        for steps, earned in agent.get("curve", ())
    ]
    columns = [Column(name) for name in ("world", "agent", "env_steps", "validation_return")]
    return Table("Curves", columns, rows)


def _write(place: Path, documents: Documents) -> Written:
    table = learnt_table(documents)
    panels = {_title(world, one): learnt_panel(one) for world, one in documents.items()}
    steps, earned = "thousand environment steps of training", "return of a trial"
    chart = curve_panels(panels, steps, earned, x_scale="log", height=1.8)
    files = [
        write_csv(place / f"{_NAME}.csv", table),
        write_csv(place / f"{_NAME}-curves.csv", curve_table(documents)),
        write_file(place / f"{_NAME}.md", to_markdown(table)),
        chart.write_svg(place / f"{_NAME}.svg"),
        chart.write_png(place / f"{_NAME}.png"),
    ]
    return {_NAME: table}, files


def _title(world: str, document: Mapping[str, Any]) -> str:
    name = document["reference"].partition(":")[0]
    return world if name == RANDOM else f"{world} (hand-made: {name})"


reproduce_learnt_worlds = reproduction(WaysWork, _write)
