"""reproduce: a table or a figure of a paper, theirs beside ours; without a name, the list of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from metarl.errors import require, unknown_name
from metarl.runs import SCALES, ExperimentCard, ScaleName

from .data_files import DataFiles
from .machine import Machine

ALL = "all"


@dataclass(frozen=True)
class Arguments:
    """Reproduces a table or a figure of a paper; the same command goes on where it stopped.

    Needs metarl's checkout, where the settings lie in `experiments/`.
    """

    experiment: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = None
    """Of a table or figure, or all; without it all are listed, with what they cost and how far they have come."""
    scale: Literal["smoke", "laptop", "paper"] = "laptop"
    """How thoroughly: smoke (a minute), laptop, paper (the paper's own budgets; days without a GPU)."""
    cells: str | None = None
    """Of RL²: some cells only, with commas between: 10x5,100x10 (bandits: episodes x arms) or 10,25 (MDPs)."""
    agents: Literal["train", "committed"] = "train"
    """Of RL²: train, or take the trained agents that come with the package, as far as there are such."""
    anew: bool = False
    """Of RL²: measure the classical agents again, though their means are known."""
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where everything is kept; runs/FOLDER-SCALE if not given."""
    data: Annotated[DataFiles, tyro.conf.arg(name="")] = field(default_factory=DataFiles)
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Reproduces, and returns the experiment's document; {"experiments": {name: ...}} of all, or of the list."""
    cards = experiments()
    name = arguments.experiment
    if name is None:
        return {"experiments": {card.name: _listed(card) for card in cards.values()}}
    if name != ALL and name not in cards:
        raise unknown_name("experiment", name, [*cards, ALL])
    _check(arguments, name)
    arguments.data.use()
    arguments.machine.start()
    if name != ALL:
        return _reproduced(name, arguments)
    return {"experiments": {name: _reproduced(name, arguments) for name in cards}}


def experiments() -> Mapping[str, ExperimentCard]:
    """Returns the cards of all experiments, by name."""
    from metarl import optimizer_search, rl_squared

    return {**optimizer_search.EXPERIMENTS, **rl_squared.EXPERIMENTS}


def show(document: dict[str, Any]) -> None:
    """Prints what was found and what was written, of one experiment or of all; or the list."""
    if "experiments" not in document:
        _show_one(document)
    elif all("status" in found for found in document["experiments"].values()):
        _show_list(document["experiments"])
    else:
        for name, found in document["experiments"].items():
            print(f"== {name}")
            _show_one(found)


def _check(arguments: Arguments, name: str) -> None:
    """Refuses flags that mean nothing to what was named."""
    from metarl.rl_squared import EXPERIMENTS

    foreign = [
        flag
        for flag, given in (
            ("--cells", arguments.cells is not None),
            ("--agents", arguments.agents != "train"),
            ("--anew", arguments.anew),
        )
        if given and name not in EXPERIMENTS
    ]
    require(
        not foreign, f"{', '.join(foreign)}: only the experiments of RL² have this; not {name}."
    )
    require(
        name != ALL or arguments.run_dir is None,
        "--run-dir: every experiment has a directory of its own; give it with one name.",
    )


def _reproduced(name: str, arguments: Arguments) -> dict[str, Any]:
    from metarl import optimizer_search, rl_squared

    command = ["metarl", *sys.argv[1:]]
    if name in rl_squared.EXPERIMENTS:
        cells = [cell.strip() for cell in (arguments.cells or "").split(",") if cell.strip()]
        require(
            bool(cells) or arguments.cells is None,
            f"--cells {arguments.cells!r} names none; name some, or leave it out for all.",
        )
        plan = rl_squared.Plan(
            name,
            arguments.scale,
            cells,
            committed=arguments.agents == "committed",
            anew=arguments.anew,
        )
        return rl_squared.reproduce(plan, arguments.run_dir, command=command)
    return optimizer_search.reproduce(name, arguments.scale, arguments.run_dir, command=command)


def _listed(card: ExperimentCard) -> dict[str, Any]:
    """Returns what the list says of one experiment."""
    return {
        "caption": card.caption,
        "folder": f"experiments/{card.folder}",
        "costs": dict(card.costs),
        "status": {scale: card.status(scale) for scale in SCALES},
        "committed": card.is_committed(),
    }


def _show_list(listed: Mapping[str, Mapping[str, Any]]) -> None:
    from metarl.reporting import Column, Table, print_table

    columns = [
        Column("name"),
        Column("caption", "what"),
        Column("smoke"),
        Column("laptop"),
        Column("paper", essential=False),
        Column("committed"),
    ]
    rows = [
        {
            "name": name,
            "caption": card["caption"],
            "committed": card["committed"],
            **{scale: _cell(card, scale) for scale in SCALES},
        }
        for name, card in listed.items()
    ]
    notes = [
        "Cost of each scale on two cores, and how far its run in runs/ has come, if it was begun. Committed: whether "
        "experiments/ holds results.",
        "metarl reproduce NAME [--scale smoke|laptop|paper]",
    ]
    print_table(Table("Experiments", columns, rows, notes))


def _cell(card: Mapping[str, Any], scale: ScaleName) -> str:
    status = card["status"][scale]
    return card["costs"][scale] + ("" if status == "not begun" else f": {status}")


def _show_one(document: Mapping[str, Any]) -> None:
    from metarl.reporting import print_table

    for claim in document.get("claims", ()):
        print(f"- {claim}")
    for table in _tables(document):
        print()
        print_table(table)
    print()
    for path in document["files"]:
        print(path)


def _tables(document: Mapping[str, Any]) -> list[Any]:
    if "cells" not in document:
        return list(document["tables"].values())
    from metarl.rl_squared import cell_tables

    return cell_tables(document["cells"])
