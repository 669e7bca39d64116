"""list: what there is: problems, named rules, primitives, strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

Kind = Literal["problems", "rules", "primitives", "strategies"]
Facts = dict[str, dict[str, Any]]  # name -> what one needs to choose

_STRATEGIES = {
    "ppo": "the controller, trained by proximal policy optimization",
    "reinforce": "the controller, trained by REINFORCE",
    "trpo": "the controller, trained by trust region policy optimization",
    "evolution": "regularised evolution",
    "random": "random rules, the yardstick",
}


@dataclass(frozen=True)
class Arguments:
    """Lists what there is, with what one needs to choose."""

    kind: Annotated[Kind, tyro.conf.Positional]
    """What to list."""
    json: bool = False
    """Print one JSON document on standard output, and nothing else there."""


def run(arguments: Arguments) -> dict[str, Facts]:
    """Returns {kind: {name: facts}}; with the primitives come the spaces they form."""
    match arguments.kind:
        case "problems":
            return {"problems": _problems()}
        case "rules":
            return {"rules": _rules()}
        case "primitives":
            return {"primitives": _primitives(), "spaces": _spaces()}
        case "strategies":
            return {"strategies": _strategies()}


def show(document: dict[str, Facts]) -> None:
    """Prints one table for each kind."""
    from metarl.reporting import Column, Table, print_table

    for kind, facts in document.items():
        rows = [{"name": name, **_readable(row)} for name, row in facts.items()]
        columns = [Column(name, name.replace("_", " ")) for name in rows[0]]
        print_table(Table(kind, columns, rows))


def _problems() -> Facts:
    from metarl.problems import cards

    facts = ("family", "role", "metric", "chance", "steps")
    return {card.name: {fact: getattr(card, fact) for fact in facts} for card in cards()}


def _rules() -> Facts:
    from metarl.update_rules import NAMED_RULES

    facts = ("text", "source", "found_here")
    return {name: {fact: getattr(row, fact) for fact in facts} for name, row in NAMED_RULES.items()}


def _primitives() -> Facts:
    from metarl.update_rules import BINARY, OPERANDS, UNARY, Primitive

    def written(row: Primitive) -> str:
        """Returns how a rule's text has it; `-` alone would name two of them."""
        if row.kind == "operand":
            return row.name
        if row.kind == "binary":
            return f"x {row.name} y"
        arguments = "x, c" if row.constant else "x"
        return f"{row.name}x" if row.precedence else f"{row.name}({arguments})"

    facts = ("kind", "meaning", "latex", "source")
    rows = (*OPERANDS.values(), *UNARY.values(), *BINARY.values())
    return {written(row): {fact: getattr(row, fact) for fact in facts} for row in rows}


def _spaces() -> Facts:
    from metarl.update_rules import SPACES

    facts = ("description", "operands", "unary", "binary")
    return {name: {fact: getattr(space, fact) for fact in facts} for name, space in SPACES.items()}


def _strategies() -> Facts:
    return {name: {"description": description} for name, description in _STRATEGIES.items()}


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts as a table shows them: no LaTeX, and of a list its length."""
    return {
        name: len(value) if isinstance(value, tuple) else value
        for name, value in row.items()
        if name != "latex"
    }
