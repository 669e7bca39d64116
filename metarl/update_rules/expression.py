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


def evaluate(node: Expression, scope: Scope) -> Any:
    """Returns the value of an expression in a scope.

    Arguments are evaluated from left to right. Equal deterministic parts are computed once; each
    `noise` and each `drop` draws anew. Numbers are Python floats, so a part made of nothing else
    stays one.
    """
    value, _ = _evaluate(node, scope, {})
    return value


def _evaluate(node: Expression, scope: Scope, known: dict[Expression, Any]) -> tuple[Any, bool]:
    """Returns the value of a node, and whether it is random."""
    if node in known:
        return known[node], False
    arguments = [_evaluate(child, scope, known) for child in children(node)]
    values = [value for value, _ in arguments]
    random = any(is_random for _, is_random in arguments)
    match node:
        case Number(value=number):
            return number, False
        case Operand(name=name):
            row = OPERANDS[name]
            value = row.evaluate(scope)
        case Unary(name=name, constant=constant):
            row = UNARY[name]
            value = row.evaluate(scope, *values, *(() if constant is None else (constant,)))
        case Binary(name=name):
            row = BINARY[name]
            value = _apply(row, scope, *values)
    random = random or "random" in row.needs
    if not random:
        known[node] = value
    return value, random


def _apply(row: Primitive, scope: Scope, left: Any, right: Any) -> Any:
    try:
        return row.evaluate(scope, left, right)
    except ZeroDivisionError:  # of two Python floats: divide as arrays do
        return left * math.inf
