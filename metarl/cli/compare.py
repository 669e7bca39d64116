"""compare: rules beside tuned optimizers, under one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.optimizer_search import CompareConfig

from .machine import Machine


@dataclass(frozen=True)
class Arguments:
    """Compares update rules with tuned Adam: equal tuning for all, fresh paired seeds, test data.

    The names of standard optimizers (adam, momentum, lion ...) mean optax's own.
    """

    rules: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RULE_OR_NAME")]
    """Names, rules' texts, or RUN_DIR#rank."""
    compare: Annotated[CompareConfig, tyro.conf.arg(name="")] = field(default_factory=CompareConfig)
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Also write all numbers as CSV."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Compares, and returns the document of `--json`; "details" holds curves and tuning losses."""
    arguments.compare.validate()
    arguments.machine.start()
    from metarl.optimizer_search import compare, finalists_document, finalists_table
    from metarl.reporting import write_csv
    from metarl.runs import progress_on_stderr

    entrants = [_entrant(text) for text in arguments.rules]
    comparison = compare(entrants, arguments.compare, progress_on_stderr().message)
    document = comparison.to_document()
    if arguments.output is not None:
        write_csv(arguments.output, finalists_table(document))
    labels = list(arguments.rules)
    return {**finalists_document(comparison, labels), "details": document}


def show(document: dict[str, Any]) -> None:
    """Prints one table a problem."""
    from metarl.optimizer_search import problem_table
    from metarl.reporting import print_table

    for name, compared in document["details"].items():
        print_table(problem_table(name, compared, list(document["problems"][name])))
        print()


def _entrant(text: str) -> Any:
    """Returns what a person means: a reference, a named rule, a text, or a rule of a run."""
    from metarl.optimizer_search import entrant, references, rule_entrant

    from .rule_argument import is_of_run, read_rule

    if text not in {reference.label for reference in references()} and is_of_run(text):
        return rule_entrant(text, read_rule(text).rule)
    return entrant(text)
