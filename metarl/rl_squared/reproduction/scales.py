"""Scales: what a reproduction trains in each cell of a table, and how thoroughly, as data.

Beside the `settings.json` of a table (the paper's numbers and the classical columns) stands
`training.json`, which says for each scale what is trained:

    {"laptop": {"tasks": 10000,
                "learnt": {"RL²": {"paper": "RL²", "seeds": 1,
                                   "every": {"env_steps": 5000000},
                                   "cells": {"100x5": {"env_steps": 100000000}}}}}, ...}

Settings of a training are those of the preset of the scale's name, changed by `every`, then by the
cell's own; the world is the cell's.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metarl.classical_agents import PaperTable, read_table
from metarl.errors import InvalidInput, require, unknown_name
from metarl.reading import MOST_SETTINGS, read_json_object

from ..settings.config import TrainConfig, train_config
from ..settings.presets import preset
from ..settings.world_config import WorldConfig

FILE = "training.json"


@dataclass(frozen=True)
class Learnt:
    """A column of trained agents.

    Attributes:
      paper: the heading of the paper's numbers among the table's `others`; None if it has none.
      seeds: how many agents are trained in a cell, from seeds 0, 1, ...; the best on validation
        tasks stands in the table, all stand in the figure.
      every: settings in every cell.
      cells: settings by cell, over those.
      only: the only cells in which one is trained; none for all.
      agents: by cell, the name of the agent that comes with the package.
    """

    paper: str | None = None
    seeds: int = 1
    every: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: Sequence[str] = ()
    agents: Mapping[str, str] = field(default_factory=dict)

    def is_taught(self, cell: str) -> bool:
        """Tells whether agents of a cell imitate a classical one first."""
        return bool({**self.every, **self.cells.get(cell, {})}.get("warm_start"))

    def config(self, table: PaperTable, cell: str, scale: str, seed: int) -> TrainConfig:
        """Returns the settings of one training.

        Raises:
          InvalidInput: a setting is unknown or cannot be used.
        """
        world = {"environment": table.environment, **table.cells[cell]}
        own = {"world": world, "seed": seed}
        changes = (self.every, self.cells.get(cell, {}), own)
        return changed_config(scale, changes, f"{FILE}, cell {cell}")


@dataclass(frozen=True)
class Scale:
    """How thoroughly a table is reproduced.

    Attributes:
      learnt: the columns of trained agents, by heading.
      classical: the headings of the classical columns; none for all.
      tasks: of the test split; None for the table's own number.
      validation_tasks: likewise.
    """

    learnt: Mapping[str, Learnt]
    classical: Sequence[str] = ()
    tasks: int | None = None
    validation_tasks: int | None = None


def read_scale(folder: Path, name: str) -> Scale:
    """Returns a scale of an experiment.

    Args:
      folder: of the experiment.
      name: "smoke", "laptop" or "paper".

    Raises:
      InvalidInput: there is no such scale, or a setting is unknown.
    """
    path = folder / FILE
    scales = read_json_object(path, MOST_SETTINGS)
    if name not in scales:
        raise unknown_name("scale", name, scales)
    settings = _checked(Scale, scales[name], path)
    learnt = {
        heading: Learnt(**_checked(Learnt, column, path))
        for heading, column in settings.pop("learnt").items()
    }
    return Scale(learnt, **settings)


def table_at(scale: Scale, folder: Path, reference: str | None) -> PaperTable:
    """Returns the table of a folder at a scale, with the column `reference` whatever it leaves out."""
    table = read_table(folder / "settings.json")
    wanted = list(scale.classical) or list(table.columns)
    for heading in wanted:
        if heading not in table.columns:
            raise unknown_name("column", heading, table.columns)
    columns = {
        heading: column
        for heading, column in table.columns.items()
        if heading in wanted or heading == reference
    }
    tasks = scale.tasks or table.tasks
    validation_tasks = scale.validation_tasks or table.validation_tasks
    if scale.validation_tasks:
        columns = {
            heading: dataclasses.replace(column, validation_tasks=None)
            for heading, column in columns.items()
        }
    return dataclasses.replace(
        table, columns=columns, tasks=tasks, validation_tasks=validation_tasks
    )


def changed_config(name: str, changes: Iterable[Mapping[str, Any]], source: str) -> TrainConfig:
    """Returns the settings of a training: those of a preset, changed by one after another.

    Args:
      name: of the preset.
      changes: nested settings.
      source: where they stand, for the error.

    Raises:
      InvalidInput: a setting is unknown or cannot be used.
    """
    values = preset(name).to_json()  # type: ignore[arg-type]
    return train_config(functools.reduce(_changed, changes, values), source)


def world_config(values: Mapping[str, Any]) -> WorldConfig:
    """Returns the world that a JSON object describes."""
    return WorldConfig(**{**values, "setting": tuple(values.get("setting", ()))})


def _changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested settings with some of them changed."""
    changed = dict(values)
    for name, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(changed.get(name), Mapping)
        changed[name] = _changed(changed[name], value) if nested else value
    return changed


def _checked(kind: type, settings: Any, path: Path) -> dict[str, Any]:
    require(isinstance(settings, dict), f"{path}: {kind.__name__} must be an object of settings.")
    for name in settings:
        if name not in kind.__dataclass_fields__:
            raise InvalidInput(
                f"{path}: {unknown_name('setting', name, kind.__dataclass_fields__)}"
            )
    return dict(settings)
