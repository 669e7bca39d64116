"""enumerate: every function of a space of rules once, simplest first."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.optimizer_search import FunctionsConfig
from metarl.reporting import counted

from .machine import Machine

_SHOWN = 20  # rules in the table; the file has all


@dataclass(frozen=True)
class Arguments:
    """Meets every function of a space of update rules once, by its simplest rule, simplest first.

    Most token sequences of a space are other ways to write a few thousand functions. Two rules are one function if
    they agree, up to a positive factor, on the states on which a search tests its rules. What a search would train is
    printed and counted; functions.csv in the run's directory has every function. `metarl search --strategy
    enumeration` trains them in this order.
    """

    functions: Annotated[FunctionsConfig, tyro.conf.arg(name="")] = field(
        default_factory=FunctionsConfig
    )
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """A new directory for the run; runs/enumerate-DATE-TIME-... if not given."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Enumerates, and returns the document of `--json`."""
    arguments.machine.start()
    from metarl.optimizer_search import begin_functions, resume_functions

    command = ["metarl", *sys.argv[1:]]
    begun = begin_functions(arguments.functions, arguments.run_dir, command=command)
    return resume_functions(begun.path)


def show(document: Mapping[str, Any]) -> None:
    """Prints the simplest rules, the number of functions by size, and how far they go."""
    from metarl.reporting import Column, Table, print_table

    rules = document["rules"]
    columns = [Column("number", "number"), Column("size", "nodes"), Column("rule", "rule")]
    rows = [{name: row[name] for name in ("number", "size", "rule")} for row in rules[:_SHOWN]]
    print_table(
        Table(f"The simplest of {len(rules):,} rules that a search would train", columns, rows)
    )
    columns = [
        Column("size", "nodes"),
        Column("functions", "functions"),
        Column("pass", "would be trained"),
    ]
    print_table(Table("Functions by the size of their simplest rule", columns, document["by_size"]))
    print(_how_far(document))
    print(f"All of them: {Path(document['run_dir']) / 'functions.csv'}")


def _how_far(document: Mapping[str, Any]) -> str:
    where = f"space {document['space']}, depth {document['depth']}"
    met = (
        f"{counted(document['functions'], 'function')}, {document['pass']:,} of which pass the filters; "
        f"{document['tried']:,} rules were run on the probes."
    )
    if document["whole_space"]:
        return f"That is all of {where} ({document['sequences']:,} token sequences): {met}"
    return (
        f"Every function of {where} whose simplest rule has at most {document['complete_size']} nodes is met: "
        f"{met} The space goes on ({document['sequences']:,} token sequences); --budget and --max-size say how "
        "far to go."
    )
