"""resume: go on with a run; a finished one shows its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from metarl.errors import InvalidInput, require

from .data_files import DataFiles
from .evaluators import Evaluators
from .hosts import Hosts
from .machine import Machine

if TYPE_CHECKING:
    from metarl.runs import RunDirectory


@dataclass(frozen=True)
class Arguments:
    """Goes on with a run where it stopped; the numbers are those of a run that never did."""

    run_dir: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """The directory of the run."""
    optimizer: tuple[str, ...] = ()
    """Of a comparison: optimizers of your own, my_module:factory, that may be imported again."""
    problem: tuple[str, ...] = ()
    """Of a comparison: problems of your own that may be imported again."""
    data: Annotated[DataFiles, tyro.conf.arg(name="")] = field(default_factory=DataFiles)
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    evaluators: Annotated[Evaluators, tyro.conf.arg(name="")] = field(default_factory=Evaluators)
    together: Annotated[Hosts, tyro.conf.arg(name="")] = field(default_factory=Hosts)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Finishes the run and returns its document: that of the verb that began it."""
    from metarl.runs import RunDirectory, resume_command

    if arguments.together.asked_for:
        return _together(arguments)
    begun = RunDirectory.open(arguments.run_dir)  # before jax starts, which takes a second
    require(
        begun.job != "reproduce",
        f"A reproduction is gone on with by its own command: {resume_command(begun)}",
    )
    require(
        begun.job in ("search", "table") or arguments.evaluators == Evaluators(),
        f"--evaluator and its like go with a search or a table, not with a {begun.job}.",
    )
    arguments.data.use()
    if begun.job in ("search", "table"):
        return _trained_anywhere(arguments, begun.job)
    arguments.machine.start()
    match begun.job:
        case "train":
            from .train import finish

            return finish(arguments.run_dir)
        case "evaluate":
            from .evaluate import finish as finish_evaluation

            return finish_evaluation(arguments.run_dir)
        case "compare":
            from metarl.optimizer_search import resume_comparison

            own = (*arguments.optimizer, *arguments.problem)
            return resume_comparison(arguments.run_dir, own=own)
        case "enumerate":
            from metarl.optimizer_search import resume_functions

            return resume_functions(arguments.run_dir)
        case "table-search":
            from metarl.optimizer_search import resume_table_search

            return resume_table_search(arguments.run_dir)
        case _:
            raise _not_alone(begun)


def _not_alone(run: RunDirectory) -> InvalidInput:
    """Returns the error for a run that no verb goes on with by itself."""
    from metarl.runs import owner_of, resume_command

    told, owner = f"Run {str(run.path)!r} is {run.described}", owner_of(run)
    if owner is None:
        return InvalidInput(f"{told}, which this metarl cannot go on with.")
    return InvalidInput(
        f"{told}, a part of the reproduction {str(owner.path)!r}, which goes on with it by its own command: "
        f"{resume_command(owner)}"
    )


def _trained_anywhere(arguments: Arguments, job: str) -> dict[str, Any]:
    """Goes on with a search or a table, wherever its candidates are to be trained."""
    with arguments.evaluators.backend(arguments.machine) as backend:
        from metarl.optimizer_search import resume, resume_table

        if job == "table":
            return resume_table(arguments.run_dir, backend=backend)
        return resume(arguments.run_dir, backend=backend).to_json()


def _together(arguments: Arguments) -> dict[str, Any]:
    """Goes on with a training in several processes, of which the first alone needs the run."""
    from .train import finish, follow

    gang = arguments.machine.start(arguments.together)
    return finish(arguments.run_dir, gang) if gang.leads else follow(gang)


def show(document: dict[str, Any]) -> None:
    """Prints what the run found."""
    if "best_of_table" in document:
        from .search import show_table_search

        show_table_search(document)
    elif "evaluation" in document:
        from . import train

        train.show(document)
    elif "yardsticks" in document:
        from . import evaluate

        evaluate.show(document)
    elif "by_verdict" in document:
        from . import enumeration

        enumeration.show(document)
    elif "judges" in document:
        from . import table

        table.show(document)
    elif "scores" in document:
        from . import compare

        compare.show(document)
    else:
        from .search import show_result

        show_result(Path(document["run_dir"]))
