"""The canonical form: the simplest of the expressions that have the same value, bit for bit.

Only what IEEE arithmetic guarantees is rewritten, for every input including zeros of both signs,
infinities and NaN (whose payload does not count), in every precision that the values share:

| rewriting | why it keeps the bits |
|---|---|
| operands of + and * in a fixed order | commutation is exact (association is not: kept) |
| -(-x) to x; x * 1, x - 0 to x; x ^ 1 to x if x holds an operand | exact |
| x + 0 to x | only where x is never -0, since -0 + 0 is +0 |
| x ^ 0 to g ^ 0 | 1 for NaN too, and of the gradient's shape; only if x holds an operand, and draws nothing |
| x + -y to x - y, x - -y to x + y, -x + y to y - x | subtraction adds the negated number |
| -x * y and x * -y to -(x * y), -x / y to -(x / y) | rounding is symmetric in the sign |
| sqrt(-x) to sqrt(x), log(-x) to log(x) | both take the absolute value |
| rms(-x) to -rms(x), and so with rownorm, colnorm | squares have no sign, and rounding is symmetric in it |
| sign(sign(x)) to sign(x); drop(drop(x, a), a) to drop(x, a); clip(clip(x, a), b) to clip(x, min(a, b)) | exact |
| sums, differences, products of whole numbers to a number | while below 2^8: exact in every float |

Not rewritten, for these do change values: x / 1 (epsilon is added to the divisor), x * 0 and x - x
(infinity, NaN), sign(exp(x)) (0 on underflow), -(x - y), sign(-x) and ortho(-x)
(sign of zero), rms(rms(x)) (epsilon). A draw is a value like any other, and no rewriting takes a draw
away, so that the rest keep their numbers.

An exact power is the scope's affair: where x ^ 1 is computed by logarithms it equals x only to
rounding.
"""

from __future__ import annotations

from .expression import Binary, Expression, Number, Operand, Unary, needs, walk
from .primitives import BINARY, OPERANDS, UNARY

_ALL_ONES = Binary("^", Operand("g"), Number(0.0))
_COMMUTATIVE = ("+", "*")
_EXACT_WHOLE = 2.0**8  # bfloat16 holds every whole number up to here
_NOT_NEGATIVE = ("v", "ld", "cd", "cd10", "rd10", "rd20")  # operands that are never -0


def canonical_expression(node: Expression) -> Expression:
    """Returns the canonical form of an expression; applied twice it changes nothing more."""
    match node:
        case Unary(name=name, argument=argument, constant=constant):
            return _unary(Unary(name, canonical_expression(argument), constant))
        case Binary(name=name, left=left, right=right):
            return _binary(Binary(name, canonical_expression(left), canonical_expression(right)))
    return node


def _unary(node: Unary) -> Expression:
    """Rewrites a node whose argument is canonical."""
    match node:
        case Unary("-", Unary("-", x)):
            return x
        case Unary("sqrt" | "log" as name, Unary("-", x)):
            return Unary(name, x)
        case Unary("rms" | "rownorm" | "colnorm" as name, Unary("-", x)):
            return Unary("-", _unary(Unary(name, x)))
        case Unary("sign", Unary("sign") as inner):
            return inner
        case Unary("drop", Unary("drop", _, inner) as once, outer) if inner == outer:
            return once
        case Unary("clip", Unary("clip", x, inner), outer) if (
            inner is not None and outer is not None
        ):
            return Unary("clip", x, min(inner, outer))
    return node


def _binary(node: Binary) -> Expression:
    """Rewrites a node whose arguments are canonical."""
    match node:
        case Binary("+" | "-" | "*" as name, Number(x), Number(y)) if folded := _folded(name, x, y):
            return folded
        case Binary("*", x, Number(1.0)) | Binary("*", Number(1.0), x):
            return x
        case Binary("^", x, Number(1.0)) if not _is_constant(x):
            return x
        case Binary("-", x, Number(0.0)):
            return x
        case Binary("+", x, Number(0.0)) | Binary("+", Number(0.0), x) if not _may_be_minus_zero(x):
            return x
        case Binary("^", x, Number(0.0)) if not (_is_constant(x) or _is_random(x)):
            return _ALL_ONES
        case Binary("*" | "/" as name, Unary("-", x), y):
            return _unary(Unary("-", _binary(Binary(name, x, y))))
        case Binary("*", x, Unary("-", y)):
            return _unary(Unary("-", _binary(Binary("*", x, y))))
        case Binary("+", x, Unary("-", y)):
            return _binary(Binary("-", x, y))
        case Binary("-", x, Unary("-", y)):
            return _binary(Binary("+", x, y))
        case Binary("+", Unary("-", x), y):
            return _binary(Binary("-", y, x))
    return _ordered(node)


def _folded(name: str, x: float, y: float) -> Expression | None:
    """Returns the number that two whole numbers make, or None if a float might round it."""
    if not (x.is_integer() and y.is_integer() and max(x, y) <= _EXACT_WHOLE):
        return None
    value = {"+": x + y, "-": x - y, "*": x * y}[name]
    if abs(value) > _EXACT_WHOLE:
        return None
    return Number(value) if value >= 0.0 else Unary("-", Number(-value))


def _ordered(node: Binary) -> Binary:
    left, right = node.left, node.right
    if node.name in _COMMUTATIVE and _order(right) < _order(left):
        return Binary(node.name, right, left)
    return node


def _order(node: Expression) -> tuple:
    """Returns a sort key: numbers, operands in the order of the table, functions, operators."""
    match node:
        case Number(value=value):
            return (0, value)
        case Operand(name=name):
            return (1, _PLACE[name])
        case Unary(name=name, argument=argument, constant=constant):
            return (2, _PLACE[f"unary {name}"], constant or 0.0, _order(argument))
        case Binary(name=name, left=left, right=right):
            return (3, _PLACE[f"binary {name}"], _order(left), _order(right))


_PLACE = {
    **{name: place for place, name in enumerate(OPERANDS)},
    **{f"unary {name}": place for place, name in enumerate(UNARY)},
    **{f"binary {name}": place for place, name in enumerate(BINARY)},
}


def _is_constant(node: Expression) -> bool:
    """Returns whether only numbers are in a node: Python floats, which a power rounds to the gradient's precision."""
    return not any(isinstance(part, Operand) for part in walk(node))


def _is_random(node: Expression) -> bool:
    return "random" in needs(node)


def _may_be_minus_zero(node: Expression) -> bool:
    match node:
        case Number() | Unary("exp" | "sqrt" | "log"):
            return False
        case Operand(name=name):
            return name not in _NOT_NEGATIVE
        case Binary("+", left, right):
            return _may_be_minus_zero(left) and _may_be_minus_zero(right)
    return True
