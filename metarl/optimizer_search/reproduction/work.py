"""work: what the function of an experiment is given, and what it gives back.

Whatever takes time is a part: measured once, kept as a file in the run's directory, and read from there ever after.
What was just measured is read back as well, so that a reproduction that was interrupted gives the numbers of one that
was not. Tables and drawings are made anew each time; they are cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metarl.reading import read_arrays, read_json_object
from metarl.reporting import Table, to_json
from metarl.runs import Progress, RunDirectory, write_arrays, write_durably

from ..reports.chart import Chart

_PARTS = "parts"


@dataclass(frozen=True)
class Work:
    """One experiment at work.

    Attributes:
      settings: of its scale, an instance of its module's `Settings`.
      run: its run's directory; parts and searches lie in it.
      folder: of its data, in `experiments/`.
      seed: of everything random.
      progress: where it tells how it goes.
    """

    settings: Any
    run: RunDirectory
    folder: Path
    seed: int
    progress: Progress

    def say(self, text: str) -> None:
        """Tells what is done next."""
        self.progress.message(text)

    def arrays(self, name: str, measure: Callable[[], Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Returns a part that is arrays, measured if it is not there yet.

        Args:
          name: of the part, fit for a file name.
          measure: gives the arrays by name.
        """
        path = self._place(f"{name}.npz")
        if not path.is_file():
            write_arrays(path, measure())
        return read_arrays(path, f"{str(path)!r}")

    def document(self, name: str, measure: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Returns a part that JSON can hold, measured if it is not there yet; see `arrays`."""
        path = self._place(f"{name}.json")
        if not path.is_file():
            write_durably(path, to_json(measure()).encode())
        return read_json_object(path)

    def _place(self, file: str) -> Path:
        parts = self.run.path / _PARTS
        parts.mkdir(exist_ok=True)
        return parts / file


@dataclass(frozen=True)
class Findings:
    """What an experiment found.

    Attributes:
      claims: sentences made of the numbers; what a reader takes home.
      tables: by the name of their files.
      charts: drawings with the names of their files and their captions.
      numbers: what the claims rest on, for other programs.
    """

    claims: Sequence[str] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    charts: Sequence[Chart] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
