"""From a rule's text to its expression.

The text is ordinary infix: `+ - * / ^`, parentheses, numbers, the operands and functions of the
table. Powers bind tighter than a minus sign in front, and group from the right, as in mathematics:
`-g^2` is -(g^2), `2^-g` is 2^(-g), `g^m^2` is g^(m^2); products and sums group from the left. There
is no implicit product: write `2 * g`. A division adds epsilon to its divisor, see the table.

Text is untrusted. Its length, the depth of the tree and the number of nodes are limited, so that
any text ends quickly, in an expression or in one `RuleSyntaxError`.

Reference: Pratt (1973), "Top down operator precedence", for the method: one loop over operators,
one recursion for what binds tighter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import NamedTuple

from metarl.errors import InvalidInput, nearest_name

from .expression import Binary, Expression, Number, Operand, Unary
from .primitives import BINARY, OPERANDS, UNARY, Primitive
from .rule_text import RuleSyntaxError

MAX_CHARACTERS = 10_000
MAX_DEPTH = 100  # levels of the tree
MAX_NODES = 300  # so that every rule's text is shorter than MAX_CHARACTERS
_MAX_RECURSION = 2 * MAX_DEPTH + 1  # a level takes two: one for the operator, one for a bracket

_FUNCTIONS = {name: row for name, row in UNARY.items() if name.isalpha()}
_MINUS = UNARY["-"]
_RIGHT_ASSOCIATIVE = "^"

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<symbol>\*\*|[-+*/^(),])"
)

_INSTEAD = {
    "**": "powers are written with `^`, as in g^2",
    "−": "write the ASCII `-`",
    "–": "write the ASCII `-`",
    "×": "write `*`",
    "·": "write `*`",
    "÷": "write `/`",
    "²": "write `^2`",
    "³": "write `^3`",
    "[": "write round brackets",
    "]": "write round brackets",
    "{": "write round brackets",
    "}": "write round brackets",
}

_OTHER_NAMES = {
    "e": "for the exponential, write exp(x)",
    "ln": "the natural logarithm of |x| is log(x)",
    "abs": "log and sqrt take the absolute value themselves",
    "beta": "the averages m, v, y hold their own rates",
    "grad": "the gradient is g",
    "gradient": "the gradient is g",
    "momentum": "the moving average of g is m",
    "eps": "a division adds epsilon to its divisor",
    "epsilon": "a division adds epsilon to its divisor",
    "lr": "the learning rate is not part of a rule",
    "learning_rate": "the learning rate is not part of a rule",
}


class _Token(NamedTuple):
    kind: str  # number, name, symbol or end
    text: str
    offset: int


def parse_expression(text: str, variables: Collection[str] = ()) -> Expression:
    """Reads an expression.

    Args:
      text: the rule's text.
      variables: names accepted as operands beside those of the table.

    Returns:
      The expression, as it is written: nothing is simplified.

    Raises:
      RuleSyntaxError: if the text is not a rule, or longer, deeper or larger than the limits.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"A rule is text such as 'sign(g) * m', not {type(text).__name__}.")
    if len(text) > MAX_CHARACTERS:
        problem = f"{len(text)} characters are too many; a rule has at most {MAX_CHARACTERS}."
        raise RuleSyntaxError(problem, text, MAX_CHARACTERS)
    return _Parser(text, variables).whole()


