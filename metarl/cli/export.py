"""export: a rule as a file that stands alone: optax, torch, LaTeX or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from metarl.reading import Count

if TYPE_CHECKING:
    from .rule_argument import FoundRule

Target = Literal["optax", "torch", "latex", "json"]


@dataclass(frozen=True)
class Arguments:
    """Writes a rule as a file that stands alone."""

    rule: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RULE_OR_RUN")]
    """A name (see `metarl list rules`), a rule's text, the directory of a run, RUN_DIR#rank, or a JSON file written by
    this command or by a search."""
    to: Target
    """optax and torch: a file of Python that needs only that library; latex: the formula; json: with provenance."""
    rank: Count = 1
    """Which of a run's best rules, in the order of their score on choice data."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Where to write it; standard output if not given."""
    force: bool = False
    """Replace what is at --output."""
    name: str | None = None
    """What the optimizer in the file is called; the rule's own name, or one that says it was found."""
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Any]:
    """Exports the rule and writes the file, if one is named.

    Returns:
      "rule", its text; "to"; "file", or None; "text", the content of the file.
    """
    from .output_file import check_output
    from .rule_argument import read_rule

    check_output(arguments.output, arguments.force)
    found = read_rule(arguments.rule, arguments.rank)
    text = _exported(found, arguments)
    if arguments.output is not None:
        _write(arguments.output, text)
    return {
        "rule": str(found.rule),
        "to": arguments.to,
        "file": None if arguments.output is None else str(arguments.output),
        "text": text,
    }


def show(document: dict[str, Any]) -> None:
    """Prints the file's content, or where it was written."""
    if document["file"] is None:
        print(document["text"], end="")
    else:
        print(f"{document['file']}: {document['rule']}")


def _write(path: Path, text: str) -> None:
    from metarl.reporting import write_file

    try:
        write_file(path, text)
    except OSError as error:  # name what was asked for, not the file that was to be renamed to it
        raise OSError(error.errno, error.strerror, str(path)) from error


def _exported(found: FoundRule, arguments: Arguments) -> str:
    from metarl.update_rules import to_json, to_latex, to_python, to_torch

    rule, provenance = found.rule, found.provenance
    if arguments.to == "latex":
        return to_latex(rule) + "\n"
    if arguments.to == "json":
        return to_json(rule, provenance)
    write = to_python if arguments.to == "optax" else to_torch
    return write(rule, name=arguments.name, provenance=provenance)
