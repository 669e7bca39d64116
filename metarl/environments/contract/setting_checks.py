"""What a setting of a family may be: one check and one wording for each kind of setting."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

from metarl.errors import require, unknown_name


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Returns a setting that counts something.

    Raises:
      InvalidInput: it is not a whole number, or less than `least`.
    """
    require(
        _is(numbers.Integral, value) and value >= least,
        f"{name} is {value!r}; it must be a whole number of at least {least}.",
    )
    return int(value)


def real_number(name: str, value: Any, least: float = -math.inf, above: float = -math.inf) -> float:
    """Returns a setting that measures something.

    Raises:
      InvalidInput: it is not a finite number, or less than `least`, or not above `above`.
    """
    bounds = [f" of at least {least:g}"] if least > -math.inf else []
    bounds += [f" above {above:g}"] if above > -math.inf else []
    require(
        _is(numbers.Real, value) and math.isfinite(value) and value >= least and value > above,
        f"{name} is {value!r}; it must be a finite number{''.join(bounds)}.",
    )
    return float(value)


def yes_or_no(name: str, value: Any) -> bool:
    """Returns a setting that is true or false.

    Raises:
      InvalidInput: it is neither.
    """
    require(isinstance(value, bool), f"{name} is {value!r}; it must be true or false.")
    return value


def one_of(name: str, value: Any, known: Iterable[str]) -> str:
    """Returns a setting that is one of a few words.

    Raises:
      InvalidInput: it is none of them; the nearest is suggested.
    """
    known = tuple(known)
    if value not in known:
        raise unknown_name(f"value of {name}", str(value), known)
    return str(value)


def refuse_huge(family: str, numbers_in_task: int) -> None:
    """Refuses a family whose single task would fill the memory.

    Raises:
      InvalidInput: a task has more than 10^8 numbers.
    """
    require(
        numbers_in_task <= 10**8,
        f"One task of this {family} would hold {numbers_in_task:,} numbers; at most 100,000,000 are "
        "accepted. Make its sizes smaller.",
    )


def _is(kind: type, value: Any) -> bool:
    """Whether a value is a number of a kind; True and False are none here."""
    return isinstance(value, kind) and not isinstance(value, bool)
