"""The table of primitives: every operand and function an update rule may use, one row each.

Grammar, parser, printer, interpreter, compiler, exporters and documentation are read off this
table, so a new primitive is one row. A row states its meaning once, as a function of a `Scope`: the
values at hand (gradient, moments, steps) and the array library that computes with them. Whoever
evaluates a rule supplies the scope: jax arrays give numbers, text fragments give source code. What
a scope computes itself (moments, draws, powers) is said in `Scope`, and every executor is held
against that, compiled, over steps and precisions.

Letters: g gradient; w parameter; m, v, y bias-corrected moving averages of g, g^2, g^3; t steps
taken so far; T steps of the whole run; p = min(t, T) / T progress in [0, 1]; q, in [0, 1), the
share of a cycle; s a slow average of g; c Lion's interpolation of g and an average; k constant of a
function; P parameters.

Most functions work entry by entry. Those of a whole tensor (`ortho`, `rms`, `rownorm`, `colnorm`,
`cautious`) look at all entries of one array of parameters, a leaf, at once; `tensor_functions` says
what they do.

Chance is drawn once a step, and then it is a value like g: one normal vector for `noise`, another
for `annealed_noise`, one mask for every rate of `drop`; these are independent of each other, and
new at every step and in every array of parameters. So equal text has equal value: `noise - noise`
is 0 and `drop(g, 0.1) * drop(m, 0.1)` is `drop(g * m, 0.1)`. Two masks of one rate cannot be
written; masks of two rates can.

References: Bello, Zoph, Vasudevan, Le, "Neural Optimizer Search with Reinforcement Learning", ICML
2017 (the space `icml`) and arXiv:1709.07417 (the space `arxiv`, which adds the decays and annealed
noise). For the space `modern`: Chen et al., "Symbolic Discovery of Optimization Algorithms",
arXiv:2302.06675 (`c`); Pagliardini, Ablin, Grangier, "The AdEMAMix Optimizer", arXiv:2409.03137 (the
idea of `s`); `tensor_functions` for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["operand", "unary", "binary"]
Need = Literal["m", "v", "y", "s", "c", "w", "progress", "count", "random", "shape"]


class Scope(Protocol):
    """What a primitive may look at while it is evaluated."""

    @property
    def g(self) -> Any:
        """The gradient, [P]."""

    @property
    def m(self) -> Any:
        """The bias-corrected moving average of g, [P].

        After each gradient: average <- b average + (1 - b) g^k, from 0, here with k = 1; what a rule
        sees is average / (1 - b^(t + 1)).
        """

    @property
    def v(self) -> Any:
        """The bias-corrected moving average of g^2, [P]; as `m`, with k = 2."""

    @property
    def y(self) -> Any:
        """The bias-corrected moving average of g^3, [P]; as `m`, with k = 3."""

    @property
    def s(self) -> Any:
        """The slow average of g, [P]: of all gradients so far, from step 10,000 on at rate 0.9999.

        After each gradient: s <- s + (g - s) max(1 / (t + 1), 1 - b), b = 0.9999. As the first weight is 1,
        nothing needs a correction.
        """

    @property
    def c(self) -> Any:
        """Lion's interpolation of g and a moving average l of it, [P].

        c = (b1 l + (1 - b1) g) / (1 - b1 b2^t), and then l <- b2 l + (1 - b2) g, from 0; b1 = 0.9, b2 = 0.99.
        The divisor makes the weights of the gradients sum to 1; Lion, which takes the sign, has none.
        """

    @property
    def w(self) -> Any:
        """The parameters, [P]."""

    @property
    def t(self) -> Any:
        """The steps taken before this one, a whole number."""

    @property
    def total_steps(self) -> Any:
        """T, the steps of the whole run, a whole number."""

    @property
    def progress(self) -> Any:
        """What `share_of_run` returns, a scalar in [0, 1]."""

    @property
    def epsilon(self) -> Any:
        """What is added to sqrt(v) in `adam` and `rmsprop`, and to the divisor of `/`."""

    @property
    def xp(self) -> Any:
        """The library for arrays [P]: jax.numpy, numpy, torch or a writer of code."""

    @property
    def scalar(self) -> Any:
        """The library for scalars of t and progress: jax.numpy, math ..."""

    def normal(self, name: str) -> Any:
        """Returns the standard normal noise of an operand, [P]; at one step always the same."""

    def keep(self, x: Any, rate: float) -> Any:
        """Returns x, [P], each entry set to 0 with probability `rate`; the rest not rescaled.

        At one step, a rate always sets the same entries to 0.
        """

    def of_tensors(self, name: str, x: Any) -> Any:
        """Returns a function of `tensor_functions`, taken of each leaf of x by itself, [P]."""

    def power(self, x: Any, y: Any) -> Any:
        """Returns x ^ y as IEEE 754's pow does, [P].

        NaN where x is finite and negative and y is no integer; 1 where y = 0 or x = 1, whatever the
        other is, NaN included; infinity or 0 where x is -infinity and y is no integer.
        """


class Constant(NamedTuple):
    """The constant of a function: what it is called, and the finite numbers it may be."""

    name: str
    low: float
    high: float  # not itself accepted
    includes_low: bool

    def accepts(self, value: float) -> bool:
        """Returns whether the constant may have this value."""
        return self.low < value < self.high or (self.includes_low and value == self.low)

    @property
    def range(self) -> str:
        """The accepted numbers, in words."""
        low = f"at least {self.low:g}" if self.includes_low else f"above {self.low:g}"
        return low if math.isinf(self.high) else f"{low} and below {self.high:g}"


@dataclass(frozen=True)
class Primitive:
    """One row of the table.

    Attributes:
      name: how the primitive is written in a rule's text.
      kind: operand (no argument), unary or binary.
      meaning: the formula in one plain line; x and y are the arguments, k the constant.
      latex: the formula as LaTeX; in the template of a function, `{x}`, `{y}`, `{c}` stand for the
        arguments and the constant.
      evaluate: (scope) -> value for operands, (scope, x[, c]) for unary, (scope, x, y) for binary
        primitives.
      source: where it comes from.
      needs: the parts of the scope that the value depends on, beside g and the arguments.
      constant: the constant that a unary primitive takes, or None.
      precedence: of an infix operator: 1 for sums, 2 for products, 4 for powers (3 is the unary
        minus); 0 if none. Powers group from the right, the others from the left.
      by_step: whether an operand is a scalar that depends on the step alone.
      of_tensors: whether a function looks at a whole leaf, see `tensor_functions`.
    """

    name: str
    kind: Kind
    meaning: str
    latex: str
    evaluate: Callable[..., Any] = field(repr=False, compare=False)
    source: str = "icml"
    needs: frozenset[Need] = frozenset()
    constant: Constant | None = None
    precedence: int = 0
    by_step: bool = False
    of_tensors: bool = False


def _operand(
    name: str,
    meaning: str,
    latex: str,
    evaluate: Callable[..., Any],
    *needs: Need,
    source: str = "icml",
    by_step: bool = False,
) -> Primitive:
    return Primitive(
        name, "operand", meaning, latex, evaluate, source, frozenset(needs), by_step=by_step
    )


def share_of_run(s: Scope) -> Any:
    """Returns the progress p = min(t, T) / T, 0 at the start and 1 from step T on, to the bit.

    A compiler may turn the division by T into a product with 1 / T, and T (1 / T) is not always 1.
    """
    return s.scalar.where(s.t < s.total_steps, 1.0 * s.t / s.total_steps, 1.0)


def share_of_cycle(s: Scope, cycles: int) -> Any:
    """Returns ((cycles · min(t, T)) mod T) / T in [0, 1), 0 to the bit where a cycle begins.

    The remainder is one of whole numbers: (cycles · p) mod 1 would miss the beginning by the
    rounding of p, and be nearly 1 there.
    """
    return s.scalar.where(s.t < s.total_steps, cycles * s.t % s.total_steps, 0.0) / s.total_steps


# Most steps of a run of which 20 cycles are counted in 32 bits.
MOST_STEPS = (2**31 - 1) // 20


def _cosine(cycles: float) -> Callable[[Scope], Any]:
    return lambda s: 0.5 * (1.0 + s.scalar.cos(2.0 * math.pi * cycles * s.progress))


def _restarts(cycles: int) -> Callable[[Scope], Any]:
    return lambda s: 0.5 * (1.0 + s.scalar.cos(math.pi * share_of_cycle(s, cycles)))


def _of_tensors(name: str, meaning: str, source: str) -> Primitive:
    return Primitive(
        name,
        "unary",
        meaning,
        rf"\mathrm{{{{{name}}}}}\left({{x}}\right)",
        lambda s, x: s.of_tensors(name, x),
        source,
        frozenset({"shape"}),
        of_tensors=True,
    )


# The standard deviation of annealed noise is the root of its variance (1 + t)^-0.55.
_ANNEALING_EXPONENT = -0.55 / 2.0

PRIMITIVES = (
    _operand("g", "gradient", "g", lambda s: s.g),
    _operand("m", "bias-corrected moving average of g", r"\hat{m}", lambda s: s.m, "m"),
    _operand("v", "bias-corrected moving average of g^2", r"\hat{v}", lambda s: s.v, "v"),
    _operand("y", "bias-corrected moving average of g^3", r"\hat{y}", lambda s: s.y, "y"),
    _operand("w", "parameter", "w", lambda s: s.w, "w"),
    _operand(
        "adam",
        "m / (sqrt(v) + epsilon)",
        r"\frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon}",
        lambda s: s.m / (s.xp.sqrt(s.v) + s.epsilon),
        "m",
        "v",
    ),
    _operand(
        "rmsprop",
        "g / (sqrt(v) + epsilon)",
        r"\frac{g}{\sqrt{\hat{v}} + \epsilon}",
        lambda s: s.g / (s.xp.sqrt(s.v) + s.epsilon),
        "v",
    ),
    _operand(
        "noise",
        "normal noise of variance 0.01, one draw a step",
        r"\mathcal{N}(0, 0.01)",
        lambda s: 0.1 * s.normal("noise"),
        "random",
    ),
    _operand(
        "annealed_noise",
        "normal noise of variance (1 + t)^-0.55, one draw a step",
        r"\mathcal{N}\left(0, (1 + t)^{-0.55}\right)",
        lambda s: (
            s.normal("annealed_noise") * s.scalar.exp(_ANNEALING_EXPONENT * s.scalar.log(1.0 + s.t))
        ),
        "random",
        "count",
        source="arxiv",
    ),
    _operand(
        "ld",
        "linear decay, 1 - p",
        r"\mathrm{ld}",
        lambda s: 1.0 - s.progress,
        "progress",
        source="arxiv",
        by_step=True,
    ),
    _operand(
        "cd",
        "cosine decay, (1 + cos(pi p)) / 2",
        r"\mathrm{cd}",
        _cosine(0.5),
        "progress",
        source="arxiv",
        by_step=True,
    ),
    _operand(
        "cd10",
        "cyclic cosine decay, (1 + cos(2 pi 10 p)) / 2",
        r"\mathrm{cd}_{10}",
        _cosine(10.0),
        "progress",
        source="arxiv",
        by_step=True,
    ),
    _operand(
        "rd10",
        "restarted cosine decay, (1 + cos(pi q)) / 2, q = (10 min(t, T) mod T) / T",
        r"\mathrm{rd}_{10}",
        _restarts(10),
        "progress",
        source="arxiv",
        by_step=True,
    ),
    _operand(
        "rd20",
        "restarted cosine decay, (1 + cos(pi q)) / 2, q = (20 min(t, T) mod T) / T",
        r"\mathrm{rd}_{20}",
        _restarts(20),
        "progress",
        source="arxiv",
        by_step=True,
    ),
    _operand(
        "s",
        "slow average: the mean of all g so far, from step 10,000 on their average at rate 0.9999",
        r"\bar{g}",
        lambda s: s.s,
        "s",
        source="modern",
    ),
    _operand(
        "c",
        "Lion's interpolation, (0.9 l + 0.1 g) / (1 - 0.9 0.99^t), l the moving average of the g before at rate 0.99",
        "c",
        lambda s: s.c,
        "c",
        source="modern",
    ),
    Primitive("-", "unary", "-x", "-{x}", lambda s, x: -x, precedence=3),
    Primitive("exp", "unary", "exp x", r"e^{{{x}}}", lambda s, x: s.xp.exp(x)),
    Primitive(
        "log", "unary", "log |x|", r"\log\left|{x}\right|", lambda s, x: s.xp.log(s.xp.abs(x))
    ),
    Primitive(
        "sqrt",
        "unary",
        "sqrt |x|",
        r"\sqrt{{\left|{x}\right|}}",
        lambda s, x: s.xp.sqrt(s.xp.abs(x)),
    ),
    Primitive(
        "sign", "unary", "sign of x", r"\mathrm{{sign}}\left({x}\right)", lambda s, x: s.xp.sign(x)
    ),
    Primitive(
        "clip",
        "unary",
        "x clipped to [-k, k]",
        r"\mathrm{{clip}}\left({x}, {c}\right)",
        lambda s, x, c: s.xp.clip(x, -c, c),
        constant=Constant("limit", 0.0, math.inf, includes_low=False),
    ),
    Primitive(
        "drop",
        "unary",
        "x, each entry set to 0 with probability k, survivors not rescaled; one mask a step for each k",
        r"\mathrm{{drop}}\left({x}, {c}\right)",
        lambda s, x, c: s.keep(x, c),
        needs=frozenset({"random"}),
        constant=Constant("rate", 0.0, 1.0, includes_low=True),
    ),
    _of_tensors(
        "ortho",
        "matrices x = U S V' to about U V' sqrt(max(1, outputs / inputs)), as Muon does; rms(x) of others",
        "modern",
    ),
    _of_tensors("rms", "x divided by the root mean square of its tensor", "modern"),
    _of_tensors(
        "rownorm",
        "matrices with each row (an input's weights) divided by its root mean square; rms(x) of others",
        "modern",
    ),
    _of_tensors(
        "colnorm",
        "matrices with each column (an output's weights) divided by its root mean square; rms(x) of others",
        "modern",
    ),
    _of_tensors(
        "cautious",
        "x where it has the sign of g, 0 elsewhere, divided by the share of its tensor that is kept",
        "modern",
    ),
    Primitive("+", "binary", "x + y", "{x} + {y}", lambda s, x, y: x + y, precedence=1),
    Primitive("-", "binary", "x - y", "{x} - {y}", lambda s, x, y: x - y, precedence=1),
    Primitive("*", "binary", "x * y", r"{x} \cdot {y}", lambda s, x, y: x * y, precedence=2),
    Primitive(
        "/",
        "binary",
        "x / (y + epsilon)",
        r"\frac{{{x}}}{{{y} + \epsilon}}",
        lambda s, x, y: x / (y + s.epsilon),
        precedence=2,
    ),
    Primitive(
        "^",
        "binary",
        "x to the power y, as IEEE 754's pow; fails where x is finite, x < 0 and y no integer",
        "{x}^{{{y}}}",
        lambda s, x, y: s.power(x, y),
        precedence=4,
    ),
)

# What the text of a rule means. Version 1, before November 2026: chance was drawn anew wherever it
# was written in a compiled or exported rule, and once where tokens used a value again; restarts
# could come a step late. Primitives that are added, as those of the space `modern` were, need no new
# version: what was written before reads and means the same.
LANGUAGE = MappingProxyType(
    {
        "version": 2,
        "chance": "one draw a step of each noise and of each rate of drop",
        "cycles": "((cycles min(t, T)) mod T) / T, in whole numbers",
    }
)

OPERANDS = MappingProxyType({row.name: row for row in PRIMITIVES if row.kind == "operand"})
UNARY = MappingProxyType({row.name: row for row in PRIMITIVES if row.kind == "unary"})
BINARY = MappingProxyType({row.name: row for row in PRIMITIVES if row.kind == "binary"})
