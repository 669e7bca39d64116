"""The checkpoints of a run: the newest few, of which the newest intact one is where it goes on.

Of one contract there are several kinds (`checkpoint_kinds.py`). All know damage when they see it.
`load_newest` then takes the newest checkpoint that is intact and says so; nothing is removed for it.
"""

from __future__ import annotations

import abc
import errno
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint_file import DamagedCheckpoint, UnusableCheckpoint

Arrays = dict[str, np.ndarray]
_DAMAGED = "damaged-"


class Checkpoints(abc.ABC):
    """The checkpoints of one run; one process at a time writes them, any may read."""

    def __init__(self, directory: Path, keep: int = 2):
        """Names their directory; `keep` is how many of the newest stay."""
        self.directory, self.keep = Path(directory), keep

    @abc.abstractmethod
    def sweep(self) -> None:
        """Creates the directory if need be and removes what a dead process left half-written."""

    @abc.abstractmethod
    def save(
        self,
        generation: int,
        arrays: Mapping[str, np.ndarray],
        meta: Any,
        score: float | None = None,
    ) -> None:
        """Saves the state of a generation, maybe in the background, and drops what is too old.

        Args:
          generation: its number; the same number always has the same state.
          arrays: any names, any shapes, also those of jax's extra types such as bfloat16.
          meta: whatever JSON can hold.
          score: how good the state is; the best may be kept beside the newest.

        Raises:
          OSError: this one, or the one before, could not be written.
        """

    @abc.abstractmethod
    def load(self, path: Path) -> tuple[Arrays, Any]:
        """Returns the arrays and the meta of a checkpoint, bit for bit as they were given.

        Raises:
          DamagedCheckpoint: it is cut short or damaged.
          UnusableCheckpoint: it is of another version.
          OSError: it cannot be read.
        """

    @abc.abstractmethod
    def paths(self) -> list[Path]:
        """Returns the finished checkpoints, oldest first, intact or not."""

    def wait(self) -> None:
        """Returns when everything that was saved is on the disk.

        Raises:
          OSError: something could not be written.
        """
        return

    def close(self) -> None:
        """Waits likewise, and frees what saving needs; it may be used again."""
        return

    def newest(self) -> Path | None:
        """Returns the checkpoint of the highest generation, intact or not; None if there is none."""
        paths = self.paths()
        return paths[-1] if paths else None

    def load_newest(self, say: Callable[[str], None] | None = None) -> tuple[Arrays, Any] | None:
        """Returns the arrays and the meta of the newest intact checkpoint; None if there is none.

        Args:
          say: told in one line when a damaged one is passed over; standard error if None.

        Raises:
          UnusableCheckpoint: there are checkpoints, and all are damaged; or one is of another
            version.
          OSError: one cannot be read.
        """
        damaged: list[tuple[Path, str]] = []
        for path in reversed(self.paths()):
            try:
                found = self._load(path)
            except DamagedCheckpoint as error:
                damaged.append((path, error.fault))
                continue
            if damaged:
                (say or _on_standard_error)(f"{_list(damaged)}. Using the one before, {path.name}.")
            return found
        if damaged:
            raise UnusableCheckpoint(
                f"{_list(damaged)}. No checkpoint of this run is intact: remove the folder "
                f"{str(self.directory)!r} to begin the run again."
            )
        return None

    def set_aside_after(self, generation: int) -> None:
        """Renames the checkpoints of later generations: damaged, they would only be in the way."""
        for path in self.paths():
            if generation_of(path) > generation:
                target = path.with_name(_DAMAGED + path.name)
                remove(target)
                os.rename(path, target)

    def leftovers(self) -> list[Path]:
        """Returns the damaged checkpoints that were set aside."""
        return sorted(self.directory.glob(f"{_DAMAGED}*"))

    def superseded(self, keep: int = 1) -> list[Path]:
        """Returns what may be removed so that the newest intact `keep` and the best are left."""
        intact = [path for path in self.paths() if self.is_intact(path)]
        kept = {*intact[-keep:], *self.best()}
        return [*(path for path in self.paths() if path not in kept), *self.leftovers()]

    def best(self) -> list[Path]:
        """Returns the checkpoint with the best score, in a list; none where no scores are kept."""
        return []

    def is_intact(self, path: Path) -> bool:
        """Tells whether a checkpoint is neither cut short nor damaged."""
        try:
            self._load(path)
        except DamagedCheckpoint:
            return False
        return True

    def _load(self, path: Path) -> tuple[Arrays, Any]:
        try:
            return self.load(path)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise DamagedCheckpoint(path, "cannot be read from the disk") from error


def generation_of(path: Path) -> int:
    """Returns the number in the name of a checkpoint."""
    return int(path.name.partition(".")[0])


def remove(path: Path) -> None:
    """Removes a checkpoint, be it a file or a directory; one that is not there is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _list(damaged: list[tuple[Path, str]]) -> str:
    return "; ".join(f"Checkpoint {str(path)!r} {fault}" for path, fault in damaged)


def _on_standard_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
