"""The rule: one immutable expression, which reads, prints, simplifies and stores itself.

    w <- w - learning_rate * rule(g, m, v, ...)

Two rules are equal when their trees are: `g * m` and `m * g` are two rules with one canonical form.

    >>> rule = Rule.parse("exp(sign(g)*sign(m)) * g")
    >>> print(rule, sorted(rule.needs), rule.size)
    exp(sign(g) * sign(m)) * g ['m'] 8
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, get_args

from metarl.errors import InvalidInput, require, unknown_name
from metarl.reading import MOST_SETTINGS, parse_json

from .canonical import canonical_expression
from .expression import Binary, Expression, Number, Operand, Unary, children, evaluate, needs, walk
from .parser import MAX_DEPTH, MAX_NODES, parse_expression
from .primitives import BINARY, OPERANDS, UNARY, Need, Scope
from .printer import to_latex, to_text
from .tensor_functions import OF_MATRICES

_FORMAT = "metarl.rule"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """An update rule.

    Attributes:
      expression: the tree.

    Raises:
      InvalidInput: if the tree holds a name that is not in the table, a constant out of its range,
        a number that is negative or not finite, or is larger than the parser's limits.
    """

    expression: Expression

    def __post_init__(self):
        _check(self.expression)

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Reads a rule's text.

        Args:
          text: ordinary infix, such as `exp(sign(g) * sign(m)) * g`; see `parser`.

        Returns:
          The rule as it is written. `parse(str(rule)) == rule` for every rule.

        Raises:
          RuleSyntaxError: if the text is not a rule; the message points at the place.
        """
        return cls(parse_expression(text))

    @classmethod
    def from_json(cls, document: str) -> Rule:
        """Reads what `to_json` wrote.

        Raises:
          InvalidInput: if the document is not one of a rule, or of another version.
        """
        content = parse_json(document, "The JSON document of a rule", MOST_SETTINGS)
        known = isinstance(content, dict) and content.get("format") == _FORMAT
        require(known, f"This JSON document is no rule: its format is not {_FORMAT!r}.")
        version = content.get("version")
        message = f"The rule is stored in version {str(version)[:20]}; this metarl reads version {_VERSION}."
        require(type(version) is int and version == _VERSION, message)
        return cls.parse(content.get("text", ""))

    def to_json(self) -> str:
        """Returns a JSON document that `from_json` reads."""
        return json.dumps({"format": _FORMAT, "version": _VERSION, "text": str(self)})

    def to_latex(self) -> str:
        """Returns the formula in LaTeX, without dollar signs; matplotlib's mathtext shows it too."""
        return to_latex(self.expression)

    def canonical(self) -> Rule:
        """Returns the simplest rule with the same value bit for bit; see `canonical`."""
        return Rule(canonical_expression(self.expression))

    def evaluate(self, scope: Scope) -> Any:
        """Returns the update in a scope; see `expression.evaluate`."""
        return evaluate(self.expression, scope)

    @property
    def needs(self) -> frozenset[Need]:
        """What the update depends on beside g: moments, w, progress, the step count, chance."""
        return needs(self.expression)

    @property
    def of_matrices(self) -> bool:
        """Whether functions of matrices are in it, to which roles of leaves matter; see `leaf_roles`."""
        parts = walk(self.expression)
        return any(isinstance(part, Unary) and part.name in OF_MATRICES for part in parts)

    @property
    def size(self) -> int:
        """Number of nodes of the tree."""
        return sum(1 for _ in walk(self.expression))

    @property
    def depth(self) -> int:
        """Number of levels of the tree; 1 for a single operand."""
        return _depth(self.expression)

    def __str__(self) -> str:
        """Returns the text with the fewest parentheses."""
        return to_text(self.expression)

    def __repr__(self) -> str:
        """Returns the text as it would be typed."""
        return f"Rule.parse({str(self)!r})"


def parse(text: str) -> Rule:
    """Reads a rule's text; the same as `Rule.parse`.

    >>> parse("-g^2").canonical() == parse("-(g^2)")
    True
    """
    return Rule.parse(text)


def _depth(expression: Expression) -> int:
    level: list[Expression] = [expression]
    levels = 0
    while level:
        levels += 1
        level = [child for node in level for child in children(node)]
    return levels


def _check(expression: Expression) -> None:
    for place, node in enumerate(walk(expression)):
        require(place < MAX_NODES, f"A rule has at most {MAX_NODES} operands and functions.")
        _check_node(node)
    deep = f"A rule is nested at most {MAX_DEPTH} levels deep."
    require(_depth(expression) <= MAX_DEPTH, deep)


def _check_node(node: Expression) -> None:
    match node:
        case Operand(name=name):
            if name not in OPERANDS:
                raise unknown_name("operand", str(name), OPERANDS)
        case Number(value=value):
            plain = type(value) is float and math.isfinite(value) and math.copysign(1, value) > 0
            hint = "a finite float that is not negative (a minus is Unary('-', ...))"
            require(plain, f"The number {value!r} of a rule is not {hint}.")
        case Unary(name=name, constant=constant):
            if name not in UNARY:
                raise unknown_name("function", str(name), UNARY)
            _check_constant(name, constant)
        case Binary(name=name):
            if name not in BINARY:
                raise unknown_name("operator", str(name), BINARY)
        case _:
            kinds = ", ".join(kind.__name__ for kind in get_args(Expression))
            raise InvalidInput(f"A rule is made of {kinds}, not {type(node).__name__}.")


def _check_constant(name: str, constant: float | None) -> None:
    expected = UNARY[name].constant
    if expected is None:
        require(constant is None, f"{name} takes no constant, but has {constant!r}.")
        return
    accepted = type(constant) is float and expected.accepts(constant)
    require(
        accepted, f"The {expected.name} of {name} is a float {expected.range}, not {constant!r}."
    )
