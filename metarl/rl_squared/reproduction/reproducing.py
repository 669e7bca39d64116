"""Reproduction of the paper's tables and figures: theirs, ours, and the difference, cell by cell.

    classical   every agent of the table, its settings chosen on validation tasks
    trained     in each cell: train, or go on where it stopped; the best seed on validation tasks
    evaluated   on the test tasks of the classical agents
    written     table.csv, table.md, and the learning curves as a figure

An experiment is a row of `EXPERIMENTS` and data in `experiments/`. Whatever has been measured or trained lies in
the run's directory and is not done again, so the same command goes on where it stopped; a figure
and the table of the same cells share their trainings.

Reference: Duan et al. (2016), arXiv:1611.02779, tables 1 and 2, figures 2 and 3; Mishra et al. (2018),
arXiv:1707.03141, table 1.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from metarl.classical_agents import PaperCell, PaperTable, reproduce_table
from metarl.errors import require, unknown_name
from metarl.reading import read_json_object
from metarl.reporting import write_json
from metarl.runs import (
    Progress,
    RunDirectory,
    ScaleName,
    begin_or_go_on,
    experiment_folder,
    progress_on_stderr,
    saying_how_to_go_on,
)

from ..agent.agent_files import agent_names, load
from ..evaluating.evaluation import evaluate
from ..learning.training import train_in
from ..reports.learning_curves import write_curves
from .architectures import reproduce_architectures
from .cell_lines import by_cell, learnt_line
from .control import reproduce_control
from .documents import finish, slug
from .experiments import (
    ARCHITECTURES,
    CONTROL,
    EXPERIMENTS,
    IN_CONTEXT,
    KEY_TO_DOOR,
    LEARNT_WORLDS,
    MAPS_AND_RULES,
    PLANNERS,
    TWO_STEP,
    Experiment,
)
from .in_context import reproduce_in_context
from .learnt_worlds import reproduce_learnt_worlds
from .maps_and_rules import reproduce_maps_and_rules
from .mazes import MAZES, reproduce_mazes
from .offline import reproduce_key_to_door
from .planners import reproduce_planners
from .result_tables import write_tables
from .scales import FILE, Learnt, Scale, read_scale, table_at
from .several_trainings import read_several, several
from .two_step import reproduce_two_step

_ANEW = "anew"  # the folder of means that are measured though they are known
_WHOLE = {  # without cells
    CONTROL: reproduce_control,
    ARCHITECTURES: reproduce_architectures,
    IN_CONTEXT: reproduce_in_context,
    KEY_TO_DOOR: reproduce_key_to_door,
    LEARNT_WORLDS: reproduce_learnt_worlds,
    MAPS_AND_RULES: reproduce_maps_and_rules,
    PLANNERS: reproduce_planners,
    TWO_STEP: reproduce_two_step,
}


@dataclass(frozen=True)
class Plan:
    """What one command reproduces.

    Attributes:
      experiment: a name of `EXPERIMENTS`.
      scale: "smoke", "laptop" or "paper".
      cells: names of the table's cells; none for all.
      committed: take the agents that come with the package instead of training; cells for which
        there is none have the classical agents alone.
      anew: measure the classical agents again, though their means lie in `experiments/`.
    """

    experiment: str
    scale: ScaleName = "laptop"
    cells: Sequence[str] = ()
    committed: bool = False
    anew: bool = False


def reproduce(
    plan: Plan,
    run_dir: str | Path | None = None,
    *,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Reproduces a table or a figure, or goes on with it.

    Args:
      plan: what.
      run_dir: `runs/FOLDER-SCALE` if None.
      command: the command line to record.
      progress: where progress is shown; standard error if None.

    Returns:
      "experiment", "scale", "run_dir"; "cells", by cell and column "paper", "ours", "difference",
      "allowed", "within" and "agent", all but the first None for what is only quoted; "files" that
      were written.

    Raises:
      InvalidInput: an unknown name, another reproduction in that directory, or no checkout.
      KeyboardInterrupt: a signal came; the same command goes on.
    """
    if plan.experiment not in EXPERIMENTS:
        raise unknown_name("experiment", plan.experiment, EXPERIMENTS)
    experiment = EXPERIMENTS[plan.experiment]
    if plan.experiment in _WHOLE:
        require(
            not (plan.cells or plan.committed or plan.anew),
            f"{plan.experiment} has no cells and no classical agents; leave --cells, --agents and "
            "--anew out.",
        )
        progress = progress or progress_on_stderr()
        return _WHOLE[plan.experiment](experiment, plan.scale, run_dir, command, progress)
    if plan.experiment in MAZES:
        require(not plan.anew, f"{plan.experiment} has no classical agents; leave --anew out.")
        progress = progress or progress_on_stderr()
        place = (run_dir, command, progress)
        return reproduce_mazes(experiment, plan.scale, *place, plan.cells, plan.committed)
    folder = experiment_folder(experiment.folder)
    scale = read_scale(folder, plan.scale)
    table = table_at(scale, folder, experiment.reference)
    for cell in plan.cells:
        if cell not in table.cells:
            raise unknown_name("cell", cell, table.cells)
    progress = progress or progress_on_stderr()
    place = run_dir or experiment.run_dir(plan.scale)
    given, trained = (read_json_object(folder / name) for name in ("settings.json", FILE))
    run = begin_or_go_on(
        place,
        {"table": experiment.folder, "scale": plan.scale},
        command,
        progress.message,
        {**given, "scales": {plan.scale: trained[plan.scale]}},
    )
    with run.lock(), saying_how_to_go_on(progress):
        if plan.anew:
            (run.path / _ANEW).mkdir(exist_ok=True)
        else:
            _take_known(folder, run.path)
        return _Work(plan, experiment, folder, table, scale, run, progress).do()


