"""table: every rule of a small space by every judge, so that searches can be replayed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.optimizer_search import TableConfig
from metarl.reporting import counted

from .data_files import DataFiles
from .evaluators import Evaluators
from .machine import Machine


@dataclass(frozen=True)
class Arguments:
    """Trains every rule of a small space by every judge, at fifteen learning rates, on several replicates.

    What comes of it is a table (docs/rule_tables.md): `metarl search --evaluator table:RUN_DIR` searches it in
    seconds. The judges are trained one after another; one that is complete can be used while the next is trained.
    """

    table: Annotated[TableConfig, tyro.conf.arg(name="")] = field(default_factory=TableConfig)
    run_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """A new directory for the run; runs/table-DATE-TIME-... if not given."""
    data: Annotated[DataFiles, tyro.conf.arg(name="")] = field(default_factory=DataFiles)
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    evaluators: Annotated[Evaluators, tyro.conf.arg(name="")] = field(default_factory=Evaluators)
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Builds the table, and returns the document of `--json`."""
    arguments.data.use()
    command = ["metarl", *sys.argv[1:]]
    with arguments.evaluators.backend(arguments.machine) as backend:
        from metarl.optimizer_search import begin_table, resume_table

        begun = begin_table(arguments.table, arguments.run_dir, command=command)
        return resume_table(begun.path, backend=backend)


def show(document: Mapping[str, Any]) -> None:
    """Prints the judges of the table, and where it is."""
    from metarl.reporting import Column, Table, print_table

    columns = [
        Column("judge", "judge"),
        Column("bytes", "bytes"),
        Column("rounding", "rounding of log losses"),
    ]
    title = f"Table {document['table']}: {counted(document['functions'], 'rule')}"
    print_table(Table(title, columns, document["judges"]))
    print(f"{document['steps']:,} optimizer steps of rules.")
    print(f"The table: {Path(document['run_dir']) / 'table'}")
