"""From an expression back to text, and to LaTeX.

Text carries the fewest parentheses with which it parses back to the very same tree. LaTeX is read
off the templates of the table; it is kept to what matplotlib's mathtext understands as well.
"""

from __future__ import annotations

import functools

from .expression import Binary, Expression, Number, Operand, Unary
from .primitives import BINARY, OPERANDS, UNARY

_ATOM = 5  # binds tighter than any operator
_RIGHT_ASSOCIATIVE = "^"

# How tightly pieces of LaTeX hold together: a script or a fraction is a good factor, but no base.
_SUM, _PRODUCT, _NEGATION, _SCRIPT, _SYMBOL = range(1, 6)


def to_text(node: Expression) -> str:
    """Returns the text of an expression, which parses back to an equal one."""
    match node:
        case Operand(name=name):
            return name
        case Number(value=value):
            return number_text(value)
        case Unary(name="-", argument=argument):
            return "-" + _enclosed(argument, UNARY["-"].precedence)
        case Unary(name=name, argument=argument, constant=constant):
            second = "" if constant is None else f", {number_text(constant)}"
            return f"{name}({to_text(argument)}{second})"
        case Binary(name=name, left=left, right=right):
            precedence = BINARY[name].precedence
            from_the_right = name == _RIGHT_ASSOCIATIVE
            left_text = _enclosed(left, precedence + from_the_right)
            # a minus sign in front needs no parentheses on the right of an operator
            is_negation = isinstance(right, Unary)
            right_text = _enclosed(right, 0 if is_negation else precedence + (not from_the_right))
            return (
                f"{left_text}^{right_text}" if name == "^" else f"{left_text} {name} {right_text}"
            )
    raise TypeError(f"not an expression: {node!r}")


def _enclosed(node: Expression, lowest: int) -> str:
    """Returns the text of an argument, in parentheses if it binds less tightly than `lowest`."""
    text = to_text(node)
    return text if _precedence(node) >= lowest else f"({text})"


def _precedence(node: Expression) -> int:
    match node:
        case Unary(name="-"):
            return UNARY["-"].precedence
        case Binary(name=name):
            return BINARY[name].precedence
    return _ATOM


def number_text(value: float) -> str:
    """Returns the shortest text that reads back as the same float, on a tie without exponent.

    >>> [number_text(x) for x in (1.0, 0.5, 1e-4, 2500.0)]
    ['1', '0.5', '1e-4', '2500']
    """
    digits, exponent = _digits(value)
    scientific = f"{digits[0]}.{digits[1:]}".rstrip(".") + f"e{exponent}"
    if exponent >= len(digits) - 1:
        plain = digits + "0" * (exponent - len(digits) + 1)
    elif exponent >= 0:
        plain = f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
    else:
        plain = "0." + "0" * (-exponent - 1) + digits
    return min(plain, scientific, key=len)


# a space has few numbers, and a search prints each thousands of times
@functools.lru_cache(maxsize=1 << 10)
def _digits(value: float) -> tuple[str, int]:
    """Returns the significant digits of a number that is not negative, and its decimal exponent."""
    mantissa, exponent = f"{value:.16e}".split("e")
    for precision in range(17):  # the fewest digits that read back as the same float
        mantissa, exponent = f"{value:.{precision}e}".split("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return mantissa.replace(".", ""), int(exponent)


def to_latex(node: Expression) -> str:
    """Returns an expression as LaTeX, for mathematics mode, without dollar signs."""
    return _latex(node)[0]


def _latex(node: Expression) -> tuple[str, int]:
    """Returns LaTeX and how tightly it holds together."""
    match node:
        case Operand(name=name):
            latex = OPERANDS[name].latex
            return latex, _SCRIPT if latex.startswith(r"\frac") else _SYMBOL
        case Number(value=value):
            return _number_latex(value)
        case Unary(name=name, argument=argument, constant=constant):
            inner = _latex_argument(argument, _PRODUCT) if name == "-" else to_latex(argument)
            number = "" if constant is None else _number_latex(constant)[0]
            return UNARY[name].latex.format(x=inner, c=number), _LATEX_TIGHTNESS.get(name, _SYMBOL)
        case Binary(name="/", left=left, right=right):
            return BINARY["/"].latex.format(x=to_latex(left), y=to_latex(right)), _SCRIPT
        case Binary(name="^", left=left, right=right):
            base = _latex_argument(left, _SYMBOL)
            return BINARY["^"].latex.format(x=base, y=to_latex(right)), _SCRIPT
        case Binary(name=name, left=left, right=right):
            tightness = BINARY[name].precedence
            left_latex = _latex_argument(left, tightness, leads=True)
            right_latex = _latex_argument(right, tightness + 1)
            return BINARY[name].latex.format(x=left_latex, y=right_latex), tightness
    raise TypeError(f"not an expression: {node!r}")


_LATEX_TIGHTNESS = {"-": _NEGATION, "exp": _SCRIPT, "log": _SCRIPT}


def _latex_argument(node: Expression, lowest: int, leads: bool = False) -> str:
    latex, tightness = _latex(node)
    bare_minus = latex.startswith("-") and not leads
    return rf"\left({latex}\right)" if tightness < lowest or bare_minus else latex


def _number_latex(value: float) -> tuple[str, int]:
    mantissa, _, exponent = number_text(value).partition("e")
    if not exponent:
        return mantissa, _SYMBOL
    power = f"10^{{{exponent}}}"
    return (power, _SCRIPT) if mantissa == "1" else (rf"{mantissa} \cdot {power}", _PRODUCT)