class _Parser:
    """Reads tokens from left to right; `_nodes` counts what was built."""

    def __init__(self, text: str, variables: Collection[str]):
        self._text = text
        self._operands = frozenset(OPERANDS) | frozenset(variables)
        self._tokens = _tokens(text)
        self._index = 0
        self._recursion = 0
        self._nodes = 0

    def whole(self) -> Expression:
        """Reads the text to its end."""
        if self._token.kind == "end":
            raise self._error("there is nothing here; write an expression such as sign(g) * m.")
        expression, _ = self._expression(lowest=1)
        if self._token.kind != "end":
            raise self._error(self._why_not_an_operator())
        return expression

    def _expression(self, lowest: int) -> tuple[Expression, int]:
        """Reads operators of precedence `lowest` or higher; returns a tree and its depth."""
        self._recursion += 1
        if self._recursion > _MAX_RECURSION:
            raise self._error(f"a rule is nested at most {MAX_DEPTH} levels deep.")
        left, depth = self._prefix()
        while (row := BINARY.get(self._token.text)) and row.precedence >= lowest:
            operator = self._advance()
            tighter = row.precedence + (row.name != _RIGHT_ASSOCIATIVE)
            right, right_depth = self._expression(tighter)
            depth = max(depth, right_depth)
            left, depth = self._node(Binary(row.name, left, right), depth, operator)
        self._recursion -= 1
        return left, depth

    def _prefix(self) -> tuple[Expression, int]:
        token = self._advance()
        match token.kind, token.text:
            case "number", _:
                return self._node(Number(self._number(token)), 0, token)
            case "name", name if name in _FUNCTIONS:
                return self._call(token, _FUNCTIONS[name])
            case "name", name if name in self._operands:
                return self._node(Operand(name), 0, token)
            case "name", _:
                raise self._error(self._unknown(token), token)
            case "symbol", "-":
                inner, depth = self._expression(_MINUS.precedence)
                return self._node(Unary("-", inner), depth, token)
            case "symbol", "(":
                inner = self._expression(lowest=1)
                self._close(token)
                return inner
        found = "the text ends" if token.kind == "end" else f"there is {token.text!r}"
        raise self._error(f"{found} where a value should stand (g, 2, sign(m), ...).", token)

    def _call(self, name: _Token, row: Primitive) -> tuple[Expression, int]:
        usage = _usage(row)
        if self._token.text != "(":
            raise self._error(f"{row.name} is a function: write {usage}.", name)
        opening = self._advance()
        inner, depth = self._expression(lowest=1)
        constant = None
        if row.constant is not None:
            if self._token.text != ",":
                problem = f"{row.name} takes a {row.constant.name} too: write {usage}."
                raise self._error(problem)
            self._advance()
            constant = self._constant(row)
        if self._token.text == ",":
            takes = "one argument" if row.constant is None else f"x and a {row.constant.name}"
            raise self._error(f"{row.name} takes {takes}: write {usage}.")
        self._close(opening)
        return self._node(Unary(row.name, inner, constant), depth, name)

    def _constant(self, row: Primitive) -> float:
        assert row.constant is not None
        token = self._advance()
        what = f"the {row.constant.name} of {row.name} is a number {row.constant.range}"
        if token.kind != "number":
            raise self._error(f"{what}, as in {_usage(row)}.", token)
        value = self._number(token)
        if not row.constant.accepts(value):
            raise self._error(f"{what}, not {token.text[:20]}.", token)
        return value

    def _number(self, token: _Token) -> float:
        value = float(token.text)
        if math.isinf(value):
            raise self._error("this number is too large for a float.", token)
        if value == 0.0 and re.search("[1-9]", re.split("[eE]", token.text)[0]):
            raise self._error("this number is too small for a float.", token)
        return value

    def _close(self, opening: _Token) -> None:
        if self._token.text == ")":
            self._advance()
        elif self._token.kind == "end":
            raise self._error("this bracket is never closed.", opening)
        else:
            raise self._error(self._why_not_an_operator())

    def _why_not_an_operator(self) -> str:
        token, before = self._token, self._tokens[self._index - 1]
        if token.text == ")":
            return "this bracket was never opened."
        if token.text == ",":
            return "a comma belongs between x and the constant of clip or drop."
        if before.kind == "name" and token.text == "(":
            return f"{before.text} is a value, not a function; write {before.text} * (...)."
        return "an operator is missing before this (a product is written 2 * g)."

    def _unknown(self, token: _Token) -> str:
        name = token.text
        if name in _OTHER_NAMES:
            return f"{name!r} is not known: {_OTHER_NAMES[name]}."
        known = sorted(self._operands | set(_FUNCTIONS))
        suggestion = nearest_name(name, known)
        hint = f" Did you mean {suggestion!r}?" if suggestion else ""
        shown = name if len(name) <= 40 else name[:40] + "..."
        return f"unknown name {shown!r}.{hint} Known: {', '.join(known)}."

    def _node(self, node: Expression, depth_below: int, token: _Token) -> tuple[Expression, int]:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(f"a rule has at most {MAX_NODES} operands and functions.", token)
        if depth_below >= MAX_DEPTH:
            raise self._error(f"a rule is nested at most {MAX_DEPTH} levels deep.", token)
        return node, depth_below + 1

    @property
    def _token(self) -> _Token:
        return self._tokens[self._index]

    def _advance(self) -> _Token:
        token = self._token
        self._index = min(self._index + 1, len(self._tokens) - 1)
        return token

    def _error(self, problem: str, token: _Token | None = None) -> RuleSyntaxError:
        return RuleSyntaxError(problem, self._text, (token or self._token).offset)


def _tokens(text: str) -> list[_Token]:
    tokens = []
    offset = 0
    while offset < len(text):
        found = _TOKEN.match(text, offset)
        piece = found.group() if found else text[offset]
        if found is None or piece in _INSTEAD:
            problem = f"{piece!a} has no meaning here"
            hint = _INSTEAD.get(piece)
            raise RuleSyntaxError(f"{problem}; {hint}." if hint else f"{problem}.", text, offset)
        if found.lastgroup != "space":
            tokens.append(_Token(str(found.lastgroup), piece, offset))
        offset = found.end()
    return [*tokens, _Token("end", "", len(text))]


def _usage(row: Primitive) -> str:
    if row.constant is None:
        return f"{row.name}(x)"
    return f"{row.name}(x, {'0.3' if row.constant.high <= 1.0 else '1e-4'})"
