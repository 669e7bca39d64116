"""Bounds: what a number in settings may be, written at its field, read by one checker.

    learning_rate: Positive = 1e-3
    max_gradient_norm: Positive | None = None
    rates: tuple[Positive, ...] = (0.1, 1.0)

A field's annotation is its row of the table: its type, its bounds, and with them the message. Every number of every
configuration has one; a number is never infinite or NaN, for which JSON has no words.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import reprlib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from metarl.errors import InvalidInput

from .limits import MOST_WHOLE

MOST_HORIZON = 1000
MOST_SEEDS = 100_000
MOST_TASKS = 10_000_000
MOST_COUNTED = 2**31 - 1  # as in jax's whole numbers of 32 bits


class Bounds(NamedTuple):
    """Between which numbers a setting lies."""

    least: float = -math.inf
    """The lowest that is accepted."""
    most: float = math.inf
    """The highest that is accepted."""
    above: float = -math.inf
    """Lower than anything that is accepted."""
    large: bool = False
    """Whether a whole number may be more than 32 bits count, where there is no `most`."""

    def hold(self, number: float) -> bool:
        """Tells whether a number lies within them; NaN never does."""
        return math.isfinite(number) and self.least <= number <= self.most and number > self.above

    def __str__(self) -> str:
        """Returns what a number must be, in words."""
        low, high = self.least > -math.inf, self.most < math.inf
        if self.above > -math.inf:
            over = "positive" if self.above == 0 and not high else f"above {self.above:g}"
            return f"be {over} and at most {self.most:g}" if high else f"be {over}"
        if low and high:
            between = (self.least, self.most) in ((0, 1), (-1, 1))
            ends = (_plain(self.least), _plain(self.most))
            return (
                f"lie between {ends[0]} and {ends[1]}"
                if between
                else f"be from {ends[0]} to {ends[1]}"
            )
        if low:
            return "not be negative" if self.least == 0 else f"be at least {_plain(self.least)}"
        return f"be at most {_plain(self.most)}" if high else "be a number"


Count = Annotated[int, Bounds(least=1)]
"""How many, one at least."""
Budget = Annotated[int, Bounds(least=1, large=True)]
"""How many of what may be more than is counted in 32 bits, such as steps of a whole run."""
Tasks = Annotated[int, Bounds(least=1, most=MOST_TASKS)]
"""How many tasks an agent is tried in."""
Steps = Annotated[int, Bounds(least=1, most=2_000_000)]
"""Optimizer steps of a run; at the longest horizon they still count in 32 bits."""
Horizon = Annotated[float, Bounds(above=0, most=MOST_HORIZON)]
"""A multiple of these steps."""
Seeds = Annotated[int, Bounds(least=1, most=MOST_SEEDS)]
"""How many seeds; all are drawn before anything else happens."""
PairedSeeds = Annotated[int, Bounds(least=2, most=MOST_SEEDS)]
"""How many where an interval is taken over them."""
CountOrNone = Annotated[int, Bounds(least=0)]
"""How many, or none at all."""
BudgetOrNone = Annotated[int, Bounds(least=0, large=True)]
"""A budget, or none at all."""
Positive = Annotated[float, Bounds(above=0)]
NotNegative = Annotated[float, Bounds(least=0)]
Fraction = Annotated[float, Bounds(least=0, most=1)]
Cosine = Annotated[float, Bounds(least=-1, most=1)]
Real = Annotated[float, Bounds()]
"""Any finite number."""
Seed = Annotated[int, Bounds(least=0, most=2**32 - 1)]
"""Of everything random; jax would silently cut a larger one to 32 bits."""


class Row(NamedTuple):
    """What one field accepts."""

    kinds: tuple[Any, ...]
    """Types and Literals; of a tuple's items where there is `many`."""
    bounds: Bounds | None
    """Of numbers; None where there are no bounds, which is a fault of the configuration where it is a number."""
    none: bool
    """Whether None is accepted."""
    many: bool
    """Whether it is a tuple."""

    @property
    def most_whole(self) -> int:
        """The largest whole number that is accepted, if the bounds say nothing else."""
        if int not in self.kinds or self.bounds is None or self.bounds.large:
            return MOST_WHOLE
        return MOST_COUNTED if self.bounds.most == math.inf else MOST_WHOLE


