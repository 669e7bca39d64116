"""Cuts: the simpler rules that one cut makes of a rule.

A cut puts one of its arguments in the place of a subexpression, or 1 in the place of a number, everywhere it stands:
so a function is dropped, a sum or a product loses a side, a factor goes. What is simpler is a matter of the canonical
form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .expression import Binary, Expression, Number, Operand, Unary, children, walk
from .printer import to_text
from .rule import Rule
from .spaces import IDENTITY, KEEP, Space, applied, vocabulary

_ONE = Number(1.0)


def simpler(rule: Rule) -> list[Rule]:
    """Returns the rules that one cut makes of a rule and that are simpler than it; of equal canonical forms one.

    >>> [str(cut) for cut in simpler(Rule.parse("0.5 * sign(m)"))]
    ['0.5', 'sign(m)', '0.5 * m']
    """
    found: dict[Rule, Rule] = {}
    for part in dict.fromkeys(walk(rule.expression)):
        for instead in _instead(part):
            variant = Rule(_replaced(rule.expression, part, instead))
            if complexity(variant) < complexity(rule):
                found.setdefault(variant.canonical(), variant)
    return list(found.values())


def complexity(rule: Rule) -> tuple[int, int]:
    """Returns the size of the canonical form, and how many of its numbers are not 1."""
    canonical = rule.canonical()
    numbers = [part for part in walk(canonical.expression) if isinstance(part, Number)]
    return canonical.size, sum(number != _ONE for number in numbers)


def unscaled(rule: Rule) -> Rule:
    """Returns a rule without the positive factors of the whole, which a learning rate absorbs.

    >>> unscaled(Rule.parse("-(0.5 * sign(g)) * (m * 3)"))
    Rule.parse('-sign(g) * m')
    """
    return Rule(_unscaled(rule.expression))


def with_parts(space: Space, rules: Iterable[Rule]) -> Space:
    """Returns a space with the leaves, functions and operators of some rules added, so that their cuts can be written.

    A space may offer `1e-3 * w` and neither `w` nor a number; the members that it has keep their places.
    """
    offered = vocabulary(space)
    parts = [part for rule in rules for part in walk(rule.expression)]
    leaves = [part for part in parts if isinstance(part, Operand | Number)]
    functions = [(part.name, part.constant) for part in parts if isinstance(part, Unary)]
    operators = [part.name for part in parts if isinstance(part, Binary)]
    x = Operand("x")
    return replace(
        space,
        name=f"{space.name} with parts",
        operands=(*space.operands, *map(to_text, _missing([_ONE, *leaves], offered.operands))),
        unary=(
            *space.unary,
            *(to_text(applied(f, x)) for f in _missing([IDENTITY, *functions], offered.unary)),
        ),
        binary=(*space.binary, *_missing([*operators, KEEP], offered.binary)),
    )


def _unscaled(node: Expression) -> Expression:
    match node:
        case Binary("*", Number(factor), x) | Binary("*", x, Number(factor)) if factor > 0.0:
            return _unscaled(x)
        case Binary("*", left, right):
            return Binary("*", _unscaled(left), _unscaled(right))
        case Unary("-", x):
            return Unary("-", _unscaled(x))
    return node


def _instead(part: Expression) -> tuple[Expression, ...]:
    """Returns what may stand in the place of a part."""
    if isinstance(part, Number):
        return () if part == _ONE else (_ONE,)
    return children(part)


def _replaced(node: Expression, part: Expression, instead: Expression) -> Expression:
    """Returns a tree with one expression in the place of another, everywhere; the larger places first."""
    if node == part:
        return instead
    match node:
        case Unary(name, argument, constant):
            return Unary(name, _replaced(argument, part, instead), constant)
        case Binary(name, left, right):
            return Binary(name, _replaced(left, part, instead), _replaced(right, part, instead))
    return node


def _missing(wanted: Sequence, offered: Sequence) -> list:
    return [member for member in dict.fromkeys(wanted) if member not in offered]
