"""Spaces by name, and what their texts mean: the vocabularies of a grammar.

A space is data (texts), so a user writes one as easily as those that come with metarl:

    Space("tiny", operands=("g", "m"), unary=("x", "sign(x)"), binary=("*", "keep"),
          description="signs and products")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from metarl.errors import InvalidInput, require, unknown_name

from .expression import Expression, Operand, Unary
from .parser import parse_expression
from .primitives import BINARY, SPACES, Space

KEEP = "keep"  # the binary function that returns its left argument

UnaryFunction = tuple[str | None, float | None]  # name in the table and constant; None: identity
IDENTITY: UnaryFunction = (None, None)


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


def _unary_function(text: str) -> UnaryFunction:
    match parse_expression(text, variables=("x",)):
        case Operand("x"):
            return IDENTITY
        case Unary(name, Operand("x"), constant):
            return name, constant
    raise InvalidInput(f"{text!r} is not one function of x, such as x, -x, exp(x), clip(x, 1e-4).")


def _binary_name(text: str) -> str:
    if text != KEEP and text not in BINARY:
        raise unknown_name("binary function", str(text), (*BINARY, KEEP))
    return text
