"""evaluate: trained and classical agents, and learners from scratch, on the same test tasks."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.errors import InvalidInput
from metarl.reading import MOST_SEEDS, Bounds, Count, Seed, Tasks
from metarl.rl_squared import WorldConfig

from .machine import Machine
from .output_file import check_output


@dataclass(frozen=True)
class World(WorldConfig):
    """Where agents are played, as far as no trained one tells, or otherwise than it tells."""

    environment: str | None = None  # type: ignore[assignment]
    """A family (`metarl list environments`), or my_module:factory; needed for classical agents alone. Trained agents
    act in that of their training, and in my_module:factory where observations and actions are the same."""

    episodes: Count | None = None
    """Episodes of a trial; those of the training, or 10, if neither this nor --trial-steps is given."""


@dataclass(frozen=True)
class Arguments:
    """Plays trained agents, classical agents and learners from scratch in the same test tasks.

    Trained agents bring their world along. Settings given here take the place of its own, such as --size 9 for larger
    mazes, wherever observations and actions stay the same; a line says what was otherwise in training.
    """

    agents: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="AGENT_OR_RUN")]
    """Run directories, files or names of trained agents; classical agents with settings (ucb1:c=0.2); learners from
    scratch (dqn, ppo:steps=64)."""
    against: tuple[str, ...] = ()
    """More agents; the same as if they stood among the first."""
    episodes_from_scratch: Count | None = None
    """Episodes that learners from scratch have in each task; twenty trials' worth, and at least 200, if not given."""
    tasks_from_scratch: Annotated[int, Bounds(least=2, most=MOST_SEEDS)] = 100
    """Test tasks in which they have them."""
    tune: bool = False
    """Choose the settings of learners named without any on validation tasks, each from a grid of nine."""
    world: Annotated[World, tyro.conf.arg(name="")] = field(default_factory=World)
    tasks: Tasks = 1000
    """Tasks of the test split."""
    seed: Seed = 0
    """Of tasks and luck."""
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """A new directory in which the evaluation is kept, so that `metarl resume DIR` goes on with it; with agents that
    learn here runs/evaluate-DATE-TIME-... if not given, without them none."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Also write the table as CSV; beside it, for learners from scratch, theirs (CSV) and return against episodes
    (CSV, SVG, PNG)."""
    force: bool = False
    """Replace what is at --output."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Evaluates, and returns the document of `metarl.rl_squared.Evaluation`; with "run_dir" if it is kept."""
    check_output(arguments.output, arguments.force, beside=_beside(arguments))
    arguments.machine.start()
    from metarl.rl_squared import FromScratchPlan, begin_evaluation, evaluate
    from metarl.runs import leaving_nothing_if_refused, progress_on_stderr

    agents = [*arguments.agents, *arguments.against]
    asked: dict[str, Any] = {
        "world": dataclasses.asdict(arguments.world),
        "tasks": arguments.tasks,
        "seed": arguments.seed,
        "from_scratch": FromScratchPlan(
            arguments.episodes_from_scratch, arguments.tasks_from_scratch, arguments.tune
        ),
    }
    if arguments.run_dir is None and not _learners(arguments):
        document = evaluate(agents, **asked, say=progress_on_stderr().message).to_json()
        if arguments.output is not None:
            _write(document, arguments.output)
        return document
    begun = begin_evaluation(
        agents,
        arguments.run_dir,
        **asked,
        output=arguments.output,
        force=arguments.force,
        command=["metarl", *sys.argv[1:]],
    )
    progress_on_stderr().message(f"All of it is kept in {begun.path}")
    with leaving_nothing_if_refused(begun):
        return finish(begun.path)


def finish(run_dir: Path) -> dict[str, Any]:
    """Goes on with an evaluation that is kept; what is done already is read.

    Args:
      run_dir: of the evaluation.

    Raises:
      KeyboardInterrupt: a signal came; it has been said how to go on.
    """
    from metarl.rl_squared import resume_evaluation
    from metarl.runs import progress_on_stderr

    progress = progress_on_stderr()

    def write(document: Mapping[str, Any], output: Path, force: bool) -> None:
        try:  # looked at when it began, but that may be long ago
            check_output(output, force, beside=_ENDINGS if "from_scratch" in document else ())
        except InvalidInput as error:
            progress.message(f"The table is not written: {error}")
        else:
            _write(document, output)

    return resume_evaluation(run_dir, progress=progress, write=write)


def _write(document: Mapping[str, Any], output: Path) -> None:
    from metarl.reporting import write_csv
    from metarl.rl_squared import evaluation_table, write_within_task

    write_csv(output, evaluation_table(document))
    if "from_scratch" in document:
        write_within_task(output.with_suffix(""), document)


def _beside(arguments: Arguments) -> tuple[str, ...]:
    """Returns the endings of the files that learners from scratch add to the table."""
    from metarl.rl_baselines import names

    return _ENDINGS if _learners(arguments) & set(names()) else ()


_ENDINGS = ("-within-a-task.csv", "-curves.csv", "-curves.svg", "-curves.png")


def _learners(arguments: Arguments) -> set[str]:
    """Returns the names of those who learn here, in the task or before it."""
    from metarl.rl_baselines import names, offline_names

    agents = {text.partition(":")[0] for text in (*arguments.agents, *arguments.against)}
    return agents & {*names(), *offline_names()}


def show(document: dict[str, Any]) -> None:
    """Prints the table, and that of learners from scratch if there are any."""
    from metarl.reporting import print_table
    from metarl.rl_squared import evaluation_table, within_task_table

    print_table(evaluation_table(document))
    if "from_scratch" in document:
        print()
        print_table(within_task_table(document))
