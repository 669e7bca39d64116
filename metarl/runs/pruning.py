"""Pruning: old checkpoints that nobody needs any more, and how much room they take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from metarl.errors import InvalidInput, require

from .checkpoints import remove
from .directory import RunDirectory, is_in_use
from .manifest import MANIFEST


class Prunable(NamedTuple):
    """What can be removed from one run."""

    run: RunDirectory
    checkpoints: list[Path]
    size: int  # bytes


class PrunePlan(NamedTuple):
    """What can be removed from several runs, and which of them are left alone."""

    runs: list[Prunable]
    left_alone: dict[str, str]  # path -> why

    @property
    def checkpoints(self) -> int:
        """How many checkpoints go."""
        return sum(len(found.checkpoints) for found in self.runs)

    @property
    def size(self) -> int:
        """How many bytes that sets free."""
        return sum(found.size for found in self.runs)


def prune_plan(places: Sequence[Path], keep: int = 1) -> PrunePlan:
    """Returns what can be removed; nothing is removed yet.

    Args:
      places: run directories.
      keep: how many of the newest intact checkpoints stay in each; the best stays too.

    Raises:
      InvalidInput: `keep` is below 1.
    """
    require(keep >= 1, f"At least 1 checkpoint of a run is kept, not {keep}.")
    found, left_alone = [], {}
    for place in places:
        try:
            run = RunDirectory.open(place)
            if is_in_use(place):
                left_alone[str(place)] = "in use"
                continue
            paths = run.checkpoints.superseded(keep)
        except InvalidInput as error:
            left_alone[str(place)] = str(error)
            continue
        if paths:
            found.append(Prunable(run, paths, sum(map(_size, paths))))
    return PrunePlan(found, left_alone)


def prune(plan: PrunePlan) -> int:
    """Removes what a plan names, and returns how many bytes that has set free.

    Raises:
      InvalidInput: a run has come into use since the plan was made.
      OSError: something could not be removed.
    """
    freed = 0
    for found in plan.runs:
        with found.run.lock(beat=False):
            for path in found.checkpoints:
                if path.is_dir():
                    (path / MANIFEST).unlink(missing_ok=True)  # half of one must not seem whole
                remove(path)
        freed += found.size
    return freed


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
