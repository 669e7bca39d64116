"""evaluate: trained and classical agents, and learners from scratch, on the same test tasks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.reading import Count, Seed
from metarl.rl_squared import WorldConfig

from .machine import Machine
from .output_file import check_output


@dataclass(frozen=True)
class World(WorldConfig):
    """Where agents are played, as far as no trained one tells."""

    environment: str | None = None  # type: ignore[assignment]
    """A family (`metarl list environments`), or my_module:factory; needed for classical agents alone."""

    episodes: Count | None = None
    """Episodes of a trial; those of the training, or 10, if neither this nor --trial-steps is given."""


@dataclass(frozen=True)
class Arguments:
    """Plays trained agents, classical agents and learners from scratch in the same test tasks."""

    agents: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="AGENT_OR_RUN")]
    """Run directories, files or names of trained agents; classical agents with settings (ucb1:c=0.2); learners from
    scratch (dqn, ppo:steps=64)."""
    against: tuple[str, ...] = ()
    """More agents; the same as if they stood among the first."""
    episodes_from_scratch: Count | None = None
    """Episodes that learners from scratch have in each task; twenty trials' worth, and at least 200, if not given."""
    tasks_from_scratch: Count = 100
    """Test tasks in which they have them."""
    tune: bool = False
    """Choose the settings of learners named without any on validation tasks, each from a grid of nine."""
    world: Annotated[World, tyro.conf.arg(name="")] = field(default_factory=World)
    tasks: Count = 1000
    """Tasks of the test split."""
    seed: Seed = 0
    """Of tasks and luck."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Also write the table as CSV; beside it, for learners from scratch, theirs (CSV) and return against episodes
    (CSV, SVG, PNG)."""
    force: bool = False
    """Replace what is at --output."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Evaluates, and returns the document of `metarl.rl_squared.Evaluation`."""
    check_output(arguments.output, arguments.force, beside=_beside(arguments))
    arguments.machine.start()
    from metarl.reporting import write_csv
    from metarl.rl_squared import FromScratchPlan, evaluate, evaluation_table, write_within_task
    from metarl.runs import progress_on_stderr

    output = arguments.output
    plan = FromScratchPlan(
        arguments.episodes_from_scratch, arguments.tasks_from_scratch, arguments.tune
    )
    document = evaluate(
        [*arguments.agents, *arguments.against],
        world=dataclasses.asdict(arguments.world),
        tasks=arguments.tasks,
        seed=arguments.seed,
        from_scratch=plan,
        say=progress_on_stderr().message,
    ).to_json()
    if output is not None:
        write_csv(output, evaluation_table(document))
        if "from_scratch" in document:
            write_within_task(output.with_suffix(""), document)
    return document


def _beside(arguments: Arguments) -> tuple[str, ...]:
    """Returns the endings of the files that learners from scratch add to the table."""
    from metarl.rl_baselines import names

    agents = {text.partition(":")[0] for text in (*arguments.agents, *arguments.against)}
    if not agents & set(names()):
        return ()
    return ("-within-a-task.csv", "-curves.csv", "-curves.svg", "-curves.png")


def show(document: dict[str, Any]) -> None:
    """Prints the table, and that of learners from scratch if there are any."""
    from metarl.reporting import print_table
    from metarl.rl_squared import evaluation_table, within_task_table

    print_table(evaluation_table(document))
    if "from_scratch" in document:
        print_table(within_task_table(document))
