"""What agents earned: means by split, cell and agent, in a file; nothing is measured twice.

Letters: N tasks; E episodes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from metarl.environments import Split, Trial, play_split
from metarl.statistics import mean_interval

from .making import make


@dataclass(frozen=True)
class Measured:
    """What an agent earned in a cell."""

    split: Split
    cell: str
    agent: str
    tasks: int
    mean: float
    standard_error: float

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is a measurement of."""
        return (self.split, self.cell, self.agent, self.tasks)


class Ledger:
    """The means measured so far, in memory and in a file."""

    def __init__(self, path: Path, trials: Mapping[str, Trial], seed: int, chunk: int) -> None:
        """Opens the file, or begins it.

        Args:
          path: of the CSV.
          trials: by cell, with budgets of episodes.
          seed: of tasks and luck.
          chunk: tasks that are played at once.
        """
        self.path, self.trials, self.seed, self.chunk = path, trials, seed, chunk
        self.known = {measured.key: measured for measured in _read(path)}

    def measure(
        self, split: Split, cell: str, text: str, tasks: int, beside: Iterable[str] = ()
    ) -> Measured:
        """Returns what an agent earns in a cell; plays if that is not known.

        Args:
          split: whose tasks.
          cell: a name of `trials`.
          text: of the agent.
          tasks: how many.
          beside: cells to be measured too, if the agent does not ask how long the trial will be.
            Those with the same tasks are measured in one longest trial, of which theirs are
            beginnings, to the bit.
        """
        key = (split, cell, text, tasks)
        if key not in self.known:
            self._play(split, [cell, *self._alike(cell, beside)], text, tasks)
        return self.known[key]

    def _play(self, split: Split, cells: list[str], text: str, tasks: int) -> None:
        longest = max((self.trials[cell] for cell in cells), key=lambda trial: trial.length)
        played = play_split(make(text, longest), longest, self.seed, tasks, split, self.chunk)
        earned = np.cumsum(played.returns, axis=1)  # [N, E]
        fresh = []
        for cell in cells:
            mean = mean_interval(earned[:, self.trials[cell].max_episodes - 1])
            # As who goes on reads them, so that both have the same.
            numbers = (float(_written(number)) for number in (mean.mean, mean.standard_error))
            fresh.append(Measured(split, cell, text, tasks, *numbers))
        self.known |= {measured.key: measured for measured in fresh}
        _append(self.path, fresh)

    def _alike(self, cell: str, others: Iterable[str]) -> list[str]:
        """Returns the other cells that differ from this one in the budget alone."""
        environment = self.trials[cell].environment
        return [
            other
            for other in others
            if other != cell and self.trials[other].environment is environment
        ]


def _written(number: float) -> str:
    return f"{number:.6f}"


def _read(path: Path) -> list[Measured]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Measured(
                split=cast(Split, row["split"]),
                cell=row["cell"],
                agent=row["agent"],
                tasks=int(row["tasks"]),
                mean=float(row["mean"]),
                standard_error=float(row["standard_error"]),
            )
            for row in csv.DictReader(file)
        ]


def _append(path: Path, fresh: Sequence[Measured]) -> None:
    new = not path.exists() or path.stat().st_size == 0
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(Measured.__dataclass_fields__)
        for one in fresh:
            numbers = (_written(one.mean), _written(one.standard_error))
            writer.writerow((one.split, one.cell, one.agent, one.tasks, *numbers))
