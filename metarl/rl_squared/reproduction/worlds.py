"""Experiments in several worlds: each is measured, then tables and figures of all are written."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metarl.errors import unknown_name
from metarl.reading import read_json_object
from metarl.reporting import Table
from metarl.runs import (
    Progress,
    RunDirectory,
    begin_or_go_on,
    experiment_folder,
    saying_how_to_go_on,
)

from .documents import finish
from .experiments import Experiment

SETTINGS = "settings.json"
Documents = Mapping[str, Mapping[str, Any]]  # by world
Written = tuple[Mapping[str, Table], Sequence[Path]]  # tables by name, and all files


@dataclass(frozen=True)
class WorldWork(abc.ABC):
    """One command at work."""

    settings: Mapping[str, Any]  # of the experiment
    scale: Mapping[str, Any]
    run: RunDirectory
    progress: Progress

    @abc.abstractmethod
    def measure(self, world: str) -> dict[str, Any]:
        """Returns the document of one world; what was measured is kept and not measured again."""


def reproduce_worlds(
    experiment: Experiment,
    scale: str,
    run_dir: str | Path | None,
    command: Sequence[str],
    progress: Progress,
    begin: type[WorldWork],
    write: Callable[[Path, Documents], Written],
) -> dict[str, Any]:
    """Measures all worlds of a scale and writes what came of it, or goes on with it.

    Args:
      experiment: its card.
      scale: a scale of its `settings.json`.
      run_dir: where everything is kept; `runs/FOLDER-SCALE` if None.
      command: the command line to record.
      progress: where progress is shown.
      begin: of the settings, those of the scale, the run and the progress.
      write: of the run's directory and the document of each world.

    Returns:
      "experiment", "scale", "run_dir", "tables", and "files" that were written.

    Raises:
      InvalidInput: there is no such scale, another reproduction is in that directory, or no checkout.
      KeyboardInterrupt: a signal came; the same command goes on.
    """
    settings = read_json_object(experiment_folder(experiment.folder) / SETTINGS)
    if scale not in settings["scales"]:
        raise unknown_name("scale", scale, settings["scales"])
    place = run_dir or experiment.run_dir(scale)  # type: ignore[arg-type]
    of_scale = settings["scales"][scale]
    run = begin_or_go_on(
        place,
        {experiment.name: experiment.folder, "scale": scale},
        command,
        progress.message,
        {**settings, "scales": {scale: of_scale}},
    )
    with run.lock(), saying_how_to_go_on(progress):
        work = begin(settings, of_scale, run, progress)
        documents = {world: work.measure(world) for world in of_scale["worlds"]}
        tables, files = write(run.path, documents)
        return finish(experiment, scale, run, {"tables": tables}, files)


def reproduction(
    begin: type[WorldWork], write: Callable[[Path, Documents], Written]
) -> Callable[..., dict[str, Any]]:
    """Returns `reproduce_worlds` of one experiment: of its card, scale, directory, command and progress.

    Args:
      begin: see `reproduce_worlds`.
      write: see `reproduce_worlds`.
    """

    def reproduce(
        experiment: Experiment,
        scale: str,
        run_dir: str | Path | None,
        command: Sequence[str],
        progress: Progress,
    ) -> dict[str, Any]:
        return reproduce_worlds(experiment, scale, run_dir, command, progress, begin, write)

    return reproduce
