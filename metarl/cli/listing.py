"""list: what there is: problems, named rules, primitives, strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

Kind = Literal["problems", "rules", "primitives", "strategies"]
Facts = dict[str, dict[str, Any]]  # name -> what one needs to choose


@dataclass(frozen=True)
class Arguments:
    """Lists what there is, with what one needs to choose."""

    kind: Annotated[Kind, tyro.conf.Positional]
    """What to list."""
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Facts]:
    """Returns {kind: {name: facts}}; neither data nor jax are loaded for problems and primitives."""
    tables = {
        "problems": _problems,
        "rules": _rules,
        "primitives": _primitives,
        "strategies": _strategies,
    }
    return {arguments.kind: tables[arguments.kind]()}


def show(document: dict[str, Facts]) -> None:
    """Prints the list as a table."""
    from metarl.reporting import Column, Table, print_table

    ((kind, facts),) = document.items()
    rows = [{"name": name, **row} for name, row in facts.items()]
    columns = [Column(name, name.replace("_", " ")) for name in (rows[0] if rows else ("name",))]
    print_table(Table(kind, columns, rows))


def _problems() -> Facts:
    from metarl.problems import cards

    facts = ("family", "role", "metric", "chance", "steps")
    return {card.name: {fact: getattr(card, fact) for fact in facts} for card in cards()}
