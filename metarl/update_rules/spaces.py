"""Spaces: the choices that a grammar offers, by name, and what their texts mean.

A space is data (texts), so a user writes one as easily as those that come with metarl:

    Space("tiny", operands=("g", "m"), unary=("x", "sign(x)"), binary=("*", "keep"),
          description="signs and products")

Reference: Bello et al., "Neural Optimizer Search with Reinforcement Learning", ICML 2017, section
3, and arXiv:1709.07417, which adds the decays and annealed noise. The spaces `modern` and
`modern-arxiv` add what came after it; `primitives` names the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from metarl.errors import InvalidInput, require, unknown_name

from .expression import Binary, Expression, Number, Operand, Unary
from .parser import parse_expression
from .primitives import BINARY

KEEP = "keep"  # the binary function that returns its left argument

SCALE = "*"  # the name of the unary functions c * x

UnaryFunction = tuple[str | None, float | None]  # name in the table and constant; None: identity
IDENTITY: UnaryFunction = (None, None)


@dataclass(frozen=True)
class Space:
    """The choices a grammar offers at each slot of a group.

    A member of `operands` is the text of a rule (`1e-3 * w`, `sign(g)`); a member of `unary` is the
    text of a unary function of x (`x`, `exp(x)`, `clip(x, 1e-4)`, `0.5 * x`); a member of `binary` is
    an infix operator, or `keep` for "keep the left argument".
    """

    name: str
    operands: tuple[str, ...]
    unary: tuple[str, ...]
    binary: tuple[str, ...]
    description: str


_ICML_OPERANDS = (
    *("g", "g^2", "g^3", "m", "v", "y", "sign(g)", "sign(m)", "1", "2", "noise"),
    *("1e-4 * w", "1e-3 * w", "1e-2 * w", "1e-1 * w", "adam", "rmsprop"),
)
_DECAYS = ("ld", "cd", "cd10", "rd10", "rd20", "annealed_noise")
_UNARY = (
    *("x", "-x", "exp(x)", "log(x)", "sqrt(x)", "clip(x, 1e-5)", "clip(x, 1e-4)"),
    *("clip(x, 1e-3)", "drop(x, 0.1)", "drop(x, 0.3)", "drop(x, 0.5)", "sign(x)"),
)
_BINARY = ("+", "-", "*", "/", "^", "keep")
_CONSTANTS = ("0.01", "0.1", "0.5", "0.9", "3", "10")
_SCALINGS = ("0.1 * x", "0.5 * x", "2 * x")
_OF_TENSORS = ("ortho(x)", "rms(x)", "rownorm(x)", "colnorm(x)", "cautious(x)")

_SPACES = (
    Space("icml", _ICML_OPERANDS, _UNARY, _BINARY, "the full space of the ICML paper"),
    Space(
        "arxiv",
        (*_ICML_OPERANDS, *_DECAYS),
        _UNARY,
        _BINARY,
        "the ICML space with the decays and the annealed noise of the arXiv version",
    ),
    Space(
        "deterministic",
        tuple(operand for operand in _ICML_OPERANDS if operand != "noise"),
        tuple(unary for unary in _UNARY if not unary.startswith("drop")),
        _BINARY,
        "the ICML space without noise and dropout",
    ),
    Space(
        "sign",
        (*("g", "m", "sign(g)", "sign(m)", "1", "2", "adam"), *_DECAYS[:5]),
        ("x", "-x", "exp(x)", "sign(x)"),
        ("+", "-", "*", "^", "keep"),
        "the family of PowerSign and AddSign: signs, powers, decays",
    ),
    Space(
        "constants",
        (*_ICML_OPERANDS, *_DECAYS, *_CONSTANTS),
        (*_UNARY, *_SCALINGS),
        _BINARY,
        "the arxiv space with more numbers, as operands and as factors of any value",
    ),
    Space(
        "modern",
        ("g", "m", "s", "c", "adam", "1e-2 * w"),
        ("x", "exp(x)", "sign(x)", *_OF_TENSORS),
        ("+", "-", "*", "keep"),
        "averages, signs, weight decay and functions of whole tensors: Lion, AdEMAMix, Muon, caution",
    ),
    Space(
        "modern-arxiv",
        (*_ICML_OPERANDS, *_DECAYS, "s", "c"),
        (*_UNARY, *_OF_TENSORS),
        _BINARY,
        "the arxiv space with the averages and the functions of whole tensors of the space modern",
    ),
)

SPACES = MappingProxyType({space.name: space for space in _SPACES})


class Vocabulary(NamedTuple):
    """What the slots of a group offer, in the order of the tokens."""

    operands: tuple[Expression, ...]
    unary: tuple[UnaryFunction, ...]
    binary: tuple[str, ...]


def space_named(name: str) -> Space:
    """Returns the space of that name, or the InvalidInput that suggests the nearest one."""
    if name not in SPACES:
        raise unknown_name("space", str(name), SPACES)
    return SPACES[name]


def space_names() -> tuple[str, ...]:
    """Returns the names of the spaces that come with metarl."""
    return tuple(SPACES)


def vocabulary(space: Space) -> Vocabulary:
    """Reads the texts of a space.

    Args:
      space: the space.

    Returns:
      Its operands as expressions, its unary functions as names of the table, its binary names.

    Raises:
      InvalidInput: if a slot is empty, holds a member twice, or one that cannot stand there.
    """
    return Vocabulary(
        _read(space, "operands", parse_expression),
        _read(space, "unary", _unary_function),
        _read(space, "binary", _binary_name),
    )


def _read(space: Space, slot: str, read: Callable) -> tuple:
    texts = getattr(space, slot)
    where = f"{slot} of space {space.name!r}"
    require(isinstance(texts, tuple | list) and len(texts) > 0, f"The {where} is not a list.")
    members = []
    for text in texts:
        try:
            member = read(text)
        except InvalidInput as error:
            raise InvalidInput(f"In the {where}: {error}") from error
        require(member not in members, f"The {where} holds {text!r} twice.")
        members.append(member)
    return tuple(members)


def applied(function: UnaryFunction, argument: Expression) -> Expression:
    """Returns a unary function of an argument."""
    name, constant = function
    if name is None:
        return argument
    if name == SCALE and constant is not None:
        return Binary("*", Number(constant), argument)
    return Unary(name, argument, constant)


def as_function(node: Expression) -> tuple[UnaryFunction, Expression] | None:
    """Returns the function and the argument of which a node is the value; inverse of `applied`."""
    match node:
        case Unary(name, argument, constant):
            return (name, constant), argument
        case Binary("*", Number(factor), argument):
            return (SCALE, factor), argument
    return None


def _unary_function(text: str) -> UnaryFunction:
    node = parse_expression(text, variables=("x",))
    if node == Operand("x"):
        return IDENTITY
    found = as_function(node)
    if found is None or found[1] != Operand("x"):
        raise InvalidInput(
            f"{text!r} is not one function of x, such as x, -x, exp(x), clip(x, 1e-4), 0.5 * x."
        )
    return found[0]


def _binary_name(text: str) -> str:
    if text != KEEP and text not in BINARY:
        raise unknown_name("binary function", str(text), (*BINARY, KEEP))
    return text
