"""resume: go on with a run; a finished one shows its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from .machine import Machine


@dataclass(frozen=True)
class Arguments:
    """Goes on with a run where it stopped; the numbers are those of a run that never did."""

    run_dir: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """The directory of the run."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Finishes the run and returns its document, that of `metarl search --json`."""
    from metarl.runs import RunDirectory

    RunDirectory.open(arguments.run_dir)  # before jax starts, which takes a second
    arguments.machine.start()
    from metarl.optimizer_search import resume

    return resume(arguments.run_dir).to_json()


def show(document: dict[str, Any]) -> None:
    """Prints what the run found."""
    from .search import show_result

    show_result(Path(document["run_dir"]))
