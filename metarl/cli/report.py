"""report: the page of a finished run, written anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Arguments:
    """Writes the report of a finished run: one page that opens from disk."""

    run_dir: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """The directory of the run."""
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, str]:
    """Writes the page and returns where it is."""
    from metarl.runs import RunDirectory

    match RunDirectory.open(arguments.run_dir).job:
        case "train":
            from metarl.rl_squared import write_training_report as write_report
        case "compare":
            from metarl.optimizer_search import rewrite_comparison_report as write_report
        case _:
            from metarl.optimizer_search import write_report
    return {"report": str(write_report(arguments.run_dir))}


def show(document: dict[str, str]) -> None:
    """Prints where the page is."""
    print(document["report"])
