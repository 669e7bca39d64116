"""Experiments: what a checkout can reproduce, what it costs, and how far it has come.

    experiments/FOLDER/     settings as data, a README, the results that are committed
    runs/FOLDER-SCALE/      a reproduction at work; it holds NAME.json once NAME is done

An experiment is a card here and a function elsewhere. Whatever has been measured lies in the run's
directory and is not measured again, so the command that began a reproduction goes on with it, and says
what has changed since: versions and the like, and the settings in `experiments/`, of which the run
keeps those it began with (`begun-with.json`), unless they are a part of its configuration.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from metarl.errors import require

from .directory import ROOT, RunDirectory
from .durable import json_bytes, read_json_object
from .progress import Progress
from .provenance import changed_settings
from .resuming import REPRODUCTION, tell_what_changed

ScaleName = Literal["smoke", "laptop", "paper"]
Status = Literal["not begun", "begun", "done"]

SCALES: tuple[ScaleName, ...] = get_args(ScaleName)
_SETTINGS = "begun-with.json"


@dataclass(frozen=True, kw_only=True)
class ExperimentCard:
    """What a list of experiments shows of one.

    Attributes:
      name: what a person types.
      folder: of its data, in `experiments/`; several experiments may share one, and its runs.
      caption: what it shows, in one line.
      costs: time and data that each scale needs, in words.
      evidence: the file of the folder that holds committed results; NAME.json if empty.
    """

    name: str
    folder: str
    caption: str
    costs: Mapping[ScaleName, str]
    evidence: str = ""

    def run_dir(self, scale: ScaleName) -> Path:
        """Returns where it is kept if no other place is given."""
        return ROOT / f"{self.folder}-{scale}"

    def document_in(self, place: Path) -> Path:
        """Returns the file that a finished reproduction has in its directory."""
        return place / f"{self.name}.json"

    def status(self, scale: ScaleName) -> Status:
        """Tells how far the reproduction in `run_dir(scale)` has come."""
        place = self.run_dir(scale)
        if self.document_in(place).is_file():
            return "done"
        return "begun" if (place / "run.json").is_file() else "not begun"

    def is_committed(self) -> bool:
        """Tells whether results of it stand in the checkout.

        Raises:
          InvalidInput: this is no checkout.
        """
        return (experiment_folder(self.folder) / (self.evidence or f"{self.name}.json")).is_file()


def experiment_folder(name: str) -> Path:
    """Returns the folder of an experiment.

    Raises:
      InvalidInput: there is none: metarl was installed without its checkout.
    """
    folder = Path(__file__).resolve().parents[2] / "experiments" / name
    require(
        (folder / "settings.json").is_file(),
        f"The settings of a reproduction lie in experiments/{name} of metarl's checkout, which an "
        "installed package has not. Clone the repository and run the command there.",
    )
    return folder


def begin_or_go_on(
    place: str | Path,
    config: Mapping[str, Any],
    command: Sequence[str],
    say: Callable[[str], None],
    settings: Mapping[str, Any] | None = None,
) -> RunDirectory:
    """Returns the run of a reproduction, new or begun before.

    Args:
      place: its directory.
      config: what is reproduced, and by which settings if others are to be refused, as JSON can hold it.
      command: the command line to record.
      say: called with a line about each kind of thing that has changed since it was begun.
      settings: of `experiments/` that may change, where some of what is measured is kept and some is new.

    Raises:
      InvalidInput: the directory holds another run, or one that was begun with other settings.
    """
    place = Path(place)
    if not (place / "run.json").exists():
        files = {} if settings is None else {_SETTINGS: json_bytes(settings)}
        return RunDirectory.create(place, REPRODUCTION, config, command, files=files)
    run = RunDirectory.open(place)
    name = next(iter(config))  # says which experiment this is
    require(
        run.job == REPRODUCTION and run.config.get(name) == config[name],
        f"{str(place)!r} holds another run; choose another --run-dir.",
    )
    require(
        run.config == config,
        f"{str(place)!r} was begun with other settings than experiments/ has now; choose another "
        "--run-dir, or remove that directory.",
    )
    tell_what_changed(run, say)
    if settings is not None and (run.path / _SETTINGS).is_file():  # not in runs of before
        told = changed_settings(read_json_object(run.path / _SETTINGS), settings)
        if told is not None:
            say(told)
    return run


@contextlib.contextmanager
def saying_how_to_go_on(progress: Progress) -> Iterator[None]:
    """Says, when a signal ends the block, that nothing that was finished is lost."""
    try:
        yield
    except KeyboardInterrupt:
        progress.message("Interrupted. The same command goes on with the whole reproduction.")
        raise
