"""Expressions: a rule's text as a tree, and its value in a scope.

A node is an operand, a number, a unary or a binary primitive; nodes are immutable, hashable and
compared by value. `evaluate` is the one evaluator: with arrays in the scope it gives the update,
with a writer of code in the scope it gives source text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .primitives import BINARY, OPERANDS, UNARY, Need, Primitive, Scope


@dataclass(frozen=True, slots=True)
class Operand:
    """A named value: `g`, `m`, `adam`, `ld` ..."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Unary:
    """A function of one argument; `constant` is the limit of `clip` or the rate of `drop`."""

    name: str
    argument: Expression
    constant: float | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """An infix operator: `+`, `-`, `*`, `/`, `^`."""

    name: str
    left: Expression
    right: Expression


Expression = Operand | Number | Unary | Binary

Draw = tuple[str, float]  # the name of a random primitive and its constant, 0 for an operand
_PLACE = {name: place for place, name in enumerate((*OPERANDS, *UNARY))}


def children(node: Expression) -> tuple[Expression, ...]:
    """Returns the arguments of a node, left to right."""
    match node:
        case Unary(argument=argument):
            return (argument,)
        case Binary(left=left, right=right):
            return (left, right)
    return ()


def walk(node: Expression) -> Iterator[Expression]:
    """Yields a node and everything below it, parents first."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(children(top)))


def needs(node: Expression) -> frozenset[Need]:
    """Returns the parts of the scope, beside g, that an expression depends on."""
    found: set[Need] = set()
    for part in walk(node):
        match part:
            case Operand(name=name):
                found |= OPERANDS[name].needs
            case Unary(name=name):
                found |= UNARY[name].needs
    return frozenset(found)


def draws(node: Expression) -> list[Draw]:
    """Returns what an expression draws at a step: each once, in an order that the text does not change."""
    found: set[Draw] = set()
    for part in walk(node):
        match part:
            case Operand(name=name) if "random" in OPERANDS[name].needs:
                found.add((name, 0.0))
            case Unary(name=name, constant=float() as rate) if "random" in UNARY[name].needs:
                found.add((name, rate))
    return sorted(found, key=lambda draw: (_PLACE[draw[0]], -draw[1]))


def evaluate(node: Expression, scope: Scope) -> Any:
    """Returns the value of an expression in a scope.

    Arguments are evaluated from left to right, and equal parts once. Numbers are Python floats, so a
    part made of nothing else stays one.
    """
    return _evaluate(node, scope, {})


def _evaluate(node: Expression, scope: Scope, known: dict[Expression, Any]) -> Any:
    if node in known:
        return known[node]
    values = [_evaluate(child, scope, known) for child in children(node)]
    match node:
        case Number(value=number):
            return number
        case Operand(name=name):
            value = OPERANDS[name].evaluate(scope)
        case Unary(name=name, constant=constant):
            value = UNARY[name].evaluate(scope, *values, *(() if constant is None else (constant,)))
        case Binary(name=name):
            value = _apply(BINARY[name], scope, *values)
    known[node] = value
    return value


def _apply(row: Primitive, scope: Scope, left: Any, right: Any) -> Any:
    try:
        return row.evaluate(scope, left, right)
    except ZeroDivisionError:  # of two Python floats: divide as arrays do
        return left * math.inf
