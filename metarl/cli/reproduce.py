"""reproduce: a table or a figure of the paper, theirs beside ours."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from .machine import Machine

Name = Literal["rl2-table-1", "rl2-table-2", "rl2-figure-2", "rl2-figure-3", "rl2-bandit-1000x50"]


@dataclass(frozen=True)
class Arguments:
    """Reproduces a table or a figure of a paper; the same command goes on where it stopped.

    Needs metarl's checkout, where the settings of every cell lie in `experiments/`.
    """

    experiment: Annotated[Name, tyro.conf.Positional]
    """Tables and figures of Duan et al. (2016), RL²; 1000 pulls of 50 arms, from Mishra et al. (2018), SNAIL."""
    cells: str | None = None
    """Some cells only, with commas between them: 10x5,100x10 (bandits: episodes x arms) or 10,25 (MDPs)."""
    scale: Literal["smoke", "laptop", "paper"] = "laptop"
    """How thoroughly: smoke (a minute), laptop (hours), paper (its own budgets; days without a GPU)."""
    agents: Literal["train", "committed"] = "train"
    """Train, or take the trained agents that come with the package, as far as there are such."""
    anew: bool = False
    """Measure the classical agents again, though their means are known."""
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where everything is kept; runs/TABLE-SCALE if not given."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Reproduces, and returns the document of `metarl.rl_squared.reproduce`."""
    arguments.machine.start()
    from metarl.rl_squared import Plan, reproduce

    cells = [cell.strip() for cell in (arguments.cells or "").split(",") if cell.strip()]
    plan = Plan(
        arguments.experiment,
        arguments.scale,
        cells,
        committed=arguments.agents == "committed",
        anew=arguments.anew,
    )
    return reproduce(plan, arguments.run_dir, command=["metarl", *sys.argv[1:]])


def show(document: dict[str, Any]) -> None:
    """Prints one table a cell, and what was written."""
    from metarl.reporting import print_table
    from metarl.rl_squared import cell_tables

    for table in cell_tables(document["cells"]):
        print_table(table)
        print()
    for path in document["files"]:
        print(path)