class _Work(NamedTuple):
    """One command at work."""

    plan: Plan
    experiment: Experiment
    folder: Path
    table: PaperTable
    scale: Scale
    run: RunDirectory
    progress: Progress

    def do(self) -> dict[str, Any]:
        cells = list(self.plan.cells) or list(self.table.cells)
        self.progress.message(f"Classical agents in {', '.join(cells)}.")
        classical = reproduce_table(self.table, self._measured(), cells, self._tell)
        learnt, trainings = [], {}
        for cell in cells:
            for heading, column in self.scale.learnt.items():
                if self._is_learnt(column, cell):
                    line, together = self._learnt(heading, column, cell)
                    learnt.append(line)
                    trainings[line.cell, line.column] = together
                    self._tell(line)
        lines = [line for cell in cells for line in (*classical, *learnt) if line.cell == cell]
        document = by_cell(lines, trainings)
        for cell in cells:
            document[cell] |= self._quoted(cell)
        files = write_tables(self.run.path, self.plan.experiment, document)
        if self.experiment.reference is not None:
            files += self._curves(cells, lines)
        found, whole = {"cells": document}, not self.plan.cells
        return finish(self.experiment, self.plan.scale, self.run, found, files, whole)

    def _measured(self) -> Path:
        """Returns where the means of classical agents are kept: apart, if none that was known is to be taken."""
        return self.run.path / _ANEW if self.plan.anew else self.run.path

    def _quoted(self, cell: str) -> dict[str, dict[str, Any]]:
        """Returns the paper's numbers of a cell for learners of which none is measured here."""
        columns = self.scale.learnt.values()
        shown = {column.paper for column in columns if self._is_learnt(column, cell)}
        nothing = dict.fromkeys(("ours", "difference", "allowed", "within", "agent", "trainings"))
        return {
            f"{heading} (published)": {"paper": numbers[cell], **nothing}
            for heading, numbers in self.table.others.items()
            if heading not in shown and cell in numbers
        }

    def _tell(self, line: PaperCell) -> None:
        theirs = "" if line.paper is None else f", the paper's {line.paper:g}"
        self.progress.message(f"{line.cell}, {line.column}: {line.ours:.2f}{theirs}")

    def _is_learnt(self, column: Learnt, cell: str) -> bool:
        """Tells whether a cell has an agent in a column: one to be trained, or a committed one.

        A figure shows learning from nothing, so it has no warm starts.
        """
        if self.experiment.reference is not None and column.is_taught(cell):
            return False
        if self.plan.committed:
            return column.agents.get(cell) in agent_names()
        return not column.only or cell in column.only

    def _learnt(
        self, heading: str, column: Learnt, cell: str
    ) -> tuple[PaperCell, dict[str, Any] | None]:
        """Trains a cell's agents; returns the line of the best, and what all of them earn together."""
        document = self._played(heading, column, cell)
        score = document["evaluation"]["agents"][document["agent"]]["return"]
        paper = self.table.others.get(column.paper or "", {}).get(cell)
        committed = self.plan.committed
        together = read_several(self.folder, heading, cell) if committed else several(document)
        return learnt_line(cell, heading, paper, score, document, self.table), together

    def _played(self, heading: str, column: Learnt, cell: str) -> dict[str, Any]:
        """Returns who stands for a cell, and the evaluation of all its agents, which is kept."""
        kept = self._place("learnt", heading, cell).with_suffix(".json")
        document = read_json_object(kept) if kept.is_file() else None
        seeds = 1 if self.plan.committed else column.seeds
        if document is None or len(document["evaluation"]["agents"]) < seeds:
            agents = (
                [column.agents[cell]]
                if self.plan.committed
                else self._trained(heading, column, cell)
            )
            evaluation = evaluate(
                agents,
                world=self.table.cells[cell],  # an agent may stand in for longer trials
                tasks=self.table.tasks,
                seed=self.table.seed,
                say=self.progress.message,
            )
            kept.parent.mkdir(exist_ok=True)
            document = {"agent": agents[0], "evaluation": evaluation.to_json()}
            write_json(kept, document)
        return document

    def _trained(self, heading: str, column: Learnt, cell: str) -> list[str]:
        """Returns the runs of a cell's agents, all trained to the end, the best on validation tasks first."""
        scores = {}
        for seed in range(column.seeds):
            place = self._place("trainings", heading, cell, seed)
            self._train(column, cell, seed, place)
            scores[place] = load(place).standing
        return [str(place) for place in sorted(scores, key=lambda place: -scores[place])]

    def _train(self, column: Learnt, cell: str, seed: int, place: Path) -> None:
        config = column.config(self.table, cell, self.plan.scale, seed)
        train_in(place, config, f"{cell}, seed {seed}", FILE, self.run, self.progress)

    def _curves(self, cells: Sequence[str], lines: Sequence[PaperCell]) -> list[Path]:
        runs = {
            (heading, cell): [
                RunDirectory.open(self._place("trainings", heading, cell, seed))
                for seed in range(column.seeds)
            ]
            for heading, column in self.scale.learnt.items()
            for cell in cells
            if self._is_learnt(column, cell) and not self.plan.committed
        }
        assert self.experiment.reference is not None
        ones = {line.cell: line.ours for line in lines if line.column == self.experiment.reference}
        return write_curves(
            self.run.path, self.plan.experiment, self.table, runs, ones, self.experiment.reference
        )

    def _place(self, kind: str, heading: str, cell: str, seed: int | None = None) -> Path:
        name = f"{slug(heading)}-{cell}" + ("" if seed is None else f"-seed-{seed}")
        return self.run.path / kind / (name + ("-committed" if self._other(kind) else ""))

    def _other(self, kind: str) -> bool:
        return kind == "learnt" and self.plan.committed


def _take_known(folder: Path, place: Path) -> None:
    """Begins with the means of classical agents that lie beside the settings."""
    known, own = folder / "measured.csv", place / "measured.csv"
    if known.is_file() and not own.exists():
        shutil.copyfile(known, own)
