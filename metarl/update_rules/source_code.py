"""Source code: an expression as readable lines of a program.

A writer is a `Scope` whose values are pieces of code. `evaluate` adds, multiplies and calls functions on them as it
does on arrays, and the formula comes out with the fewest parentheses; so an exporter knows no primitive by name, and a
new primitive needs no new exporter. Operands that are formulas themselves (`adam`, `ld`), random draws and pieces too
long for a line become local variables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .expression import Draw, Expression, Operand, draws, evaluate, walk
from .primitives import OPERANDS, share_of_run
from .printer import number_text
from .tensor_functions import OF_MATRICES

CONSTANT, SCALAR, ARRAY = range(3)  # a Python number, an array [], an array [P]

_WIDTH = 66  # of a formula, so that a line of the program stays within 88 columns
_COMPARISON, _SUM, _PRODUCT, _NEGATION, _POWER, _ATOM = range(
    6
)  # how tightly Python's operators bind
_LARGEST_PI_MULTIPLE = 100
_SIMPLE = re.compile(r"-?[\w.]+(e-\d+)?")  # names and numbers, which formatters let hug `**`
_LARGEST_MULTIPLIED_EXPONENT = 16  # as in the compiler


@dataclass(frozen=True)
class Code:
    """A piece of code.

    Attributes:
      writer: who collects the lines.
      text: Python source of an expression.
      kind: what it evaluates to: CONSTANT, SCALAR or ARRAY.
      precedence: how tightly its outermost operator binds.
    """

    writer: SourceWriter = field(repr=False, compare=False)
    text: str
    kind: int = ARRAY
    precedence: int = _ATOM

    def __add__(self, other: Any) -> Code:
        return self.writer.infix(self, " + ", other, _SUM)

    def __radd__(self, other: Any) -> Code:
        return self.writer.infix(other, " + ", self, _SUM)

    def __sub__(self, other: Any) -> Code:
        return self.writer.infix(self, " - ", other, _SUM)

    def __rsub__(self, other: Any) -> Code:
        return self.writer.infix(other, " - ", self, _SUM)

    def __mul__(self, other: Any) -> Code:
        return self.writer.infix(self, " * ", other, _PRODUCT)

    def __rmul__(self, other: Any) -> Code:
        return self.writer.infix(other, " * ", self, _PRODUCT)

    def __truediv__(self, other: Any) -> Code:
        return self.writer.infix(self, " / ", other, _PRODUCT)

    def __rtruediv__(self, other: Any) -> Code:
        return self.writer.infix(other, " / ", self, _PRODUCT)

    def __mod__(self, other: Any) -> Code:
        return self.writer.infix(self, " % ", other, _PRODUCT)

    def __lt__(self, other: Any) -> Code:
        return self.writer.infix(self, " < ", other, _COMPARISON)

    def __neg__(self) -> Code:
        inner = self.writer.enclosed(self, _ATOM if " ** " in self.text else _POWER)
        return Code(self.writer, f"-{inner}", self.kind, _NEGATION)


class SourceWriter:
    """A `Scope` that writes code.

    Attributes:
      library: the name under which the program imports its array library.
      lines: assignments to local variables, in order.
      used: names of the values that the code reads: "g", "m", "eps" ...
      of_tensors_used: names of the functions of whole tensors that it calls; the program defines `_ortho` for "ortho".
    """

    def __init__(self, library: str):
        """Starts an empty program over the array library of that name."""
        self.library = library
        self.lines: list[str] = []
        self.used: set[str] = set()
        self._variables: dict[str, str] = {}
        self._draws: list[Draw] = []
        self._drawn: dict[Draw, Code] = {}
        self.of_tensors_used: set[str] = set()

    def write(self, expression: Expression) -> Code:
        """Writes an expression and returns the code of its value."""
        self._draws = draws(expression)
        names = [part.name for part in walk(expression) if isinstance(part, Operand)]
        for name in dict.fromkeys(names):
            row = OPERANDS[name]
            if "random" not in row.needs:
                value = row.evaluate(self)
                if value.precedence < _ATOM:
                    self._assign(name, value)
        return self.code(evaluate(expression, self))

    @property
    def g(self) -> Code:
        return self._value("g")

    @property
    def m(self) -> Code:
        return self._value("m")

    @property
    def v(self) -> Code:
        return self._value("v")

    @property
    def y(self) -> Code:
        return self._value("y")

    @property
    def s(self) -> Code:
        return self._value("s")

    @property
    def c(self) -> Code:
        return self._value("c")

    @property
    def w(self) -> Code:
        return self._value("w")

    @property
    def t(self) -> Code:
        return self._value("t", SCALAR)

    @property
    def total_steps(self) -> Code:
        return self._value("total_steps", CONSTANT)

    @property
    def progress(self) -> Code:
        value = self.code(share_of_run(self))
        return value if value.text == "progress" else self._assign("progress", value)

    @property
    def epsilon(self) -> Code:
        return self._value("eps", CONSTANT)

    @property
    def xp(self) -> Any:
        """The array library: any of its functions, by name."""
        return _Functions(self)

    scalar = xp

    def normal(self, name: str) -> Code:
        return self._once((name, 0.0), self.draw_normal)

    def keep(self, x: Any, rate: float) -> Code:
        kept = self._once(("drop", rate), lambda number: self.draw_kept(number, rate))
        return self.call("where", kept, x, 0.0)

    def of_tensors(self, name: str, x: Any) -> Code:
        """Writes the call of a function of whole tensors, which the program defines for one leaf."""
        self.of_tensors_used.add(name)
        others = [self.g if name == "cautious" else self.epsilon]
        if name in OF_MATRICES:
            others.append(self._value("may_be_matrix", CONSTANT))

        def text(*codes: Code) -> str:
            return f"_{name}({', '.join(code.text for code in codes)})"

        return self._fitting([self.whole(self.code(x)), *others], text, _ATOM)

    def whole(self, code: Code) -> Code:
        """Returns the code of a value in the shape of the gradient."""
        return code if code.kind == ARRAY else replace(self.filled(code), kind=ARRAY)

    def filled(self, code: Code) -> Code:
        """Writes an array like the gradient that is full of one number; each language does it in its own way."""
        raise NotImplementedError

    def draw_normal(self, number: int) -> Code:
        """Writes the draw of that number, standard normal; each language draws in its own way."""
        raise NotImplementedError

    def draw_kept(self, number: int, rate: float) -> Code:
        """Writes the draw of that number, true with probability 1 - rate."""
        raise NotImplementedError

    def power(self, x: Any, y: Any) -> Code:
        base, exponent = self.code(x), self.code(y)
        if base.kind == exponent.kind == CONSTANT:
            return self.call("pow", base, exponent)
        if (
            isinstance(y, int | float)
            and float(y).is_integer()
            and abs(y) <= _LARGEST_MULTIPLIED_EXPONENT
        ):
            exponent = self.code(int(y))

        def text(base: Code, exponent: Code) -> str:
            left, right = self.enclosed(base, _ATOM), exponent.text
            if not _SIMPLE.fullmatch(right):
                right = self.enclosed(exponent, _ATOM)
            hugged = _SIMPLE.fullmatch(left) and _SIMPLE.fullmatch(right)
            return f"{left}**{right}" if hugged else f"{left} ** {right}"

        return self._fitting([base, exponent], text, _POWER)

    def call(self, function: str, *arguments: Any) -> Code:
        """Returns the call of a function of the array library."""

        def text(*codes: Code) -> str:
            return f"{self.library}.{function}({', '.join(code.text for code in codes)})"

        code = self._fitting([self.code(argument) for argument in arguments], text, _ATOM)
        return replace(code, kind=max(code.kind, SCALAR))

    def infix(self, left: Any, operator: str, right: Any, precedence: int) -> Code:
        """Returns `left operator right`, for operators that group from the left."""

        def text(left: Code, right: Code) -> str:
            return self.enclosed(left, precedence) + operator + self.enclosed(right, precedence + 1)

        return self._fitting([self.code(left), self.code(right)], text, precedence)

    def enclosed(self, value: Any, lowest: int) -> str:
        """Returns the text of an argument, in parentheses if it binds less tightly than `lowest`."""
        code = self.code(value)
        return code.text if code.precedence >= lowest else f"({code.text})"

    def code(self, value: Any) -> Code:
        """Returns the code of a number, or of a piece of code: its variable if it has one."""
        if isinstance(value, int | float):
            return self._number(value)
        name = self._variables.get(value.text)
        return Code(self, name, value.kind) if name else value

    def _once(self, draw: Draw, write: Callable[[int], Code]) -> Code:
        if draw not in self._drawn:
            self._drawn[draw] = write(1 + self._draws.index(draw))
        return self._drawn[draw]

    def _value(self, name: str, kind: int = ARRAY) -> Code:
        self.used.add(name)
        return Code(self, name, kind)

    def _number(self, value: float) -> Code:
        if isinstance(value, int):
            text = str(abs(value))
        elif not math.isfinite(value):
            text = f"{self.library}.{'nan' if math.isnan(value) else 'inf'}"
        else:
            text = self._multiple_of_pi(abs(value)) or number_text(abs(float(value)))
            text += ".0" if text.isdigit() else ""
        negative = math.copysign(1.0, value) < 0.0
        precedence = _PRODUCT if "*" in text else _NEGATION if negative else _ATOM
        return Code(self, f"-{text}" if negative else text, CONSTANT, precedence)

    def _multiple_of_pi(self, value: float) -> str:
        multiple = round(value / math.pi)
        near = math.isclose(value, multiple * math.pi, rel_tol=1e-15)
        if not near or not 0 < multiple <= _LARGEST_PI_MULTIPLE:
            return ""
        return f"{self.library}.pi" if multiple == 1 else f"{multiple}.0 * {self.library}.pi"

    def _fitting(self, codes: list[Code], join: Callable[..., str], precedence: int) -> Code:
        """Returns the joined arguments; while they are too long for a line, the longest becomes a variable."""
        kind = max(code.kind for code in codes)
        text = join(*codes)
        while len(text) > _WIDTH:
            longest = max(codes, key=lambda code: len(code.text))
            if longest.kind == CONSTANT or longest.text.isidentifier():
                break
            variable = self._assign(f"part_{len(self.lines) + 1}", longest)
            codes = [variable if code is longest else code for code in codes]
            text = join(*codes)
        return Code(self, text, kind, precedence)

    def _assign(self, name: str, code: Code) -> Code:
        self.lines.append(f"{name} = {code.text}")
        self._variables[code.text] = name
        return Code(self, name, code.kind)


class _Functions:
    """Stands for an array library: every attribute is a function that writes its own call."""

    def __init__(self, writer: SourceWriter):
        self._writer = writer

    def __getattr__(self, function: str) -> Any:
        return lambda *arguments: self._writer.call(function, *arguments)