def field_rows(kind: type) -> dict[str, Row]:
    """Returns what each field of a dataclass accepts; fields that are settings themselves are left out."""
    hints = _hints(kind)
    fields = [field.name for field in dataclasses.fields(kind)]
    return {name: _row(hints[name]) for name in fields if not dataclasses.is_dataclass(hints[name])}


def check_fields(config: Any, prefix: str = "", *, within: bool = False) -> None:
    """Refuses a configuration one of whose fields is not what its annotation says.

    Args:
      config: a dataclass.
      prefix: of the names in messages.
      within: whether settings in its fields are checked too, as "field.name".

    Raises:
      InvalidInput: says which field, what it is and what it may be.
    """
    for name, row in field_rows(type(config)).items():
        _check(f"{prefix}{name}", getattr(config, name), row)
    if within:
        for name in _nested(type(config)):
            check_fields(getattr(config, name), f"{prefix}{name}.", within=True)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _nested(kind: type) -> list[str]:
    hints = _hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    return [name for name in names if dataclasses.is_dataclass(hints[name])]


@functools.cache
def _row(hint: Any) -> Row:
    members = list(_members(hint))
    tuples = [member for member in members if get_origin(member) is tuple]
    if tuples:
        inner = _row(get_args(tuples[0])[0])
        return inner._replace(many=True, none=type(None) in members)
    bounds = [x for m in members if get_origin(m) is Annotated for x in m.__metadata__]
    bounds = [x for x in bounds if isinstance(x, Bounds)]
    kinds = tuple(_bare(member) for member in members if member is not type(None))
    return Row(kinds, bounds[0] if bounds else None, type(None) in members, False)


def _members(hint: Any) -> Iterator[Any]:
    """Yields the members of a union, or the one type there is."""
    inner = _bare(hint)
    if get_origin(inner) in (UnionType, Union):
        for member in get_args(inner):
            yield from _members(member)
    else:
        yield hint if get_origin(inner) is not tuple else inner


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _check(name: str, value: Any, row: Row) -> None:
    if value is None and row.none:
        return
    if row.many:
        if not isinstance(value, (tuple, list)):
            raise InvalidInput(f"{name} is {_shown(value)}; it must be a list.")
        for item in value:
            _check(f"an item of {name}", item, row._replace(many=False, none=False))
        return
    if not any(_fits(value, kind) for kind in row.kinds):
        raise InvalidInput(f"{name} is {_shown(value)}; it must be {_described(row)}.")
    if isinstance(value, numbers.Integral) and abs(int(value)) > row.most_whole:
        raise InvalidInput(f"{name} is {_shown(value)}; it must be at most {row.most_whole}.")
    if row.bounds is None or not isinstance(value, numbers.Real):
        return
    if not row.bounds.hold(float(value)):
        accepted = str(row.bounds) if math.isfinite(value) else "be a finite number"
        raise InvalidInput(f"{name} is {_shown(value)}; it must {accepted}{_or_none(row)}.")


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind in (int, float):
        return isinstance(value, numbers.Integral if kind is int else numbers.Real)
    return isinstance(value, get_origin(kind) or kind)


def _described(row: Row) -> str:
    words = []
    for kind in row.kinds:
        if get_origin(kind) is Literal:
            words.append(f"one of {', '.join(map(str, get_args(kind)))}")
        else:
            words.append(_WORDS.get(kind) or kind.__name__)
    return f"{' or '.join(words)}{_or_none(row)}"


def _or_none(row: Row) -> str:
    return ", or None" if row.none else ""


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _shown(value: Any) -> str:
    return reprlib.repr(value)


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
