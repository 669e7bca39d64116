"""compare: rules beside tuned optimizers, under one protocol."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.optimizer_search import CompareConfig

from .data_files import DataFiles
from .machine import Machine
from .output_file import check_output

_TABLES = 3  # problems whose own tables are printed; of more, the report has them


@dataclass(frozen=True)
class Arguments:
    """Compares update rules with tuned Adam and others: equal tuning for all, fresh paired seeds, test data.

    The names of standard optimizers (adam, muon, lion ...) mean optax's own where it has them. Compares the standard
    optimizers among themselves if nothing is named. Held-out problems take minutes each.
    """

    rules: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RULE_OR_NAME")
    ] = ()
    """Names, rules' texts, RUN_DIR#rank, or JSON files that `metarl export` wrote."""
    optimizer: tuple[str, ...] = ()
    """Optax optimizers of your own, my_module:factory: factory(learning_rate) gives one, or one and what to judge."""
    compare: Annotated[CompareConfig, tyro.conf.arg(name="")] = field(default_factory=CompareConfig)
    diagnostics: bool = False
    """Try everybody on small problems of one difficulty each, too: pass or fail."""
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """A new directory for the run; runs/compare-DATE-TIME-... if not given."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Also write the table by problem as CSV there."""
    force: bool = False
    """Replace what is at --output."""
    data: Annotated[DataFiles, tyro.conf.arg(name="")] = field(default_factory=DataFiles)
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Compares, and returns the document of `--json`; "details" holds curves and tuning losses."""
    check_output(arguments.output, arguments.force)
    arguments.compare.validate()
    arguments.data.use()
    arguments.machine.start()
    from metarl.optimizer_search import (
        begin_comparison,
        entrant,
        finalists_table,
        resume_comparison,
    )
    from metarl.reporting import write_csv
    from metarl.runs import leaving_nothing_if_refused, progress_on_stderr

    own = (*arguments.optimizer, *arguments.compare.problem)
    begun = begin_comparison(
        [*map(_entrant, arguments.rules), *map(entrant, arguments.optimizer)],
        arguments.compare,
        arguments.run_dir,
        diagnostics=arguments.diagnostics,
        command=["metarl", *sys.argv[1:]],
    )
    progress = progress_on_stderr()
    progress.message(_first_words(arguments))
    with leaving_nothing_if_refused(begun):
        document = resume_comparison(begun.path, own=(*arguments.rules, *own), progress=progress)
    if arguments.output is not None:
        write_csv(arguments.output, finalists_table(document["details"]))
    return document


def _first_words(arguments: Arguments) -> str:
    """Returns what is begun, and that it takes its time."""
    named = len(arguments.rules) + len(arguments.optimizer)
    who = f"{named} named and the others of --references" if named else "standard optimizers alone"
    how = {
        "tuned": "everybody is tuned on each problem",
        "one-rate": "Adam is tuned on each problem, and all others' multiple of its rate on the search problems",
        "default": "everybody's one rate is found on the search problems",
    }[arguments.compare.track]
    return (
        f"Comparing {who} on {', '.join(arguments.compare.problem)}: {how}, which takes "
        "minutes a problem. --problem and --references name fewer; what is measured is kept when it is interrupted."
    )


def show(document: Mapping[str, Any]) -> None:
    """Prints the scores over all problems, who won where, and what it says."""
    from metarl.optimizer_search import (
        compared_tables,
        comparison_sentences,
        other_tracks,
        problem_table,
    )
    from metarl.reporting import print_table
    from metarl.runs import RunDirectory

    details = document["details"]
    if len(details) <= _TABLES:
        for name, compared in details.items():
            print_table(problem_table(name, compared, list(document["problems"][name])))
            print()
    for table in compared_tables(document):
        print_table(table)
        print()
    for sentence in comparison_sentences(document):
        print(sentence)
    run = RunDirectory.open(document["run_dir"])
    print(f"Report: {run.path / 'report.html'}")
    others = other_tracks(run)
    if others is not None:
        print(others)


def _entrant(text: str) -> Any:
    """Returns what a person means: a reference, a named rule, a text, or a rule of a run or a file."""
    from metarl.optimizer_search import entrant, references, rule_entrant

    from .rule_argument import is_stored, read_rule

    if text not in {reference.label for reference in references()} and is_stored(text):
        return rule_entrant(text, read_rule(text).rule)
    return entrant(text)
